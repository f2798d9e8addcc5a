import { type Clock, Timer } from "./clock.js";
import type { Link } from "./link.js";

const everyMs = 15_000;
const patienceMs = 10_000;

export interface HeartbeatOptions {
  clock: Clock;
  isVisible(): boolean;
  measured(roundTripMs: number): void;
  dead(link: Link): void;
}

/** Asks the hub for an answer now and then: a connection whose other end is gone says nothing by itself. */
export class Heartbeat {
  readonly #next: Timer;
  readonly #deadline: Timer;
  #link: Link | undefined;
  #roundTripMs: number | undefined;

  constructor(private readonly options: HeartbeatOptions) {
    this.#next = new Timer(options.clock);
    this.#deadline = new Timer(options.clock);
  }

  start(link: Link): void {
    this.stop();
    this.#link = link;
    this.#roundTripMs = undefined;
    void this.beat();
  }

  stop(): void {
    this.#link = undefined;
    this.#next.clear();
    this.#deadline.clear();
  }

  /** Anything that comes shows life: the answer may stand behind a long replay. */
  heard(): void {
    if (this.#deadline.isSet && this.#link) this.#expectLife(this.#link);
  }

  async beat(): Promise<void> {
    const link = this.#link;
    if (!link) return;
    this.#next.set(everyMs, () => void this.beat());
    // A page in the background is throttled, and would take its own delay for the network's.
    if (this.#deadline.isSet || !this.options.isVisible()) return;
    this.#expectLife(link);
    const sent = this.options.clock.now();
    try {
      await link.invoke("Ping", this.#roundTripMs === undefined ? {} : { roundTripMs: this.#roundTripMs });
      if (link !== this.#link) return;
      this.#roundTripMs = Math.min(Math.max(0, this.options.clock.now() - sent), 600_000);
      this.options.measured(this.#roundTripMs);
    } catch {
      // Refused is answered as well; when the connection broke, its end says so.
    }
    if (link === this.#link) this.#deadline.clear();
  }

  #expectLife(link: Link): void {
    this.#deadline.set(patienceMs, () => this.options.dead(link));
  }
}
