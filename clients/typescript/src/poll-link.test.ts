import { describe, expect, test } from "vitest";
import { RealtimeClient, type RealtimeOptions } from "./client.js";
import type { RealtimeEvent } from "./contract.js";
import { FakeHub } from "./test-kit/fake-hub.js";
import { ManualClock, settle } from "./test-kit/manual-clock.js";
import { FakePage } from "./test-kit/setup.js";

interface PollBody {
  app: string;
  topics?: string[];
  cursor?: { epoch: string; streams: Record<string, number> };
  from?: string;
  waitSeconds: number;
  limit: number;
}

/** The poll of the service, over the logs of a fake hub. */
function pollOnly(more: Partial<RealtimeOptions> = {}) {
  const hub = new FakeHub();
  const clock = new ManualClock();
  const requests: { path: string; body?: PollBody }[] = [];
  let answer: (path: string, body: PollBody | undefined) => Response | Error | undefined = () => undefined;
  const waiting = new Set<() => void>();
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const path = String(input).replace("http://hub/api/v1/", "");
    const body = init?.body ? (JSON.parse(String(init.body)) as PollBody) : undefined;
    requests.push({ path, ...(body && { body }) });
    const own = answer(path, body);
    if (own instanceof Error) throw own;
    if (own) return own;
    if (path !== "events/poll" || !body) return Response.json({ path, ...body });
    const names = [body.app, `${body.app}/users/ada`, ...(body.topics ?? []).map(topic => `${body.app}/topics/${topic}`)];
    const positions = Object.fromEntries(names.map(name => [name, body.cursor?.streams[name] ?? (body.from === "start" ? 0 : hub.head(name))]));
    const read = () => names.flatMap(name => hub.read(name, positions[name] ?? 0, body.limit));
    const honoured = !body.cursor || names.every(name => hub.isKept(name, positions[name] ?? 0));
    if (honoured && read().length === 0 && body.waitSeconds > 0)
      await new Promise<void>((resolve, reject) => {
        init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
        clock.setTimeout(resolve, body.waitSeconds * 1_000);
        waiting.add(resolve);
      });
    const events = honoured ? read() : [];
    const after = Object.fromEntries(
      names.map(name => [name, honoured ? (events.findLast(event => event.stream === name)?.seq ?? positions[name]) : hub.head(name)]),
    );
    return Response.json({ events, cursor: { epoch: hub.epoch, streams: after }, reset: !honoured });
  };
  const publish = async (stream: string) => {
    hub.publish(stream);
    for (const wake of waiting) wake();
    await settle();
    await settle();
  };
  const client = new RealtimeClient({
    url: "http://hub",
    token: () => "token",
    transports: ["polling"],
    fetch: fetch as typeof globalThis.fetch,
    clock,
    environment: new FakePage(),
    ...more,
  });
  const errors: string[] = [];
  client.onError(error => errors.push(error.code));
  return {
    hub,
    clock,
    client,
    requests,
    errors,
    publish,
    answerWith: (next: typeof answer) => (answer = next),
    polls: () => requests.filter(one => one.path === "events/poll"),
  };
}

async function start(world: ReturnType<typeof pollOnly>) {
  world.client.start();
  await world.clock.advance(0);
  await world.clock.advance(0);
}

describe("HTTP polling", () => {
  test("Held requests bring events in order, from the start or from the cursor", async () => {
    const world = pollOnly();
    const got: string[] = [];
    world.hub.publish("app");
    world.hub.publish("app/topics/a");
    const note = (event: RealtimeEvent) => void got.push(`${event.stream} ${event.seq}`);
    world.client.subscribe({ app: "app", from: "start" }, note);
    world.client.subscribe({ app: "app", topic: "a", from: "start" }, note);
    await start(world);
    expect(world.client.state.transport).toBe("polling");
    expect(got).toEqual(["app 1", "app/topics/a 1"]);
    await world.publish("app");
    expect(got.at(-1)).toBe("app 2");
    expect(world.polls().map(({ body }) => body?.waitSeconds)).toEqual([0, 25, 25]);
    world.client.subscribe({ app: "app", topic: "b" }, note);
    await world.clock.advance(0);
    expect(world.polls().at(-2)?.body).toMatchObject({ topics: ["a", "b"], waitSeconds: 0, cursor: { streams: { app: 2, "app/topics/a": 1 } } });
    await world.publish("app");
    expect(got.filter(text => text === "app 3")).toHaveLength(1);
    await world.client.stop();
    expect(world.errors).toEqual([]);
  });

  test("Where held requests are cut, it asks at intervals", async () => {
    const world = pollOnly();
    const got: number[] = [];
    world.client.subscribe({ app: "app" }, event => void got.push(event.seq));
    world.answerWith((path, body) => (path === "events/poll" && (body?.waitSeconds ?? 0) > 0 ? new Error("cut") : undefined));
    await start(world);
    const before = world.polls().length;
    world.hub.publish("app");
    await world.clock.advance(22_500);
    expect(got).toEqual([1]);
    await world.clock.advance(45_000);
    expect(world.polls().length - before).toBeLessThanOrEqual(5);
    expect(world.polls().at(-1)?.body?.waitSeconds).toBe(0);
    expect(world.client.state.status).toBe("connected");
    await world.client.stop();
  });

  test("A reset, before and while polling", async () => {
    const world = pollOnly({ cursors: { load: () => ({ epoch: "epoch-1", streams: { app: 7 } }), save: () => {}, remove: () => {}, clear: () => {} } });
    const resets: string[] = [];
    world.client.subscribe({ app: "app" }, () => {}, { onReset: reason => void resets.push(reason) });
    await start(world);
    expect(resets).toEqual(["cursor"]);
    let once = true;
    world.answerWith(path => {
      if (path !== "events/poll" || !once) return undefined;
      once = false;
      return Response.json({ events: [], cursor: { epoch: "epoch-1", streams: { app: 0 } }, reset: true });
    });
    await world.clock.advance(26_000);
    expect(world.polls().at(-2)?.body?.cursor).toBeUndefined();
    expect(resets).toEqual(["cursor", "cursor"]);
    await world.client.stop();
  });

  test("Lost access ends the subscription with what is refused; an outage ends the connection", async () => {
    const world = pollOnly();
    const refused: string[] = [];
    world.client.subscribe({ app: "app" }, () => {}, { onError: error => void refused.push(error.code) });
    await start(world);
    world.answerWith(path => (path === "events/poll" ? Response.json({ code: "app_forbidden", detail: "No." }, { status: 403 }) : undefined));
    await world.clock.advance(26_000);
    expect(refused).toEqual(["app_forbidden"]);
    expect(world.client.state.status).toBe("connected");
    world.answerWith(() => undefined);
    world.client.subscribe({ app: "other" }, () => {});
    await world.clock.advance(0);
    world.answerWith(() => Response.json({ code: "unavailable" }, { status: 503 }));
    await world.clock.advance(25_000);
    expect(["waiting", "reconnecting"]).toContain(world.client.state.status);
    world.answerWith(() => undefined);
    await world.clock.advance(60_000);
    expect(world.client.state.status).toBe("connected");
    await world.client.stop();
  });

  test("Publishes and marks by HTTP; signals need a hub", async () => {
    const world = pollOnly();
    world.client.subscribe({ app: "app" }, () => {});
    await start(world);
    expect(await world.client.publish({ source: "app", type: "a.b", id: "1" })).toMatchObject({ path: "events", id: "1" });
    world.answerWith(path => (path.startsWith("notifications/") ? Response.json({ app: "app", total: 1 }) : undefined));
    expect(await world.client.markNotifications(["n1", "n2"], "archived")).toMatchObject({ total: 1 });
    expect(world.requests.slice(-3).map(one => one.path)).toEqual(["notifications/n1/archive", "notifications/n2/archive", "notifications/counts?app=app"]);
    await expect(world.client.signal({ app: "app", name: "typing", data: null })).rejects.toMatchObject({ code: "not_supported" });
    world.client.presence({ app: "app" }, () => {});
    await world.clock.advance(0);
    expect(world.errors).toEqual(["not_supported"]);
    await world.client.stop();
  });

  test("A token that is refused ends the connection, not the subscription", async () => {
    const world = pollOnly();
    const got: number[] = [];
    world.client.subscribe({ app: "app", from: "start" }, event => void got.push(event.seq));
    world.hub.publish("app");
    world.answerWith(path => (path === "events/poll" ? Response.json({ code: "unauthenticated" }, { status: 401 }) : undefined));
    await start(world);
    await world.clock.advance(0);
    expect(world.client.state).toMatchObject({ status: "closed", error: { code: "unauthenticated" } });
    world.answerWith(() => undefined);
    await start(world);
    expect(got).toEqual([1]);
    await world.client.stop();
  });

  test("A refusal by HTTP has its code, status and faults", async () => {
    const world = pollOnly();
    world.client.subscribe({ app: "app" }, () => {});
    await start(world);
    world.answerWith(path => (path === "events" ? Response.json({ code: "schema_violation", errors: { "/data": ["No."] } }, { status: 422 }) : undefined));
    await expect(world.client.publish({ source: "app", type: "a.b" })).rejects.toMatchObject({
      code: "schema_violation",
      status: 422,
      errors: { "/data": ["No."] },
    });
    await world.client.stop();
  });
});
