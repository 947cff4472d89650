import { HeliographError } from "./errors.ts";
import { encodeClientMessage, type ClientBody, type ServerBody, type ServerMessage } from "./messages.ts";

interface Waiting {
  resolve: (body: ServerBody) => void;
  reject: (error: HeliographError) => void;
}

/**
 * Requests and answers over the reliable scene channel. Every request resolves with its answer, or rejects with the
 * worker's error or with the loss of the connection: edits are never dropped silently.
 */
export class SceneChannel {
  readonly #waiting = new Map<number, Waiting>();
  #send: ((data: Uint8Array<ArrayBuffer>) => void) | undefined;
  #id = 0;

  /** The connection is up (or, with undefined, gone: all who wait are told). */
  attach(send: ((data: Uint8Array<ArrayBuffer>) => void) | undefined): void {
    this.#send = send;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const w of lost) w.reject(new HeliographError("network", "The connection was lost before the worker answered."));
  }

  request(body: ClientBody): Promise<ServerBody> {
    const send = this.#send;
    if (!send) return Promise.reject(new HeliographError("network", "Not connected to the session."));
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      try {
        send(encodeClientMessage(id, body));
      } catch (error) {
        this.#waiting.delete(id);
        reject(HeliographError.from(error, "network", "The message cannot be sent."));
      }
    });
  }

  /** Takes a message if it answers a request for good; progress reports do not. */
  handle(message: ServerMessage): void {
    const waiting = this.#waiting.get(message.requestId);
    if (!waiting || message.body.case === "loadProgress") return;
    this.#waiting.delete(message.requestId);
    if (message.body.case === "error") {
      const { code, message: text } = message.body.value;
      waiting.reject(new HeliographError("invalid", text, { code }));
    } else {
      waiting.resolve(message.body);
    }
  }
}
