import { type Clock, Timer } from "./clock.js";
import type { Cursor, Draft, EventBatch, NotificationMark, RealtimeEvent, SubscribeAnswer, SubscribeRequest } from "./contract.js";
import { disconnected, fromResponse, isPassing, RealtimeError } from "./errors.js";
import type { Link } from "./link.js";

const holdSeconds = 25;
const limit = 200;
/** Where held requests are cut on their way. */
const [shortestPauseMs, longestPauseMs] = [15_000, 30_000];
const mostCuts = 2;
const patienceMs = 10_000;
const marks: Record<NotificationMark, string> = { seen: "seen", read: "read", unread: "unread", archived: "archive", unarchived: "unarchive" };

interface PollAnswer {
  events: RealtimeEvent[];
  cursor: Cursor;
  reset: boolean;
}

export interface PollOptions {
  url: string;
  token(): string;
  clock: Clock;
  fetch: typeof globalThis.fetch;
}

/**
 * HTTP polling behind the hub's methods: each answer is told as the hub's batches, so that the chain, the cursor and the handlers are the same. Signals and
 * presence need a hub.
 */
export class PollLink implements Link {
  readonly #handlers = new Map<string, (message: unknown) => void>();
  readonly #numbers = new Map<string, number>();
  /** The polling that is current for an app; a replaced one sees that it is no longer. */
  readonly #polling = new Map<string, AbortController>();
  #closed = new AbortController();
  #onClose: (error?: Error) => void = () => {};
  #cuts = 0;

  constructor(private readonly options: PollOptions) {}

  /** Shows that the hub can be reached, and takes the token. */
  async start(): Promise<void> {
    await this.#send("GET", "apps");
  }

  async stop(): Promise<void> {
    this.#end();
  }

  on(method: string, handler: (message: unknown) => void): void {
    this.#handlers.set(method, handler);
  }

  onClose(handler: (error?: Error) => void): void {
    this.#onClose = handler;
  }

  async invoke(method: string, argument: unknown): Promise<unknown> {
    switch (method) {
      case "Subscribe":
        return this.#subscribe(argument as SubscribeRequest);
      case "Unsubscribe":
        return this.#polling.get(argument as string)?.abort();
      case "Ack": // the next poll's cursor says it
      case "Renew": // the next poll has the new token
        return undefined;
      case "Publish":
        return this.#send("POST", "events", argument as Draft);
      case "MarkNotifications":
        return this.#mark(argument as { ids: string[]; state: NotificationMark });
      default:
        throw new RealtimeError("not_supported", `${method} needs a transport of the hub; HTTP polling has none.`);
    }
  }

  async #subscribe(request: SubscribeRequest): Promise<SubscribeAnswer> {
    const { app } = request;
    this.#polling.get(app)?.abort();
    const polling = new AbortController();
    this.#polling.set(app, polling);
    const subscription = (this.#numbers.get(app) ?? 0) + 1;
    this.#numbers.set(app, subscription);

    const first = await this.#poll(request, 0).catch((error: RealtimeError) => {
      // It is not the subscription that is refused but the token.
      if (endsAll(error)) this.#end(error);
      throw endsAll(error) ? new RealtimeError(disconnected, error.message, { cause: error }) : error;
    });
    const streams = Object.fromEntries(
      Object.entries(first.cursor.streams).map(([stream, position]) => {
        const event = first.events.find(event => event.stream === stream);
        return [stream, (first.reset ? undefined : request.cursor?.streams[stream]) ?? (event ? event.seq - 1 : position)];
      }),
    );
    this.#tell(app, subscription, streams, first);
    void this.#go({ ...request, cursor: first.cursor }, subscription, polling);
    return { app, subscription, epoch: first.cursor.epoch, streams, reset: first.reset };
  }

  async #go(request: SubscribeRequest & { cursor: Cursor }, subscription: number, polling: AbortController): Promise<void> {
    let { cursor } = request;
    let afterCut = false;
    while (!polling.signal.aborted && !this.#closed.signal.aborted) {
      const held = this.#cuts < mostCuts && !afterCut;
      try {
        const answer = await this.#poll({ ...request, cursor }, held ? holdSeconds : 0, polling.signal);
        if (polling.signal.aborted) return;
        // A short one passes where the long one was cut: it was not the network that was away.
        if (afterCut) this.#cuts++;
        afterCut = false;
        if (answer.reset) return this.#handlers.get("reset")?.({ app: request.app, reason: "cursor" });
        this.#tell(request.app, subscription, cursor.streams, answer);
        cursor = answer.cursor;
        if (this.#cuts >= mostCuts && answer.events.length === 0) await this.#pause(polling.signal);
      } catch (error) {
        if (polling.signal.aborted || this.#closed.signal.aborted) return;
        const failure = error as RealtimeError;
        if (held && (failure.code === disconnected || failure.status === 502 || failure.status === 504)) afterCut = true;
        else if (isPassing(failure) || endsAll(failure)) return this.#end(failure);
        // Access to the app or a topic is gone: subscribing anew says to what.
        else return this.#handlers.get("reset")?.({ app: request.app, reason: "access" });
      }
    }
  }

  #poll(request: SubscribeRequest, waitSeconds: number, signal?: AbortSignal): Promise<PollAnswer> {
    return this.#send("POST", "events/poll", { ...request, waitSeconds, limit }, waitSeconds * 1_000, signal) as Promise<PollAnswer>;
  }

  #tell(app: string, subscription: number, before: Readonly<Record<string, number>>, answer: PollAnswer): void {
    for (const [stream, through] of Object.entries(answer.cursor.streams)) {
      const events = answer.events.filter(event => event.stream === stream);
      const batch: EventBatch = { app, subscription, stream, after: before[stream] ?? through, through, events };
      this.#handlers.get("events")?.(batch);
    }
  }

  async #mark({ ids, state }: { ids: string[]; state: NotificationMark }): Promise<unknown> {
    let app = "";
    for (const id of ids) ({ app } = (await this.#send("POST", `notifications/${encodeURIComponent(id)}/${marks[state]}`)) as { app: string });
    return this.#send("GET", `notifications/counts?app=${encodeURIComponent(app)}`);
  }

  async #send(method: string, path: string, body?: unknown, waitMs = 0, signal?: AbortSignal): Promise<unknown> {
    const timeout = new AbortController();
    const timer = new Timer(this.options.clock);
    timer.set(waitMs + patienceMs, () => timeout.abort());
    const abort = () => timeout.abort();
    for (const one of [this.#closed.signal, signal]) one?.addEventListener("abort", abort, { once: true });
    if (this.#closed.signal.aborted || signal?.aborted) abort();
    try {
      const response = await this.options.fetch(`${this.options.url}/api/v1/${path}`, {
        method,
        headers: { authorization: `Bearer ${this.options.token()}`, ...(body !== undefined && { "content-type": "application/json" }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: timeout.signal,
      });
      if (!response.ok) throw await fromResponse(response);
      return await response.json();
    } catch (error) {
      throw error instanceof RealtimeError ? error : new RealtimeError(disconnected, "The hub cannot be reached.", { cause: error });
    } finally {
      timer.clear();
      for (const one of [this.#closed.signal, signal]) one?.removeEventListener("abort", abort);
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    return new Promise(resolve => {
      const timer = new Timer(clock);
      const signals = [signal, this.#closed.signal];
      const end = () => {
        timer.clear();
        for (const one of signals) one.removeEventListener("abort", end);
        resolve();
      };
      for (const one of signals) one.addEventListener("abort", end);
      timer.set(shortestPauseMs + clock.random() * (longestPauseMs - shortestPauseMs), end);
    });
  }

  #end(error?: Error): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#onClose(error);
  }
}

function endsAll(error: RealtimeError): boolean {
  return error.status === 401 || error.code === "user_blocked";
}
