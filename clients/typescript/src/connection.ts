import { backoff, type Clock, Timer } from "./clock.js";
import type { Environment } from "./environment.js";
import { disconnected, isRefusal, RealtimeError, toRealtimeError } from "./errors.js";
import { Heartbeat } from "./heartbeat.js";
import type { Link, OpenLink, Transport } from "./link.js";
import type { TokenSource } from "./token-source.js";

export type Status = "disconnected" | "connecting" | "connected" | "reconnecting" | "waiting" | "closed";

/** A snapshot; the next change makes another object. */
export interface ConnectionState {
  readonly status: Status;
  readonly transport: Transport | undefined;
  readonly roundTripMs: number | undefined;
  /** When the status came about, in milliseconds since 1970. */
  readonly since: number;
  /** When the next attempt is due, while waiting. */
  readonly nextRetryAt: number | undefined;
  /** Attempts that failed in a row. */
  readonly attempt: number;
  /** Why the last attempt or connection failed; when closed, why it is given up. */
  readonly error: RealtimeError | undefined;
}

/** A start, or a token, that takes longer is held up on its way: by a proxy that buffers, say. */
const startWithinMs = 15_000;
/** A connection that breaks sooner has not proved its transport, nor that the hub is well. */
const provenAfterMs = 10_000;
const mostEarlyBreaks = 3;
/** Different tokens in a row that are refused: then it is not their age. */
const mostRefusals = 3;
const firstProbeMs = 60_000;
const lastProbeMs = 30 * 60_000;

export interface ConnectionOptions {
  open: OpenLink;
  transports: readonly Transport[];
  tokens: TokenSource;
  clock: Clock;
  environment: Environment;
  /** Handlers are registered here, before the link starts. */
  prepare(link: Link): void;
  opened(link: Link): void;
  closed(): void;
  changed(state: ConnectionState): void;
  report(error: unknown, what: string): void;
}

/**
 * Keeps one link open, by the best transport that works. A new link takes over from an old one only when it is open (`#moveTo`), so a planned move costs no
 * gap; an unplanned end goes through `#lost`, and then attempts with full jitter until stopped or refused.
 *
 * `#run` counts what makes attempts under way obsolete: stop, loss, a new attempt. Whoever awaited compares it before going on.
 */
export class Connection {
  state: ConnectionState;
  #link: Link | undefined;
  #run = 0;
  #rung = 0;
  #connectedOnce = false;
  #openedAt = 0;
  #earlyBreaks = 0;
  #refusals = 0;
  #probes = 0;
  #moving = false;
  #movedAt = 0;
  readonly #retry: Timer;
  readonly #renewal: Timer;
  readonly #probe: Timer;
  readonly #farewell: Timer;
  /** By the node that it is connected to: that it closes the connection then says nothing of the transport. */
  #toldToGo = false;
  readonly #heartbeat: Heartbeat;
  #stopListening = () => {};

  constructor(private readonly options: ConnectionOptions) {
    const { clock, environment } = options;
    [this.#retry, this.#renewal, this.#probe, this.#farewell] = [new Timer(clock), new Timer(clock), new Timer(clock), new Timer(clock)];
    this.#heartbeat = new Heartbeat({
      clock,
      isVisible: environment.isVisible,
      measured: roundTripMs => this.#set({ roundTripMs }),
      dead: link => {
        if (link !== this.#link) return;
        this.#lost(new RealtimeError(disconnected, "The hub does not answer."));
      },
    });
    this.state = {
      status: "disconnected",
      transport: undefined,
      roundTripMs: undefined,
      since: clock.now(),
      nextRetryAt: undefined,
      attempt: 0,
      error: undefined,
    };
  }

  get link(): Link | undefined {
    return this.#link;
  }

  start(): void {
    if (this.state.status !== "disconnected" && this.state.status !== "closed") return;
    this.#stopListening = this.options.environment.onWake(() => this.#wake());
    [this.#connectedOnce, this.#refusals, this.#earlyBreaks, this.#rung] = [false, 0, 0, 0];
    this.#set({ attempt: 0, error: undefined });
    void this.#connect();
  }

  async stop(): Promise<void> {
    await this.#end("disconnected", undefined);
  }

  /** The node takes its leave: another link is opened at the time that it gave this client, a little before it closes this one. */
  goodbye(retryAfterMs: number): void {
    this.#toldToGo = true;
    this.#farewell.set(retryAfterMs, () => void this.#moveTo(this.#rung + 1));
  }

  heard(): void {
    this.#heartbeat.heard();
  }

  async #connect(): Promise<void> {
    const run = ++this.#run;
    this.#retry.clear();
    this.#set({ status: this.#connectedOnce ? "reconnecting" : "connecting", transport: undefined, roundTripMs: undefined, nextRetryAt: undefined });
    let failure: RealtimeError;
    try {
      const token = await this.#inTime(this.options.tokens.fresh());
      if (run !== this.#run) return;
      const result = await this.#climbDown(run, this.#rung, this.options.transports.length);
      if (result === undefined || result === "obsolete") return;
      failure = result;
      if (isRefusal(failure)) return this.#refused(run, failure, token);
    } catch (error) {
      if (run !== this.#run) return;
      failure = toRealtimeError(error);
      if (isRefusal(failure)) return void this.#end("closed", failure);
    }
    this.#rung = 0;
    this.#wait(failure);
  }

  /** Tries the rungs in turn. Undefined: connected. */
  async #climbDown(run: number, from: number, to: number): Promise<RealtimeError | "obsolete" | undefined> {
    let failure = new RealtimeError(disconnected, "There is no transport.");
    for (let rung = from; rung < to; rung++) {
      const transport = this.options.transports[rung] as Transport;
      const link = this.options.open(transport, () => this.options.tokens.current);
      let ended = false;
      link.onClose(error => {
        ended = true;
        if (link === this.#link) this.#lost(toRealtimeError(error ?? new RealtimeError(disconnected, "The connection was closed.")));
      });
      this.options.prepare(link);
      try {
        await this.#inTime(link.start());
        if (ended) throw new RealtimeError(disconnected, "The connection was closed at once.");
        if (run !== this.#run) {
          discard(link);
          return "obsolete";
        }
        this.#adopt(link, rung);
        return undefined;
      } catch (error) {
        discard(link);
        if (run !== this.#run) return "obsolete";
        failure = toRealtimeError(error);
        // No transport helps against a refusal, nor where a node takes no connections for the moment, and hardly one where the hub itself is away. HTTP polling
        // is tried after a while all the same where nobody answers: the hub's address alone may be blocked.
        if (isRefusal(failure)) return failure;
        if (isNegotiation(failure) && (this.state.attempt < 2 || isPause(failure))) return failure;
        if (isNegotiation(failure)) rung = Math.max(rung, this.options.transports.indexOf("polling") - 1);
      }
    }
    return failure;
  }

  #adopt(link: Link, rung: number): void {
    const before = this.#link;
    this.#link = link;
    this.#rung = rung;
    this.#connectedOnce = true;
    this.#openedAt = this.#movedAt = this.options.clock.now();
    this.#farewell.clear();
    this.#toldToGo = false;
    this.#set({ status: "connected", transport: this.options.transports[rung], roundTripMs: undefined, nextRetryAt: undefined, error: undefined });
    this.#scheduleRenewal();
    this.#scheduleProbe();
    // First, so that its answer does not stand behind those of Subscribe.
    this.#heartbeat.start(link);
    this.options.opened(link);
    if (before) discard(before);
  }

  #lost(error: RealtimeError): void {
    const link = this.#link;
    if (!link) return;
    this.#link = undefined;
    this.#run++;
    discard(link);
    this.#quiet();
    this.options.closed();
    if (this.options.clock.now() - this.#openedAt >= provenAfterMs) {
      [this.#earlyBreaks, this.#refusals] = [0, 0];
      this.#set({ attempt: 0 });
    } else if (!this.#toldToGo && ++this.#earlyBreaks >= mostEarlyBreaks && this.#rung < this.options.transports.length - 1) {
      // It opens and does not hold: the next transport may. A probe will find out when it does again.
      this.#earlyBreaks = 0;
      this.#rung++;
    }
    if (isRefusal(error)) void this.#refused(this.#run, error, this.options.tokens.current);
    else this.#wait(error);
  }

  /** Only another token can help; when there is none, it is over. */
  async #refused(run: number, error: RealtimeError, refused: string): Promise<void> {
    const another = await this.options.tokens.fresh().catch(() => refused);
    if (run !== this.#run) return;
    if (another !== refused && ++this.#refusals < mostRefusals) this.#wait(error);
    else await this.#end("closed", error);
  }

  #wait(error: RealtimeError): void {
    const { clock } = this.options;
    const pause = backoff(this.state.attempt, clock.random());
    this.#set({ status: "waiting", transport: undefined, roundTripMs: undefined, nextRetryAt: clock.now() + pause, attempt: this.state.attempt + 1, error });
    this.#retry.set(pause, () => void this.#connect());
  }

  #wake(): void {
    if (this.state.status === "waiting") {
      this.#set({ attempt: 0 });
      void this.#connect();
    } else if (this.#link) {
      void this.#heartbeat.beat();
      if (this.#rung > 0 && this.options.clock.now() - this.#movedAt >= firstProbeMs) void this.#moveTo(this.#rung);
    }
  }

  /** Opens another link by a transport before `end`, and lets it take over when it is open. Otherwise all stays as it is. */
  async #moveTo(end: number): Promise<void> {
    if (!this.#link || this.#moving) return;
    this.#moving = true;
    this.#movedAt = this.options.clock.now();
    const run = this.#run;
    try {
      await this.#inTime(this.options.tokens.fresh());
      if (run === this.#run) await this.#climbDown(run, 0, Math.min(end, this.options.transports.length));
    } catch {
      // The link that there is goes on; when it ends, that is seen.
    } finally {
      this.#moving = false;
    }
  }

  #scheduleProbe(): void {
    if (this.#rung === 0) {
      this.#probes = 0;
      return this.#probe.clear();
    }
    this.#probe.set(Math.min(firstProbeMs * 2 ** this.#probes++, lastProbeMs), async () => {
      const run = this.#run;
      await this.#moveTo(this.#rung);
      if (run === this.#run && this.#link && !this.#probe.isSet) this.#scheduleProbe();
    });
  }

  #scheduleRenewal(): void {
    const ms = this.options.tokens.renewInMs();
    if (ms === undefined) this.#renewal.clear();
    else this.#renewal.set(ms, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const link = this.#link;
    if (!link) return;
    try {
      const before = this.options.tokens.current;
      const token = await this.options.tokens.fresh();
      if (link !== this.#link) return;
      if (token !== before) await link.invoke("Renew", token);
    } catch (error) {
      if (link !== this.#link) return;
      const { code } = toRealtimeError(error);
      // Another user's, or one that the hub does not take: a new connection decides.
      if (code === "user_forbidden" || code === "unauthenticated") return this.#lost(new RealtimeError(disconnected, "The token could not be renewed."));
      this.options.report(error, "renewing the token");
    }
    if (link === this.#link) this.#scheduleRenewal();
  }

  async #end(status: "disconnected" | "closed", error: RealtimeError | undefined): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    this.#run++;
    this.#quiet();
    this.#retry.clear();
    this.#stopListening();
    this.#stopListening = () => {};
    if (link) this.options.closed();
    this.#set({ status, transport: undefined, roundTripMs: undefined, nextRetryAt: undefined, error });
    await link?.stop().catch(() => {});
  }

  #quiet(): void {
    this.#heartbeat.stop();
    for (const timer of [this.#renewal, this.#probe, this.#farewell]) timer.clear();
  }

  #inTime<Result>(starting: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const timer = new Timer(this.options.clock);
      timer.set(startWithinMs, () => reject(new RealtimeError(disconnected, "No answer in time.")));
      starting.then(resolve, reject).finally(() => timer.clear());
    });
  }

  #set(change: Partial<ConnectionState>): void {
    const since = change.status && change.status !== this.state.status ? this.options.clock.now() : this.state.since;
    this.state = { ...this.state, ...change, since };
    this.options.changed(this.state);
  }
}

function discard(link: Link): void {
  link.stop().catch(() => {}); // whatever is left of it
}

/** Somebody answered, and asks to come back later. */
function isPause(error: RealtimeError): boolean {
  return error.status === 503 || error.status === 429;
}

function isNegotiation(error: RealtimeError): boolean {
  return /negotiat/i.test(error.message);
}
