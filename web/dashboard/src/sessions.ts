import { Emitter, HeliographError, isTerminal, type RestClient, type Session } from "@heliograph/client";
import { pause } from "./parts.ts";

export interface SessionsEvents {
  /** Newest first; those that ended while this page looked on stay until dismissed. */
  change: readonly Session[];
  /** The list could not be fetched (undefined: it can again). */
  trouble: HeliographError | undefined;
}

type Rest = Pick<RestClient, "list" | "get">;

const slowMs = 2500;
const fastMs = 500;

/** The account's sessions, kept up to date. The REST list has only living ones; how the others ended is asked for once. */
export class Sessions extends Emitter<SessionsEvents> {
  readonly #rest: Rest;
  #byId = new Map<string, Session>();
  #wake = new AbortController();

  constructor(rest: Rest) {
    super();
    this.#rest = rest;
  }

  get all(): readonly Session[] {
    return [...this.#byId.values()].sort((a, b) => b.creationTime.localeCompare(a.creationTime));
  }

  /** Shows a session that was just made or changed, before the next refresh. */
  put(session: Session): void {
    this.#byId.set(session.id, session);
    this.emit("change", this.all);
    this.refreshSoon();
  }

  dismiss(id: string): void {
    this.#byId.delete(id);
    this.emit("change", this.all);
  }

  /** Refreshes now instead of at the next turn. */
  refreshSoon(): void {
    this.#wake.abort();
  }

  async refresh(signal?: AbortSignal): Promise<void> {
    const options = signal ? { signal } : {};
    const known = new Map(this.#byId);
    const living = new Map((await this.#rest.list(options)).map((s) => [s.id, s]));
    for (const [id, before] of known) {
      if (living.has(id) || !this.#byId.has(id)) continue;
      if (isTerminal(before.status)) {
        living.set(id, before);
        continue;
      }
      try {
        living.set(id, await this.#rest.get(id, options));
      } catch (error) {
        if (HeliographError.from(error, "server", "").reason !== "not-found") throw error;
      }
    }
    // What was put while the list was on its way is newer than the list.
    for (const [id, session] of this.#byId) if (!known.has(id) && !living.has(id)) living.set(id, session);
    this.#byId = living;
    this.emit("change", this.all);
  }

  /** Refreshes until the signal aborts: often while something starts, not at all while the page is hidden. */
  async run(signal: AbortSignal, hidden: () => boolean): Promise<void> {
    while (!signal.aborted) {
      if (!hidden()) {
        try {
          await this.refresh(signal);
          this.emit("trouble", undefined);
        } catch (error) {
          if (signal.aborted) return;
          this.emit("trouble", HeliographError.from(error, "server", "The sessions cannot be listed."));
        }
      }
      const starting = this.all.some((s) => s.status === "Starting");
      this.#wake = new AbortController();
      await pause(starting ? fastMs : slowMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }
}
