import { HeliographError } from "./errors.ts";
import type { RestClient } from "./rest.ts";

/** An answered WHEP request. */
export interface WhepAnswer {
  sdp: string;
  /** Ends the connection on the server's side; survives the closing of the page; never fails. */
  end(): void;
}

/** WHEP over the control plane's relay: POST of an offer, DELETE to end (draft-ietf-wish-whep). */
export class WhepClient {
  readonly #rest: RestClient;
  readonly #session: string;

  constructor(rest: RestClient, session: string) {
    this.#rest = rest;
    this.#session = session;
  }

  /** Offers a connection. With `takeover` a viewer that is connected is replaced, else that is an error of reason "busy". */
  async offer(sdp: string, takeover: boolean, signal: AbortSignal): Promise<WhepAnswer> {
    const url = `${this.#rest.sessionUrl(this.#session)}/whep`;
    const response = await this.#rest.request(url, {
      method: "POST",
      query: takeover ? { takeover: "true" } : {},
      rawBody: { type: "application/sdp", text: sdp },
      signal,
    });
    const location = response.headers.get("Location");
    const answer = await response.text();
    if (!answer.startsWith("v=0")) throw new HeliographError("server", "The worker's answer is not a session description.");
    return {
      sdp: answer,
      end: () => {
        if (!location) return;
        const target = new URL(location, response.url || new URL(url, globalThis.location?.href)).href;
        // Nothing to tell when this fails: a worker also notices that its viewer is gone.
        this.#rest.request(target, { method: "DELETE", keepalive: true }).catch(() => {});
      },
    };
  }
}
