import type { IHubProtocol } from "@microsoft/signalr";
import { AppFeed } from "./app-feed.js";
import { backoff, type Clock, systemClock, Timer } from "./clock.js";
import { Connection, type ConnectionState } from "./connection.js";
import type { Draft, EventBatch, Filter, From, NotificationCounts, NotificationMark, Receipt, Signal, SignalDraft } from "./contract.js";
import { type CursorStore, memoryCursors } from "./cursor-store.js";
import { type Environment, pageEnvironment } from "./environment.js";
import { disconnected, isPassing, RealtimeError, toRealtimeError } from "./errors.js";
import type { AnyEvents, EventOf, TypePattern } from "./event-map.js";
import type { Link, OpenLink, Transport } from "./link.js";
import { Listeners } from "./listeners.js";
import { PollLink } from "./poll-link.js";
import { type PresenceSnapshot, PresenceWatch } from "./presence.js";
import { signalrLink } from "./signalr-link.js";
import type { Subscriber } from "./subscriber.js";
import { TokenSource } from "./token-source.js";

/** How long a call that may be repeated waits for a connection and is repeated. */
const repeatForMs = 30_000;
const lastAckWithinMs = 1_000;

export interface Logger {
  warn(message: string, error: unknown): void;
  error(message: string, error: unknown): void;
}

export interface RealtimeOptions {
  /** The hub's address, such as `https://realtime.example.com`. */
  url: string;
  /** Called for each connection and before the token expires. Throw a `RealtimeError` with the code `unauthenticated` when there is no user any more. */
  token: () => string | Promise<string>;
  /** Default: forgotten with the page. */
  cursors?: CursorStore;
  /** What may be used, the best first. Default: all four. */
  transports?: readonly Transport[];
  /** SignalR's protocol; JSON by default. */
  protocol?: IHubProtocol;
  /** Default: the console. It is told no payloads and no tokens. */
  logger?: Logger;
  clock?: Clock;
  environment?: Environment;
  fetch?: typeof globalThis.fetch;
  /** Opens connections in place of SignalR and HTTP polling, for tests. */
  open?: OpenLink;
}

export interface SubscribeOptions<Pattern extends string> {
  app: string;
  /** Types, or patterns such as `mix.*`; all when absent. */
  type?: Pattern | readonly Pattern[];
  /** Events of this topic only. Without it: everyone's and the user's own. */
  topic?: string;
  filters?: readonly Filter[];
  /** Where streams start that the cursor lacks; default `now`. */
  from?: From;
}

export interface SubscribeCallbacks {
  /**
   * The service has the subscription: what is published from now on comes. Called once, before the first event. Who begins with a state fetched elsewhere
   * fetches it here, so that nothing falls in between.
   */
  onReady?: () => unknown;
  /** What was missed cannot be had any more: fetch your state. Events go on from before this call. */
  onReset?: (reason: string) => unknown;
  /** The service refused the subscription. Without this, `onError` of the client is told. */
  onError?: (error: RealtimeError) => void;
}

/**
 * Follows events over one connection, each exactly once while the client lives and at least once across reloads, in order within a stream, through every
 * cut; or says `onReset` when the service no longer has them.
 */
export class RealtimeClient<Events extends object = AnyEvents> {
  readonly #connection: Connection;
  readonly #tokens: TokenSource;
  readonly #clock: Clock;
  readonly #environment: Environment;
  readonly #cursors: CursorStore;
  readonly #feeds = new Map<string, AppFeed>();
  readonly #watches = new Set<PresenceWatch>();
  readonly #signals: Listeners<Signal>;
  readonly #states: Listeners<ConnectionState>;
  readonly #errors: Listeners<RealtimeError>;
  readonly #logger: Logger;
  #stopListening = () => {};

  constructor(options: RealtimeOptions) {
    const url = options.url.replace(/\/+$/, "");
    this.#clock = options.clock ?? systemClock;
    this.#environment = options.environment ?? pageEnvironment;
    this.#cursors = options.cursors ?? memoryCursors();
    this.#logger = options.logger ?? console;
    this.#tokens = new TokenSource(options.token, this.#clock);
    this.#signals = new Listeners(error => this.#report(error, "onSignal"));
    this.#states = new Listeners(error => this.#report(error, "onState"));
    this.#errors = new Listeners(error => this.#logger.error("Oriva: a fault in onError", error));
    const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#connection = new Connection({
      open:
        options.open ??
        ((transport, token) =>
          transport === "polling" ? new PollLink({ url, token, clock: this.#clock, fetch }) : signalrLink(url, transport, token, options.protocol)),
      transports: options.transports ?? ["webSockets", "serverSentEvents", "longPolling", "polling"],
      tokens: this.#tokens,
      clock: this.#clock,
      environment: this.#environment,
      prepare: link => this.#listenTo(link),
      opened: link => {
        for (const feed of this.#feeds.values()) feed.opened(link);
      },
      closed: () => {
        for (const feed of this.#feeds.values()) feed.closed();
      },
      changed: state => {
        this.#states.tell(state);
        if (state.status === "closed" && state.error) this.#report(state.error, "the connection");
      },
      report: (error, what) => this.#report(error, what),
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    this.#stopListening();
    this.#stopListening = this.#environment.onHide(() => void this.#flush());
    this.#connection.start();
  }

  /** Disconnects. Subscribers stay and go on after the next `start` where they were. */
  async stop(): Promise<void> {
    this.#stopListening();
    const timer = new Timer(this.#clock);
    await Promise.race([this.#flush(), new Promise<void>(resolve => timer.set(lastAckWithinMs, resolve))]);
    timer.clear();
    await this.#connection.stop();
  }

  /** For logout: disconnects and forgets every cursor and the token. */
  async clear(): Promise<void> {
    await this.#connection.stop();
    this.#stopListening();
    this.#tokens.forget();
    for (const feed of this.#feeds.values()) feed.clear();
    await this.#cursors.clear();
  }

  /**
   * Follows events of an app. A handler may return a promise: the next event of the app waits for it, and the cursor as well. A handler that fails is
   * reported, and the cursor moves on.
   * @returns ends it.
   */
  subscribe<const Pattern extends TypePattern<Events> = "*">(
    options: SubscribeOptions<Pattern>,
    handler: (event: EventOf<Events, Pattern>) => unknown,
    callbacks: SubscribeCallbacks = {},
  ): () => void {
    const { app, type, topic, filters, from } = options;
    return this.#join(app, {
      types: type === undefined ? [] : typeof type === "string" ? [type] : [...(type as readonly string[])],
      topic,
      filters: filters ?? [],
      from,
      handle: event => handler(event as EventOf<Events, Pattern>),
      ...callbacks,
    });
  }

  /**
   * Publishes an event. Over cuts it is repeated with the same id for half a minute, so that it is published once. When it fails with a passing code such as
   * `disconnected`, it may have been published: repeat it with the id that you gave.
   */
  publish<Type extends keyof Events & string>(draft: Draft<Type, Events[Type]>): Promise<Receipt> {
    const named = { ...draft, id: draft.id ?? newId() };
    return this.#repeat(link => link.invoke("Publish", named)) as Promise<Receipt>;
  }

  /** To whoever is there, at most once, and not stored. */
  async signal(signal: SignalDraft): Promise<void> {
    const link = this.#connection.link;
    if (!link) throw new RealtimeError(disconnected, "There is no connection.");
    try {
      await link.invoke("Signal", signal);
    } catch (error) {
      throw toRealtimeError(error);
    }
  }

  /** Signals in an app, or in a topic of it. */
  onSignal(
    { app, topic, name }: { app: string; topic?: string; name?: string },
    handler: (signal: Signal) => void,
    { onError }: Pick<SubscribeCallbacks, "onError"> = {},
  ): () => void {
    const leave = this.#join(app, presentIn(topic, onError));
    const remove = this.#signals.add(signal => {
      if (signal.app === app && (signal.topic ?? undefined) === topic && (name === undefined || signal.name === name)) handler(signal);
    });
    return () => {
      remove();
      leave();
    };
  }

  /** Who is in an app, or in a topic of it: told at once and with every change. */
  presence(
    { app, topic }: { app: string; topic?: string },
    handler: (presence: PresenceSnapshot) => void,
    { onError }: Pick<SubscribeCallbacks, "onError"> = {},
  ): () => void {
    let over = false;
    const watch = new PresenceWatch(
      app,
      topic,
      snapshot => {
        if (over) return;
        try {
          handler(snapshot);
        } catch (error) {
          this.#report(error, "presence");
        }
      },
      error => (onError ? onError(error) : this.#report(error, "presence")),
    );
    const leave = this.#join(app, presentIn(topic, onError));
    this.#watches.add(watch);
    const link = this.#connection.link;
    // Others may have subscribed to the same before, and then there is no further answer to wait for. Asked twice does no harm.
    if (link && this.#feeds.get(app)?.isSubscribed(topic)) void watch.ask(link);
    return () => {
      over = true;
      this.#watches.delete(watch);
      leave();
    };
  }

  /** Marks up to 500 notifications, all of one app. */
  markNotifications(ids: readonly string[], state: NotificationMark): Promise<NotificationCounts> {
    return this.#repeat(link => link.invoke("MarkNotifications", { ids, state })) as Promise<NotificationCounts>;
  }

  /** Told of each change of `state`. */
  onState(listener: (state: ConnectionState) => void): () => void {
    return this.#states.add(listener);
  }

  /** Faults that no call can be told of: of handlers, of refused subscriptions, and why the connection was closed. Without a listener, the logger is told. */
  onError(listener: (error: RealtimeError) => void): () => void {
    return this.#errors.add(listener);
  }

  #join(app: string, subscriber: Subscriber): () => void {
    let feed = this.#feeds.get(app);
    if (!feed) {
      feed = new AppFeed(app, {
        clock: this.#clock,
        store: this.#cursors,
        report: (error, what) => this.#report(error, what),
        subscribed: name => {
          const link = this.#connection.link;
          if (link) for (const watch of this.#watches) if (watch.app === name) void watch.ask(link);
        },
      });
      this.#feeds.set(app, feed);
      if (this.#connection.link) feed.opened(this.#connection.link);
    }
    return feed.add(subscriber);
  }

  /** What an older link still says is of no account: the new one was given the cursor. */
  #listenTo(link: Link): void {
    const on = <Message>(method: string, handle: (message: Message) => void) =>
      link.on(method, message => {
        if (link !== this.#connection.link) return;
        this.#connection.heard();
        handle(message as Message);
      });
    on<EventBatch>("events", batch => this.#feeds.get(batch.app)?.batch(batch));
    on<{ app: string; reason: string }>("reset", ({ app, reason }) => this.#feeds.get(app)?.reset(reason));
    on<{ retryAfterMs: number }>("goodbye", ({ retryAfterMs }) => this.#connection.goodbye(retryAfterMs));
    on<Signal>("signal", signal => {
      for (const watch of this.#watches) watch.take(signal);
      this.#signals.tell(signal);
    });
  }

  async #repeat(call: (link: Link) => Promise<unknown>): Promise<unknown> {
    const deadline = this.#clock.now() + repeatForMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await call(await this.#connected(deadline));
      } catch (error) {
        const failure = toRealtimeError(error);
        const pause = backoff(attempt, this.#clock.random(), 1_000, 5_000);
        const over = this.state.status === "disconnected" || this.state.status === "closed";
        if (over || !isPassing(failure) || this.#clock.now() + pause >= deadline) throw failure;
        await this.#pause(pause);
      }
    }
  }

  #connected(deadline: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const timer = new Timer(this.#clock);
      const look = ({ status, error }: ConnectionState): boolean => {
        const link = this.#connection.link;
        if (link) resolve(link);
        else if (status === "disconnected" || status === "closed") reject(error ?? new RealtimeError(disconnected, "The client is not started."));
        else return false;
        return true;
      };
      if (look(this.state)) return;
      const remove = this.onState(state => {
        if (!look(state)) return;
        remove();
        timer.clear();
      });
      timer.set(deadline - this.#clock.now(), () => {
        remove();
        reject(this.state.error ?? new RealtimeError(disconnected, "There is no connection."));
      });
    });
  }

  async #flush(): Promise<void> {
    await Promise.all([...this.#feeds.values()].map(feed => feed.flush()));
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => new Timer(this.#clock).set(ms, resolve));
  }

  #report(error: unknown, what: string): void {
    const failure = error instanceof RealtimeError ? error : new RealtimeError("handler_failed", `Oriva: a fault in ${what}`, { cause: error });
    if (this.#errors.size > 0) this.#errors.tell(failure);
    else this.#logger.error(`Oriva: ${what}`, error);
  }
}

/** In the app, or the topic, without events of its own. */
function presentIn(topic: string | undefined, onError: ((error: RealtimeError) => void) | undefined): Subscriber {
  return { types: [], topic, filters: [], from: undefined, onError };
}

/** `crypto.randomUUID` is for secure contexts only. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}
