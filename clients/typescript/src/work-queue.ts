/** Runs tasks one after the other, the first at once. A task must not throw. */
export class WorkQueue {
  readonly #tasks: { weight: number; run: () => void | Promise<void> }[] = [];
  #running = false;
  /** What waits or runs, by weight. */
  weight = 0;

  constructor(private readonly onIdle: () => void) {}

  add(weight: number, run: () => void | Promise<void>): void {
    this.weight += weight;
    this.#tasks.push({ weight, run });
    if (!this.#running) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#running = true;
    for (let task = this.#tasks.shift(); task; task = this.#tasks.shift()) {
      // Awaited only where there is something to wait for, so that plain handlers run in the turn that brought the event.
      const waiting = task.run();
      if (waiting) await waiting;
      this.weight -= task.weight;
    }
    this.#running = false;
    this.onIdle();
  }
}
