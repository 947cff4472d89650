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
  /** Connections that this viewer has given up, and whose end the server has not confirmed. */
  readonly #abandoned = new Set<string>();

  constructor(rest: RestClient, session: string) {
    this.#rest = rest;
    this.#session = session;
  }

  /**
   * Offers a connection. With `takeover` a viewer that is connected is replaced, else that is an error of reason "busy".
   * Earlier connections of this viewer are ended before: a worker may not have noticed yet that they are lost.
   */
  async offer(sdp: string, takeover: boolean, signal: AbortSignal): Promise<WhepAnswer> {
    await Promise.all([...this.#abandoned].map((location) => this.#end(location)));
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
        this.#abandoned.add(target);
        void this.#end(target);
      },
    };
  }

  async #end(location: string): Promise<void> {
    try {
      await this.#rest.request(location, { method: "DELETE", keepalive: true });
    } catch (error) {
      const { reason } = HeliographError.from(error, "network", "");
      if (reason === "network" || reason === "server") return; // tried again with the next offer
    }
    this.#abandoned.delete(location);
  }
}
