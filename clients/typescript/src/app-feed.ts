import { backoff, type Clock, Timer } from "./clock.js";
import type { Cursor, EventBatch, From, RealtimeEvent, SubscribeAnswer, SubscribeRequest } from "./contract.js";
import type { CursorStore } from "./cursor-store.js";
import { isPassing, type RealtimeError, toRealtimeError } from "./errors.js";
import type { Link } from "./link.js";
import { type Plan, planFor, type Subscriber, takes } from "./subscriber.js";
import { WorkQueue } from "./work-queue.js";

const saveAfterMs = 1_000;
const ackAfterMs = 1_000;
/** Events that wait for slow handlers. What comes beyond is left to the hub, and asked for again when these are done. */
const mostWaiting = 5_000;
/** Batches that came before the answer of their Subscribe. The rest is a gap, and healed as one. */
const mostEarly = 1_000;

export interface FeedOptions {
  clock: Clock;
  store: CursorStore;
  report(error: unknown, what: string): void;
  /** The hub has accepted a subscription. */
  subscribed(app: string): void;
}

/**
 * Everything of one app: its subscribers as one subscription of the hub, the chain of batches, and the cursor.
 *
 * Two positions for each stream. `received`: up to there batches have been taken, so it finds gaps and repeats. `handled`: up to there the handlers have
 * returned, so it is the cursor, for the hub as well as for the store; handled ≤ received. An event reaches the handlers only by moving `received` past it,
 * which is what makes it once.
 */
export class AppFeed {
  readonly #subscribers = new Set<Subscriber>();
  readonly #received = new Map<string, number>();
  readonly #handled = new Map<string, number>();
  #epoch: string | undefined;
  /** Positions of another era are of a history, or a user, that is over. */
  #era = 0;
  /** Streams that had their start: `from` is over for them, also after a reset. */
  readonly #placed = new Set<string>();
  #loading: Promise<void> | undefined;
  #loaded = false;

  #link: Link | undefined;
  /** The hub's number of the subscription on this link. */
  #number = 0;
  /** What the hub was asked for on this link, as the plan's key. */
  #asked: string | undefined;
  #inFlight = false;
  #early: EventBatch[] = [];
  #resetDue: string | undefined;

  #mustAskAgain = false;
  #repairs = 0;
  #scheduled = false;
  readonly #retry: Timer;

  readonly #queue: WorkQueue;
  #overflowed = false;
  readonly #unacked = new Set<string>();
  readonly #ackTimer: Timer;
  readonly #saveTimer: Timer;

  constructor(
    private readonly app: string,
    private readonly options: FeedOptions,
  ) {
    this.#retry = new Timer(options.clock);
    this.#ackTimer = new Timer(options.clock);
    this.#saveTimer = new Timer(options.clock);
    this.#queue = new WorkQueue(() => {
      if (this.#overflowed) {
        this.#overflowed = false;
        this.#askAgain();
      }
    });
  }

  add(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    this.#schedule();
    return () => {
      if (this.#subscribers.delete(subscriber)) this.#schedule();
    };
  }

  /** Whether the hub has the app, or the topic of it, on this link. */
  isSubscribed(topic: string | undefined): boolean {
    return this.#asked !== undefined && this.#placed.has(topic === undefined ? this.app : `${this.app}/topics/${topic}`);
  }

  opened(link: Link): void {
    this.#link = link;
    this.#number = 0;
    this.#asked = undefined;
    this.#inFlight = false;
    this.#early = [];
    this.#mustAskAgain = false;
    this.#retry.clear();
    this.#unacked.clear(); // the cursor that Subscribe sends says it
    for (const subscriber of this.#subscribers) subscriber.refused = false;
    this.#schedule();
  }

  closed(): void {
    this.#link = undefined;
    this.#retry.clear();
    this.#ackTimer.clear();
  }

  batch(batch: EventBatch): void {
    if (this.#inFlight) {
      // Of the subscription that is being replaced: the new one sends it again. Of the new one: kept until the answer says where its streams start.
      if (batch.subscription > this.#number && this.#early.length < mostEarly) this.#early.push(batch);
      return;
    }
    if (batch.subscription !== this.#number || this.#asked === undefined || !this.#follows(batch.stream)) return;
    const { stream, after, through } = batch;
    const at = this.#received.get(stream) ?? after;
    if (this.#overflowed) return;
    if (after > at) return this.#askAgain();
    this.#repairs = 0;
    if (this.#queue.weight >= mostWaiting) {
      this.#overflowed = true;
      return;
    }
    if (through <= at && this.#received.has(stream)) return;
    this.#received.set(stream, Math.max(at, through));
    const events = batch.events.filter(event => event.seq > at);
    const era = this.#era;
    this.#queue.add(events.length, () => {
      const waiting = this.#deliver(events);
      if (!waiting) return this.#moved(era, stream, through);
      return waiting.then(() => this.#moved(era, stream, through));
    });
  }

  /** The hub has ended the subscription. */
  reset(reason: string): void {
    if (this.#asked === undefined && !this.#inFlight) return;
    this.#resetDue = reason;
    this.#asked = undefined;
    this.#forgetPositions();
    this.#askAgain();
  }

  /** What is handled is said and written now: the connection, or the page, is about to go. */
  async flush(): Promise<void> {
    const acked = this.#sendAck();
    if (this.#saveTimer.isSet) await this.#save();
    await acked;
  }

  /** Forgets where it stands. The subscribers stay. */
  clear(): void {
    this.#forgetPositions();
    this.#placed.clear();
    this.#resetDue = undefined;
    this.#loaded = true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Changes of one turn become one call; leaving and joining again within it is no change.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#dropLeftStreams();
      void this.#subscribe();
    });
  }

  async #subscribe(): Promise<void> {
    const link = this.#link;
    if (!link || this.#inFlight || this.#retry.isSet) return;
    if (!this.#loaded && this.#subscribers.size > 0) return this.#load();
    const plan = this.#plan();
    if (!plan) return this.#unsubscribe(link);
    if (plan.key === this.#asked && !this.#mustAskAgain) return this.#tellReady(plan);

    this.#inFlight = true;
    this.#mustAskAgain = false;
    const era = this.#era;
    try {
      const answer = (await link.invoke("Subscribe", this.#request(plan))) as SubscribeAnswer;
      if (link !== this.#link) return;
      this.#inFlight = false;
      this.#number = answer.subscription;
      this.#asked = plan.key;
      // Reset or cleared meanwhile: the answer continues what is over.
      if (era !== this.#era) this.#mustAskAgain = true;
      else this.#accept(answer, plan);
    } catch (error) {
      if (link !== this.#link) return;
      this.#inFlight = false;
      this.#refuse(toRealtimeError(error), plan);
    }
    this.#early = [];
    this.#schedule();
  }

  #plan(): Plan | undefined {
    return planFor([...this.#subscribers].filter(subscriber => !subscriber.refused));
  }

  #unsubscribe(link: Link): void {
    if (this.#asked === undefined) return;
    this.#asked = undefined;
    link.invoke("Unsubscribe", this.app).catch(() => {}); // it ends with the connection otherwise
  }

  #request(plan: Plan): SubscribeRequest {
    const cursor = this.#cursor();
    const from = this.#earliestFrom();
    return {
      app: this.app,
      ...(plan.topics.length > 0 && { topics: plan.topics }),
      ...(plan.interests && { interests: plan.interests }),
      ...(cursor && { cursor }),
      ...(from && { from }),
    };
  }

  /** The hub takes one `from` for all streams that the cursor lacks. */
  #earliestFrom(): From | undefined {
    const froms = [...this.#subscribers].filter(one => one.from && one.from !== "now" && !this.#placed.has(this.#streamOf(one))).map(one => one.from as From);
    if (froms.length === 0 || froms.includes("start")) return froms.length === 0 ? undefined : "start";
    return froms.reduce((one, other) => (Date.parse(one) <= Date.parse(other) ? one : other));
  }

  #accept(answer: SubscribeAnswer, plan: Plan): void {
    const reset = answer.reset ? "cursor" : this.#resetDue;
    this.#resetDue = undefined;
    if (answer.reset) this.#forgetPositions();
    this.#epoch = answer.epoch;
    for (const [stream, position] of Object.entries(answer.streams)) {
      if (!this.#follows(stream)) continue;
      if (!this.#received.has(stream)) this.#received.set(stream, position);
      if (!this.#handled.has(stream)) this.#handled.set(stream, position);
    }
    this.#placed.add(this.app);
    for (const topic of plan.topics) this.#placed.add(`${this.app}/topics/${topic}`);
    // After the answer, so that the state that is fetched now is not older than where events go on.
    if (reset !== undefined) this.#queue.add(0, () => this.#tellReset(reset));
    this.#saveSoon();
    this.options.subscribed(this.app);
    // Who joined meanwhile is asked for next, from the same cursor: these would move past what it must get.
    if (this.#plan()?.key !== plan.key) return;
    this.#tellReady(plan);
    for (const batch of this.#early.splice(0)) this.batch(batch);
  }

  #refuse(error: RealtimeError, plan: Plan): void {
    if (isPassing(error)) {
      this.#repairs = Math.max(this.#repairs, 1);
      return this.#askAgain();
    }
    if (error.errors?.["/cursor"]) {
      // The store gave nonsense. What was missed since is not known.
      this.#resetDue = "cursor";
      this.#forgetPositions();
      return this.#askAgain();
    }
    for (const subscriber of plan.blame(Object.keys(error.errors ?? {}))) {
      subscriber.refused = true;
      if (subscriber.onError) this.#guard(() => subscriber.onError?.(error), "onError");
      else this.options.report(error, `subscribing to ${this.app}`);
    }
    // The others go on where they were: what came meanwhile was not taken.
    this.#mustAskAgain = true;
  }

  /** With the cursor, so that nothing is missing. At once; but when that does not help, with ever longer pauses. */
  #askAgain(): void {
    this.#mustAskAgain = true;
    if (this.#retry.isSet) return;
    const pause = this.#repairs === 0 ? 0 : backoff(this.#repairs - 1, this.options.clock.random(), 1_000);
    this.#repairs++;
    if (pause === 0) this.#schedule();
    else this.#retry.set(pause, () => this.#schedule());
  }

  /** Every subscriber of an event gets it in the same turn; the next event waits for those that return a promise. */
  #deliver(events: readonly RealtimeEvent[], start = 0): void | Promise<void> {
    for (let i = start; i < events.length; i++) {
      const event = events[i] as RealtimeEvent;
      const waiting = [...this.#subscribers].filter(one => takes(one, event)).map(one => this.#guard(() => one.handle?.(event), `a handler of ${event.type}`));
      const promises = waiting.filter(one => one !== undefined);
      if (promises.length > 0) return Promise.all(promises).then(() => this.#deliver(events, i + 1));
    }
  }

  #tellReady(plan: Plan): void {
    for (const subscriber of plan.subscribers) {
      if (subscriber.ready) continue;
      subscriber.ready = true;
      if (subscriber.onReady) this.#queue.add(0, () => this.#guard(() => subscriber.onReady?.(), "onReady"));
    }
  }

  async #tellReset(reason: string): Promise<void> {
    await Promise.all([...this.#subscribers].map(one => this.#guard(() => one.onReset?.(reason), "onReset")));
  }

  /** A fault of one handler is reported and is no reason to hold up, or to repeat, an event for the others. */
  #guard(call: () => unknown, what: string): Promise<void> | undefined {
    try {
      const result = call();
      if (result instanceof Promise)
        return result.then(
          () => {},
          error => this.options.report(error, what),
        );
    } catch (error) {
      this.options.report(error, what);
    }
    return undefined;
  }

  #moved(era: number, stream: string, through: number): void {
    if (era !== this.#era || !this.#received.has(stream)) return;
    this.#handled.set(stream, Math.max(through, this.#handled.get(stream) ?? 0));
    this.#unacked.add(stream);
    if (!this.#ackTimer.isSet) this.#ackTimer.set(ackAfterMs, () => void this.#sendAck());
    this.#saveSoon();
  }

  async #sendAck(): Promise<void> {
    this.#ackTimer.clear();
    if (!this.#link || this.#asked === undefined || this.#unacked.size === 0) return;
    const streams = Object.fromEntries([...this.#unacked].map(stream => [stream, this.#handled.get(stream)]).filter(([, seq]) => seq !== undefined));
    this.#unacked.clear();
    await this.#link.invoke("Ack", { app: this.app, streams }).catch(() => {}); // cumulative: the next one says it as well
  }

  async #load(): Promise<void> {
    this.#loading ??= (async () => {
      const era = this.#era;
      try {
        const cursor = await this.options.store.load(this.app);
        if (cursor && era === this.#era && !this.#loaded) this.#resumeAt(cursor);
      } catch (error) {
        this.options.report(error, "loading the cursor");
      }
      this.#loaded = true;
      this.#loading = undefined;
      this.#schedule();
    })();
    return this.#loading;
  }

  #resumeAt(cursor: Cursor): void {
    this.#epoch = cursor.epoch;
    for (const [stream, position] of Object.entries(cursor.streams)) {
      this.#received.set(stream, position);
      this.#handled.set(stream, position);
      this.#placed.add(stream);
    }
  }

  #cursor(): Cursor | undefined {
    return this.#epoch === undefined || this.#handled.size === 0 ? undefined : { epoch: this.#epoch, streams: Object.fromEntries(this.#handled) };
  }

  #saveSoon(): void {
    if (!this.#saveTimer.isSet) this.#saveTimer.set(saveAfterMs, () => void this.#save());
  }

  async #save(): Promise<void> {
    this.#saveTimer.clear();
    const cursor = this.#cursor();
    await this.#guard(() => (cursor ? this.options.store.save(this.app, cursor) : undefined), "saving the cursor");
  }

  #forgetPositions(): void {
    this.#era++;
    this.#received.clear();
    this.#handled.clear();
    this.#epoch = undefined;
    this.#unacked.clear();
    this.#saveTimer.clear();
    this.#guard(() => this.options.store.remove(this.app), "removing the cursor");
  }

  readonly #topicsBefore = new Set<string>();
  #hadSubscribers = false;

  /** Who leaves has no claim to what comes meanwhile: joined again, a stream starts at `from`. Streams of a stored cursor wait for their subscribers. */
  #dropLeftStreams(): void {
    if (this.#hadSubscribers && this.#subscribers.size === 0) {
      this.#placed.clear();
      this.#forgetPositions();
      this.#loaded = true;
    }
    const topics = new Set([...this.#subscribers].map(one => one.topic).filter(topic => topic !== undefined));
    for (const topic of this.#topicsBefore) {
      if (topics.has(topic)) continue;
      for (const positions of [this.#received, this.#handled, this.#placed]) positions.delete(`${this.app}/topics/${topic}`);
    }
    this.#topicsBefore.clear();
    for (const topic of topics) this.#topicsBefore.add(topic);
    this.#hadSubscribers = this.#subscribers.size > 0;
  }

  #follows(stream: string): boolean {
    const prefix = `${this.app}/topics/`;
    return stream.startsWith(prefix) ? [...this.#subscribers].some(one => one.topic === stream.slice(prefix.length)) : this.#subscribers.size > 0;
  }

  #streamOf(subscriber: Subscriber): string {
    return subscriber.topic === undefined ? this.app : `${this.app}/topics/${subscriber.topic}`;
  }
}
