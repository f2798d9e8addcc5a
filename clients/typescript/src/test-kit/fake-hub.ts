import type { Cursor, EventBatch, Interest, RealtimeEvent, SubscribeRequest } from "../contract.js";
import { matchesFilters, matchesType } from "../filters.js";
import type { Link, OpenLink, Transport } from "../link.js";

type Message = { kind: "call"; method: string; message: unknown } | { kind: "answer"; settle: () => void };

interface Subscription {
  app: string;
  number: number;
  interests: readonly Interest[];
  positions: Map<string, number>;
}

/** A hub of one process that keeps the contract: logs of streams, and sessions that push from them. Whatever goes wrong, a test does it. */
export class FakeHub {
  epoch = "epoch-1";
  readonly logs = new Map<string, RealtimeEvent[]>();
  /** The first position that is kept, where it is not 1. */
  readonly kept = new Map<string, number>();
  readonly links: FakeLink[] = [];
  readonly tokens: string[] = [];
  user = "ada";
  batchEvents = 200;
  /** Messages wait for `step` instead of going out at once. */
  manual = false;
  /** Why a link does not open. */
  refuse: (transport: Transport, token: string) => Error | "never" | undefined = () => undefined;
  /** What a method does instead; undefined: as usual. */
  intercept: (method: string, argument: unknown, link: FakeLink) => Promise<unknown> | undefined = () => undefined;

  readonly open: OpenLink = (transport, token) => {
    const link = new FakeLink(this, transport, token);
    this.links.push(link);
    return link;
  };

  get link(): FakeLink {
    const link = this.links.findLast(link => link.isOpen);
    if (!link) throw new Error("No link is open.");
    return link;
  }

  publish(stream: string, data: RealtimeEvent["data"] = {}, type = "task.completed"): number {
    const log = this.#log(stream);
    const seq = log.length + 1;
    const app = stream.split("/")[0] as string;
    const topic = /\/topics\/(.*)$/.exec(stream)?.[1];
    log.push({
      id: `${stream}-${seq}`,
      source: app,
      app,
      type,
      data,
      stream,
      seq,
      actor: "backend",
      time: "",
      recordedAt: "",
      ...(topic !== undefined && { topic }),
    });
    for (const link of this.links) link.pump();
    return seq;
  }

  head(stream: string): number {
    return this.#log(stream).length;
  }

  read(stream: string, after: number, limit: number): RealtimeEvent[] {
    return this.#log(stream).slice(after, after + limit);
  }

  isKept(stream: string, position: number): boolean {
    return position === this.head(stream) || (position < this.head(stream) && position + 1 >= (this.kept.get(stream) ?? 1));
  }

  #log(stream: string): RealtimeEvent[] {
    const log = this.logs.get(stream) ?? [];
    this.logs.set(stream, log);
    return log;
  }
}

export class FakeLink implements Link {
  isOpen = false;
  stopped = false;
  readonly calls: { method: string; argument: unknown }[] = [];
  readonly outgoing: Message[] = [];
  /** Calls that the hub has yet to take, while `manual`. */
  readonly incoming: (() => void)[] = [];
  readonly #handlers = new Map<string, (message: unknown) => void>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #numbers = new Map<string, number>();
  readonly #pending = new Set<(error: Error) => void>();
  #onClose: (error?: Error) => void = () => {};

  constructor(
    private readonly hub: FakeHub,
    readonly transport: Transport,
    private readonly token: () => string,
  ) {}

  async start(): Promise<void> {
    const refusal = this.hub.refuse(this.transport, this.token());
    this.hub.tokens.push(this.token());
    if (refusal === "never") return new Promise(() => {});
    if (refusal) throw refusal;
    this.isOpen = true;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cut();
  }

  on(method: string, handler: (message: unknown) => void): void {
    this.#handlers.set(method, handler);
  }

  onClose(handler: (error?: Error) => void): void {
    this.#onClose = handler;
  }

  invoke(method: string, argument: unknown): Promise<unknown> {
    this.calls.push({ method, argument });
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new Error("The connection was lost."));
      this.#pending.add(reject);
      const answer = (settle: () => void) =>
        this.#say({
          kind: "answer",
          settle: () => {
            this.#pending.delete(reject);
            settle();
          },
        });
      const own = this.hub.intercept(method, argument, this);
      if (own)
        own.then(
          value => answer(() => resolve(value)),
          error => answer(() => reject(error)),
        );
      else {
        const serve = () => {
          const value = this.#do(method, argument);
          answer(() => resolve(value));
          this.pump();
        };
        if (this.hub.manual) this.incoming.push(serve);
        else serve();
      }
    });
  }

  called(method: string): unknown[] {
    return this.calls.filter(call => call.method === method).map(call => call.argument);
  }

  /** The connection breaks; what was under way is lost. */
  cut(error?: Error): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.outgoing.length = this.incoming.length = 0;
    for (const reject of this.#pending) reject(new Error("The connection was lost."));
    this.#onClose(error);
  }

  /** The page behind it is gone, and hears of nothing. */
  vanish(): void {
    this.isOpen = false;
    this.outgoing.length = this.incoming.length = 0;
  }

  say(method: string, message: unknown): void {
    this.#say({ kind: "call", method, message });
  }

  /** The next message arrives; false: there is none, in neither direction. */
  step(): boolean {
    const message = this.outgoing.shift();
    if (message) this.#arrive(message);
    return message !== undefined || this.serve();
  }

  /** The hub takes the next call. */
  serve(): boolean {
    const call = this.incoming.shift();
    call?.();
    return call !== undefined;
  }

  /** The next batch was on its way when a Subscribe was answered, and comes after the answer. */
  delay(): void {
    const i = this.outgoing.findIndex(message => message.kind === "call");
    const j = this.outgoing.findIndex((message, at) => at > i && message.kind === "answer");
    if (i >= 0 && j > i) this.outgoing.splice(j, 0, ...this.outgoing.splice(i, 1));
  }

  /** The next batch is lost. */
  lose(): void {
    const i = this.outgoing.findIndex(message => message.kind === "call");
    if (i >= 0) this.outgoing.splice(i, 1);
  }

  /** The next batch comes twice. */
  double(): void {
    const i = this.outgoing.findIndex(message => message.kind === "call");
    if (i >= 0) this.outgoing.splice(i, 0, this.outgoing[i] as Message);
  }

  beacon(): void {
    for (const subscription of this.#subscriptions.values())
      for (const [stream, position] of subscription.positions)
        this.say("events", {
          app: subscription.app,
          subscription: subscription.number,
          stream,
          after: position,
          through: position,
          events: [],
        } satisfies EventBatch);
  }

  reset(app: string, reason: string): void {
    this.#subscriptions.delete(app);
    this.say("reset", { app, reason });
  }

  subscription(app: string): Subscription | undefined {
    return this.#subscriptions.get(app);
  }

  pump(): void {
    if (!this.isOpen) return;
    for (const subscription of this.#subscriptions.values())
      for (const [stream, position] of subscription.positions)
        for (let at = position; at < this.hub.head(stream); ) {
          const events = this.hub.read(stream, at, this.hub.batchEvents);
          const batch: EventBatch = {
            app: subscription.app,
            subscription: subscription.number,
            stream,
            after: at,
            through: at + events.length,
            events: events.filter(event => subscription.interests.length === 0 || subscription.interests.some(interest => matches(interest, event))),
          };
          at += events.length;
          subscription.positions.set(stream, at);
          this.say("events", batch);
        }
  }

  #do(method: string, argument: unknown): unknown {
    if (method === "Ping") return { at: "" };
    if (method === "Subscribe") return this.#subscribe(argument as SubscribeRequest);
    if (method === "Unsubscribe") return void this.#subscriptions.delete(argument as string);
    if (method === "Publish") {
      const { source, data, type, id } = argument as { source: string; data?: RealtimeEvent["data"]; type: string; id: string };
      return { id, stream: source, seq: this.hub.publish(source, data, type), recordedAt: "", duplicate: false };
    }
    return undefined;
  }

  #subscribe({ app, topics = [], interests = [], cursor, from }: SubscribeRequest) {
    const number = (this.#numbers.get(app) ?? 0) + 1;
    this.#numbers.set(app, number);
    const names = [app, `${app}/users/${this.hub.user}`, ...topics.map(topic => `${app}/topics/${topic}`)];
    const honoured = !cursor || this.#honours(cursor, names);
    const positions = new Map(
      names.map(stream => [stream, honoured ? (cursor?.streams[stream] ?? (from === "start" ? 0 : this.hub.head(stream))) : this.hub.head(stream)]),
    );
    this.#subscriptions.set(app, { app, number, interests, positions });
    return { app, subscription: number, epoch: this.hub.epoch, streams: Object.fromEntries(positions), reset: !honoured };
  }

  #honours(cursor: Cursor, names: string[]): boolean {
    return cursor.epoch === this.hub.epoch && names.every(stream => cursor.streams[stream] === undefined || this.hub.isKept(stream, cursor.streams[stream]));
  }

  #say(message: Message): void {
    if (!this.isOpen) return;
    if (this.hub.manual) this.outgoing.push(message);
    else this.#arrive(message);
  }

  #arrive(message: Message): void {
    if (message.kind === "answer") message.settle();
    else this.#handlers.get(message.method)?.(structuredClone(message.message));
  }
}

function matches(interest: Interest, event: RealtimeEvent): boolean {
  return (
    (!interest.types || interest.types.some(pattern => matchesType(pattern, event.type))) &&
    (interest.topic === undefined || interest.topic === event.topic) &&
    matchesFilters(interest.filters ?? [], event)
  );
}
