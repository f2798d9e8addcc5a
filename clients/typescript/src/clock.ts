/** Time and chance, so that tests can hold both. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** 0 ≤ x < 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: timer => globalThis.clearTimeout(timer as number),
  random: () => Math.random(),
};

/** Full jitter (Brooker, "Exponential Backoff And Jitter"): anything up to `first` · 2ⁿ, so that clients cut off together do not come back together. */
export function backoff(attempt: number, random: number, first = 500, cap = 30_000): number {
  return random * Math.min(cap, first * 2 ** Math.min(attempt, 30));
}

/** One timer that is set anew or cleared as a whole. */
export class Timer {
  #timer: unknown;
  #set = false;

  constructor(private readonly clock: Clock) {}

  get isSet(): boolean {
    return this.#set;
  }

  set(ms: number, callback: () => void): void {
    this.clear();
    this.#set = true;
    // Longer ones overflow and would fire at once.
    this.#timer = this.clock.setTimeout(
      () => {
        this.#set = false;
        callback();
      },
      Math.min(ms, 0x7fffffff),
    );
  }

  clear(): void {
    if (this.#set) this.clock.clearTimeout(this.#timer);
    this.#set = false;
  }
}
