/** Says how long to wait before another attempt to connect. */
export interface ReconnectPolicy {
  /** Milliseconds before attempt `attempt` (1 = the first repetition), or undefined to give up. */
  nextDelay(attempt: number, elapsedMs: number): number | undefined;
}

export interface BackoffOptions {
  firstMs?: number;
  maxMs?: number;
  /** Gives up this long after the connection was lost. */
  giveUpAfterMs?: number;
  /** 0..1, for the jitter that keeps many viewers from coming back at the same moment. */
  random?: () => number;
}

/** Exponential backoff with jitter, bounded in pause and in total. */
export class Backoff implements ReconnectPolicy {
  readonly #options: Required<BackoffOptions>;

  constructor(options: BackoffOptions = {}) {
    this.#options = { firstMs: 250, maxMs: 5000, giveUpAfterMs: 60_000, random: Math.random, ...options };
  }

  nextDelay(attempt: number, elapsedMs: number): number | undefined {
    const { firstMs, maxMs, giveUpAfterMs, random } = this.#options;
    if (elapsedMs >= giveUpAfterMs) return undefined;
    const full = Math.min(maxMs, firstMs * 2 ** (attempt - 1));
    return full / 2 + (full / 2) * random();
  }
}
