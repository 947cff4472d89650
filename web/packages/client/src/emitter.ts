/** Listener options: the listener is removed when the signal aborts. */
export interface ListenOptions {
  signal?: AbortSignal;
}

/**
 * A typed event emitter. `Events` maps an event name to the type of its one argument.
 *
 * A listener that throws does not keep the others from being called; its error is reported to the console by a
 * microtask, as an uncaught error would be.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  /** Calls `listener` for every event `name`; returns the function that stops it. */
  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => void, options: ListenOptions = {}): () => void {
    const { signal } = options;
    if (signal?.aborted) return () => {};
    let set = this.#listeners.get(name);
    if (!set) this.#listeners.set(name, (set = new Set()));
    set.add(listener);
    const off = () => this.off(name, listener);
    signal?.addEventListener("abort", off, { once: true });
    return off;
  }

  /** Stops calling `listener`; one that is not there is ignored. */
  off<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): void {
    this.#listeners.get(name)?.delete(listener);
  }

  protected emit<K extends keyof Events>(name: K, value: Events[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (value: Events[K]) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  protected removeAllListeners(): void {
    this.#listeners.clear();
  }
}
