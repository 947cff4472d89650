import { Emitter, HeliographError, type Conversion, type ConversionProgress, type RestClient } from "@heliograph/client";
import { pause } from "./parts.ts";

/** A conversion with how far it is; no progress once it has ended, or before it was asked for. */
export interface ConversionState extends Conversion {
  progress?: ConversionProgress;
}

export interface ConversionsEvents {
  /** Newest first. */
  change: readonly ConversionState[];
  /** The list could not be fetched (undefined: it can again). */
  trouble: HeliographError | undefined;
}

type Rest = Pick<RestClient, "listConversions" | "conversionProgress">;

const idleMs = 5000;
const busyMs = 700;

export function hasEnded(conversion: Conversion): boolean {
  return conversion.status === "Succeeded" || conversion.status === "Failed";
}

/** The account's conversions, kept up to date while `run` runs. */
export class Conversions extends Emitter<ConversionsEvents> {
  readonly #rest: Rest;
  #all: readonly ConversionState[] = [];
  #wake = new AbortController();

  constructor(rest: Rest) {
    super();
    this.#rest = rest;
  }

  get all(): readonly ConversionState[] {
    return this.#all;
  }

  /** Refreshes now instead of at the next turn. */
  refreshSoon(): void {
    this.#wake.abort();
  }

  async refresh(signal?: AbortSignal): Promise<void> {
    const options = signal ? { signal } : {};
    const list: ConversionState[] = (await this.#rest.listConversions(options)).reverse();
    await Promise.all(
      list
        .filter((c) => !hasEnded(c))
        .map(async (c) => {
          try {
            c.progress = await this.#rest.conversionProgress(c.id, options);
          } catch (error) {
            if (HeliographError.from(error, "server", "").reason !== "not-found") throw error; // it was deleted meanwhile
          }
        }),
    );
    this.#all = list;
    this.emit("change", this.#all);
  }

  /** Refreshes until the signal aborts: often while something runs, not at all while nobody looks. */
  async run(signal: AbortSignal, hidden: () => boolean): Promise<void> {
    while (!signal.aborted) {
      if (!hidden()) {
        try {
          await this.refresh(signal);
          this.emit("trouble", undefined);
        } catch (error) {
          if (signal.aborted) return;
          this.emit("trouble", HeliographError.from(error, "server", "The conversions cannot be listed."));
        }
      }
      this.#wake = new AbortController();
      await pause(this.#all.every(hasEnded) ? idleMs : busyMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }
}
