import { describe, expect, test } from "vitest";
import type { Transport } from "./link.js";
import { ManualClock } from "./test-kit/manual-clock.js";
import { jwt, setUp } from "./test-kit/setup.js";

const away = () => new Error("fetch failed");
const status = (code: number, body = "") => new Error(`Failed to complete negotiation with the server: Error: ${body}: Status code '${code}'`);

describe("Coming and staying", () => {
  test("States, with a snapshot for each change", async () => {
    const { hub, clock, client, settle } = setUp();
    const seen: string[] = [];
    client.onState(state => seen.push(state.status));
    expect(client.state.status).toBe("disconnected");
    client.start();
    client.start();
    await settle();
    expect(client.state).toMatchObject({ status: "connected", transport: "webSockets", attempt: 0, roundTripMs: 0, since: clock.now() });
    const before = client.state;
    hub.link.cut();
    expect(client.state).toMatchObject({ status: "waiting", nextRetryAt: clock.now() + 250, attempt: 1, transport: undefined });
    expect(client.state).not.toBe(before);
    await clock.advance(250);
    expect(client.state.status).toBe("connected");
    await client.stop();
    expect([...new Set(seen)]).toEqual(["disconnected", "connecting", "connected", "waiting", "reconnecting"]);
    expect(client.state.status).toBe("disconnected");
    expect(clock.waiting).toBe(0);
  });

  test("Tries for ever, with full jitter up to 30 s", async () => {
    const { hub, clock, client, settle } = setUp({ transports: ["webSockets"] });
    hub.refuse = away;
    client.start();
    await settle();
    const pauses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const pause = (client.state.nextRetryAt ?? 0) - clock.now();
      pauses.push(pause);
      await clock.advance(pause);
    }
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, ...Array(6).fill(15_000)]);
    await client.stop();
  });

  test("At once when the page wakes or is online again", async () => {
    const { hub, page, client, settle } = setUp();
    hub.refuse = away;
    client.start();
    await settle();
    hub.refuse = () => undefined;
    page.wake();
    await settle();
    expect(client.state.status).toBe("connected");
  });

  test("Stopped while connecting: the link that opens after all is discarded", async () => {
    const { hub, client, settle } = setUp();
    client.start();
    await Promise.resolve();
    await client.stop();
    await settle();
    expect(client.state.status).toBe("disconnected");
    expect(hub.links.every(link => !link.isOpen)).toBe(true);
  });

  test("A connection that breaks at once does not count as success", async () => {
    const { hub, clock, client } = setUp({ transports: ["webSockets"] });
    client.start();
    await clock.advance(0);
    for (let i = 0; i < 4; i++) {
      hub.link.cut();
      await clock.advance((client.state.nextRetryAt ?? 0) - clock.now());
    }
    expect(client.state.attempt).toBe(4);
    await clock.advance(10_000);
    hub.link.cut();
    expect(client.state.attempt).toBe(1);
  });
});

describe("The hub's farewell", () => {
  test("Another link takes over at the time given, without a gap in the state", async () => {
    const { hub, clock, client, settle } = setUp();
    const got: number[] = [];
    const seen: string[] = [];
    client.subscribe({ app: "app" }, event => void got.push(event.seq));
    client.start();
    await settle();
    client.onState(state => seen.push(state.status));
    const old = hub.link;
    old.say("goodbye", { reason: "draining", retryAfterMs: 3_000 });
    await clock.advance(2_999);
    expect(hub.links).toHaveLength(1);
    hub.publish("app");
    await clock.advance(1);
    hub.publish("app");
    expect(hub.links).toHaveLength(2);
    expect(old.stopped).toBe(true);
    expect(got).toEqual([1, 2]);
    expect(new Set(seen)).toEqual(new Set(["connected"]));
  });
});

describe("Dead connections", () => {
  test("A ping that is not answered in 10 s ends it; the last round trip is told with the next", async () => {
    const { hub, clock, client } = setUp();
    hub.intercept = method => (method === "Ping" ? new Promise(resolve => clock.setTimeout(() => resolve({}), 40)) : undefined);
    client.start();
    await clock.advance(15_100);
    expect(client.state.roundTripMs).toBe(40);
    expect(hub.link.called("Ping")).toEqual([{}, { roundTripMs: 40 }]);
    hub.intercept = method => (method === "Ping" ? new Promise(() => {}) : undefined);
    await clock.advance(14_900);
    const dead = hub.link;
    await clock.advance(9_999);
    expect(dead.stopped).toBe(false);
    dead.say("signal", { app: "app", name: "alive" });
    await clock.advance(9_999);
    expect(dead.stopped).toBe(false);
    await clock.advance(2);
    expect(dead.stopped).toBe(true);
    hub.intercept = () => undefined;
    await clock.advance(1_000);
    expect(client.state.status).toBe("connected");
  });

  test("A hidden page does not ping, and does at once when it is back", async () => {
    const { hub, clock, page, client } = setUp();
    client.start();
    await clock.advance(0);
    page.visible = false;
    await clock.advance(60_000);
    expect(hub.link.called("Ping")).toHaveLength(1);
    page.visible = true;
    page.wake();
    await clock.advance(0);
    expect(hub.link.called("Ping")).toHaveLength(2);
  });

  test("A ping that is refused is an answer", async () => {
    const { hub, clock, client } = setUp();
    hub.intercept = method => (method === "Ping" ? Promise.reject(new Error("HubException: rate_limited: Slower.")) : undefined);
    client.start();
    await clock.advance(60_000);
    expect(hub.links).toHaveLength(1);
  });
});

describe("Tokens", () => {
  test("Renewed a minute before they expire, and fresh for each connection", async () => {
    let n = 0;
    const clock = new ManualClock();
    const { hub, client } = setUp({ clock, token: () => jwt(clock.now() + 600_000, `ada-${n++}`) });
    client.start();
    await clock.advance(539_000);
    expect(hub.link.called("Renew")).toHaveLength(0);
    await clock.advance(1_000);
    expect(hub.link.called("Renew")).toHaveLength(1);
    expect(n).toBe(2);
    hub.link.cut();
    await clock.advance(1_000);
    expect(n).toBe(3);
    expect(new Set(hub.tokens).size).toBe(2);
  });

  test("Another user's token opens another connection", async () => {
    let n = 0;
    const clock = new ManualClock();
    const { hub, client } = setUp({ clock, token: () => jwt(clock.now() + 120_000, `user-${n++}`) });
    hub.intercept = method => (method === "Renew" ? Promise.reject(new Error("HubException: user_forbidden: Another user's.")) : undefined);
    client.start();
    await clock.advance(61_000);
    expect(hub.links.length).toBe(2);
    expect(client.state.status).toBe("connected");
  });

  test("A renewal that fails is reported and tried again", async () => {
    let fails = false;
    const clock = new ManualClock();
    const { client, errors } = setUp({
      clock,
      token: () => {
        if (fails) throw new Error("offline");
        return jwt(clock.now() + 120_000);
      },
    });
    client.start();
    await clock.advance(0);
    fails = true;
    await clock.advance(61_000);
    expect(errors).toEqual(["handler_failed"]);
    expect(client.state.status).toBe("connected");
  });

  test("401 with the same token closes; start tries again", async () => {
    const { hub, clock, client, errors } = setUp();
    hub.refuse = () => status(401);
    client.start();
    await clock.advance(60_000);
    expect(client.state).toMatchObject({ status: "closed", error: { code: "unauthenticated", status: 401 } });
    expect(hub.links).toHaveLength(1);
    expect(errors).toEqual(["unauthenticated"]);
    await expect(client.publish({ source: "app", type: "a.b" })).rejects.toMatchObject({ code: "unauthenticated" });
    hub.refuse = () => undefined;
    client.start();
    await clock.advance(0);
    expect(client.state.status).toBe("connected");
  });

  test("401 with another token to try: tried, but not for ever", async () => {
    let n = 0;
    const { hub, clock, client } = setUp({ token: () => `token-${n++}` });
    hub.refuse = (_, token) => (token === "token-2" ? undefined : status(401));
    client.start();
    await clock.advance(5_000);
    expect(client.state.status).toBe("connected");
    hub.refuse = () => status(403, `{"code":"user_blocked"}`);
    hub.link.cut();
    await clock.advance(60_000);
    expect(client.state).toMatchObject({ status: "closed", error: { code: "user_blocked" } });
  });

  test("A token function that fails is tried again; one that says unauthenticated closes", async () => {
    let error: Error = new Error("offline");
    const { RealtimeError } = await import("./errors.js");
    const { clock, client } = setUp({ token: () => Promise.reject(error) });
    client.start();
    await clock.advance(2_000);
    expect(client.state.attempt).toBeGreaterThan(2);
    error = new RealtimeError("unauthenticated", "Logged out.");
    await clock.advance(30_000);
    expect(client.state.status).toBe("closed");
  });

  test("A connection that the hub ends because the user is blocked closes", async () => {
    const { hub, clock, client } = setUp();
    client.start();
    await clock.advance(20_000);
    hub.link.cut(new Error("Connection closed with an error. HubException: user_blocked: Until tomorrow."));
    await clock.advance(0);
    expect(client.state).toMatchObject({ status: "closed", error: { code: "user_blocked" } });
  });
});

describe("The ladder", () => {
  const only =
    (...good: Transport[]) =>
    (transport: Transport) =>
      good.includes(transport) ? undefined : new Error(`${transport} failed`);

  test("Down to the first that works, and up again when a better one does, without a gap", async () => {
    const { hub, clock, client } = setUp();
    const seen: string[] = [];
    hub.refuse = only("longPolling", "polling");
    client.start();
    await clock.advance(0);
    expect(client.state.transport).toBe("longPolling");
    expect(hub.links.map(link => link.transport)).toEqual(["webSockets", "serverSentEvents", "longPolling"]);
    client.onState(state => seen.push(state.status));
    await clock.advance(60_000);
    expect(hub.links).toHaveLength(5);
    await clock.advance(119_000);
    expect(hub.links).toHaveLength(5);
    hub.refuse = () => undefined;
    await clock.advance(2_000);
    expect(client.state.transport).toBe("webSockets");
    expect(new Set(seen)).toEqual(new Set(["connected"]));
    await clock.advance(3_600_000);
    expect(hub.links).toHaveLength(6);
  });

  test("One that opens and never holds is left after three times", async () => {
    const { hub, clock, client } = setUp();
    client.start();
    await clock.advance(0);
    for (let i = 0; i < 3; i++) {
      hub.link.cut();
      await clock.advance(10_000 - 1);
      if (client.state.status !== "connected") await clock.advance(10_000);
      if (i < 2) {
        expect(client.state.transport).toBe("webSockets");
      }
      await clock.advance(0);
    }
    expect(client.state.transport).toBe("serverSentEvents");
  });

  test("One that hangs is given up after 15 s", async () => {
    const { hub, clock, client } = setUp();
    hub.refuse = transport => (transport === "webSockets" ? "never" : undefined);
    client.start();
    await clock.advance(15_000);
    expect(client.state.transport).toBe("serverSentEvents");
    expect(hub.links[0]?.stopped).toBe(true);
  });

  test("A failed negotiation is not taken for the transport's fault; after two, HTTP polling is tried", async () => {
    const { hub, clock, client } = setUp();
    hub.refuse = transport => (transport === "polling" ? undefined : new Error("Failed to complete negotiation with the server: TypeError: Failed to fetch"));
    client.start();
    await clock.advance(0);
    expect(hub.links.map(link => link.transport)).toEqual(["webSockets"]);
    expect(client.state.error).toMatchObject({ code: "disconnected" });
    await clock.advance(1_000);
    expect(client.state.transport).toBe("polling");
    expect(hub.links.map(link => link.transport)).toEqual(["webSockets", "webSockets", "webSockets", "polling"]);
  });

  test("A node that takes no connections for the moment is asked again, by the same transport", async () => {
    const { hub, clock, client } = setUp();
    hub.refuse = transport => (transport === "polling" ? undefined : status(503));
    client.start();
    await clock.advance(60_000);
    expect(client.state.error).toMatchObject({ code: "unavailable", status: 503 });
    expect(new Set(hub.links.map(link => link.transport))).toEqual(new Set(["webSockets"]));
    hub.refuse = () => undefined;
    await clock.advance(30_000);
    expect(client.state.transport).toBe("webSockets");
  });

  test("A node that closes after its farewell says nothing of the transport, however often that happens", async () => {
    const { hub, clock, client } = setUp();
    client.start();
    await clock.advance(0);
    for (let i = 0; i < 10; i++) {
      hub.link.say("goodbye", { reason: "draining", retryAfterMs: 60_000 });
      hub.link.cut();
      await clock.advance(31_000);
      expect(client.state.transport).toBe("webSockets");
    }
  });
});
