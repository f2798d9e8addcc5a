import type { Clock } from "../clock.js";

/** Time that passes only when told to. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; order: number; callback: () => void }[] = [];
  #order = 0;
  chance = 0.5;

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.chance;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer = { at: this.#now + ms, order: this.#order++, callback };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers = this.#timers.filter(one => one !== timer);
  }

  get waiting(): number {
    return this.#timers.length;
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) break;
      this.clearTimeout(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settle();
    }
    this.#now = end;
  }
}

/** Everything that promises have left to do is done. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
