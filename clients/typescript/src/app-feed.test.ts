import { describe, expect, test, vi } from "vitest";
import type { EventBatch, RealtimeEvent, SubscribeRequest } from "./contract.js";
import { memoryCursors } from "./cursor-store.js";
import { FakeHub } from "./test-kit/fake-hub.js";
import { setUp } from "./test-kit/setup.js";

const note = (list: unknown[]) => (event: RealtimeEvent) => void list.push(event.seq);

describe("One subscription for all", () => {
  test("Subscribers of one turn become one Subscribe with the union of topics and interests", async () => {
    const { hub, client, settle } = setUp();
    client.subscribe({ app: "app", type: "mix.*", topic: "b" }, () => {});
    client.subscribe({ app: "app", type: "task.done", topic: "a" }, () => {});
    client.subscribe({ app: "app", type: "task.begun", topic: "a" }, () => {});
    client.subscribe({ app: "other" }, () => {});
    client.start();
    await settle();
    expect(hub.link.called("Subscribe")).toEqual([
      {
        app: "app",
        topics: ["a", "b"],
        interests: [
          { types: ["task.begun", "task.done"], topic: "a" },
          { types: ["mix.*"], topic: "b" },
        ],
      },
      { app: "other" },
    ]);
  });

  test("A subscriber that the union covers asks for nothing; one that it does not asks again with the cursor", async () => {
    const { hub, client, settle } = setUp();
    client.subscribe({ app: "app" }, () => {});
    client.start();
    await settle();
    client.subscribe({ app: "app", type: "task.*" }, () => {});
    await settle();
    expect(hub.link.called("Subscribe")).toHaveLength(1);
    const leave = client.subscribe({ app: "app", topic: "a" }, () => {});
    await settle();
    expect(hub.link.called("Subscribe")[1]).toEqual({ app: "app", topics: ["a"], cursor: { epoch: "epoch-1", streams: { app: 0, "app/users/ada": 0 } } });
    leave();
    client.subscribe({ app: "app", topic: "a" }, () => {});
    await settle();
    expect(hub.link.called("Subscribe")).toHaveLength(2);
  });

  test("Each handler gets its own: by type, topic and filter", async () => {
    const { hub, client, settle } = setUp();
    const got: Record<string, number[]> = { all: [], topic: [], typed: [], filtered: [] };
    client.subscribe({ app: "app" }, note(got.all as number[]));
    client.subscribe({ app: "app", topic: "a" }, note(got.topic as number[]));
    client.subscribe({ app: "app", type: ["x.y", "m.*"] }, note(got.typed as number[]));
    client.subscribe({ app: "app", filters: [{ path: "n", op: "gt", value: 1 }] }, note(got.filtered as number[]));
    client.start();
    await settle();
    hub.publish("app", { n: 1 }, "x.y");
    hub.publish("app", { n: 2 }, "m.z");
    hub.publish("app", { n: 3 }, "other.z");
    hub.publish("app/topics/a", { n: 3 }, "x.y");
    await settle();
    expect(got).toEqual({ all: [1, 2, 3], topic: [1], typed: [1, 2], filtered: [2, 3] });
  });

  test("The last to leave ends it, and who joins later starts at from", async () => {
    const { hub, client, settle } = setUp();
    const got: number[] = [];
    const leave = client.subscribe({ app: "app" }, note(got));
    client.start();
    await settle();
    hub.publish("app");
    leave();
    await settle();
    expect(hub.link.called("Unsubscribe")).toEqual(["app"]);
    hub.publish("app");
    client.subscribe({ app: "app" }, note(got));
    await settle();
    hub.publish("app");
    expect(got).toEqual([1, 3]);
    client.subscribe({ app: "app", topic: "a", from: "start" }, () => {});
    await settle();
    expect((hub.link.called("Subscribe").at(-1) as SubscribeRequest).from).toBe("start");
    hub.link.cut();
    client.subscribe({ app: "app", topic: "b", from: "2026-01-02T00:00:00Z" }, () => {});
    client.subscribe({ app: "app", topic: "c", from: "2026-01-01T00:00:00Z" }, () => {});
  });

  test("More interests than the hub takes become everything, and are told apart here", async () => {
    const { hub, client, settle } = setUp();
    const got: number[] = [];
    for (let i = 0; i < 51; i++) client.subscribe({ app: "app", filters: [{ path: "n", op: "eq", value: i }] }, note(got));
    client.start();
    await settle();
    expect(hub.link.called("Subscribe")).toEqual([{ app: "app" }]);
    hub.publish("app", { n: 7 });
    hub.publish("app", { n: 77 });
    expect(got).toEqual([1]);
  });
});

describe("The chain", () => {
  test("Batches before the answer, also after a reset to lower positions", async () => {
    const store = memoryCursors();
    store.save("app", { epoch: "old", streams: { app: 50 } });
    const { hub, client, settle } = setUp({ cursors: store });
    const order: string[] = [];
    hub.publish("app");
    client.subscribe({ app: "app" }, event => void order.push(`event ${event.seq}`), { onReset: reason => void order.push(`reset ${reason}`) });
    hub.intercept = (method, _, link) => {
      if (method !== "Subscribe") return undefined;
      link.say("events", { app: "app", subscription: 1, stream: "app", after: 1, through: 2, events: [event(2)] });
      return Promise.resolve({ app: "app", subscription: 1, epoch: "new", streams: { app: 1 }, reset: true });
    };
    client.start();
    await settle();
    expect(order).toEqual(["reset cursor", "event 2"]);
  });

  test("A batch of an older number that comes after the answer is ignored", async () => {
    const { hub, client, settle } = setUp();
    const got: number[] = [];
    client.subscribe({ app: "app", type: "x.y" }, () => {});
    client.start();
    await settle();
    hub.manual = true;
    client.subscribe({ app: "app", type: "c.d" }, note(got));
    await settle();
    hub.publish("app", {}, "c.d");
    hub.link.serve();
    hub.link.delay();
    while (hub.link.step()) await settle();
    expect(got).toEqual([1]);
  });

  test("Who joins while a Subscribe is under way gets what is published from then on, and is told when the hub has it", async () => {
    const { hub, client, settle } = setUp();
    const order: string[] = [];
    hub.manual = true;
    client.subscribe({ app: "app", type: "x.y", from: "start" }, () => {}, { onReady: () => void order.push("first") });
    client.start();
    await settle();
    client.subscribe({ app: "app", type: "c.d" }, event => void order.push(`event ${event.seq}`), { onReady: () => void order.push("second") });
    hub.publish("app", {}, "c.d");
    while (hub.link.step()) await settle();
    client.subscribe({ app: "app", type: "c.d" }, () => {}, { onReady: () => void order.push("third") });
    await settle();
    expect(order).toEqual(["first", "second", "event 1", "third"]);
  });

  test("A gap that asking again does not close is asked for with growing pauses", async () => {
    const { hub, clock, client, settle } = setUp();
    client.subscribe({ app: "app" }, () => {});
    client.start();
    await settle();
    const gap = () =>
      hub.link.say("events", { app: "app", subscription: hub.link.subscription("app")?.number ?? 0, stream: "app", after: 7, through: 8, events: [] });
    for (let i = 0; i < 20; i++) {
      gap();
      await settle();
    }
    expect(hub.link.called("Subscribe").length).toBe(2);
    await clock.advance(500);
    expect(hub.link.called("Subscribe").length).toBe(3);
    gap();
    await clock.advance(500);
    expect(hub.link.called("Subscribe").length).toBe(3);
    await clock.advance(500);
    expect(hub.link.called("Subscribe").length).toBe(4);
  });

  test("What waits for slow handlers is bounded, and the rest is fetched afterwards", async () => {
    const { hub, clock, client, settle } = setUp();
    const got: number[] = [];
    const done: (() => void)[] = [];
    client.subscribe({ app: "app" }, event => new Promise<void>(resolve => done.push(resolve)).then(() => void got.push(event.seq)));
    client.start();
    await settle();
    for (let i = 0; i < 6_000; i++) hub.publish("app");
    expect(hub.link.called("Subscribe")).toHaveLength(1);
    while (done.length > 0) {
      done.shift()?.();
      await Promise.resolve();
      if (done.length === 0) await settle();
    }
    await clock.advance(5_000);
    expect(got.length).toBe(6_000);
    expect(new Set(got).size).toBe(6_000);
    expect(hub.link.called("Subscribe")).toHaveLength(2);
  });

  test("A handler that fails is reported, stops nobody, and does not hold the cursor", async () => {
    const store = memoryCursors();
    const { hub, clock, client, errors, settle } = setUp({ cursors: store });
    const got: number[] = [];
    client.subscribe({ app: "app" }, () => {
      throw new Error("mine");
    });
    client.subscribe({ app: "app" }, () => Promise.reject(new Error("also mine")));
    client.subscribe({ app: "app" }, note(got));
    client.start();
    await settle();
    hub.publish("app");
    hub.publish("app");
    await clock.advance(1_500);
    expect(got).toEqual([1, 2]);
    expect(errors).toEqual(Array(4).fill("handler_failed"));
    expect((await store.load("app"))?.streams.app).toBe(2);
  });
});

describe("Reset", () => {
  test("The hub's reset: asked anew without a cursor and without from, told once after the answer", async () => {
    const { hub, client, settle } = setUp();
    const order: string[] = [];
    client.subscribe({ app: "app", from: "start" }, event => void order.push(`event ${event.seq}`), { onReset: reason => void order.push(reason) });
    client.start();
    await settle();
    hub.publish("app");
    hub.intercept = method => {
      if (method === "Subscribe") order.push("asked");
      return undefined;
    };
    hub.link.reset("app", "retention");
    await settle();
    hub.publish("app");
    await settle();
    expect(order).toEqual(["event 1", "asked", "retention", "event 2"]);
    expect(hub.link.called("Subscribe")[1]).toEqual({ app: "app" });
  });

  test("A reset while a Subscribe is under way: its answer is not used", async () => {
    const { hub, client, settle } = setUp();
    const resets: string[] = [];
    client.subscribe({ app: "app" }, () => {}, { onReset: reason => void resets.push(reason) });
    client.start();
    await settle();
    hub.manual = true;
    client.subscribe({ app: "app", topic: "a" }, () => {});
    await settle();
    hub.link.outgoing.unshift({ kind: "call", method: "reset", message: { app: "app", reason: "access" } });
    while (hub.link.step()) await settle();
    expect(hub.link.called("Subscribe").at(-1)).toEqual({ app: "app", topics: ["a"] });
    expect(resets).toEqual(["access"]);
  });

  test("A reset that is cut off before its answer is told after the next", async () => {
    const { hub, clock, client, settle } = setUp();
    const resets: string[] = [];
    client.subscribe({ app: "app" }, () => {}, { onReset: reason => void resets.push(reason) });
    client.start();
    await settle();
    hub.manual = true;
    hub.link.say("reset", { app: "app", reason: "retention" });
    hub.link.step();
    await settle();
    hub.link.cut();
    hub.manual = false;
    await clock.advance(1_000);
    expect(resets).toEqual(["retention"]);
  });
});

describe("Refused", () => {
  test("Whom the pointers name is told; the others go on where they were", async () => {
    const { hub, clock, client, settle } = setUp();
    const got: number[] = [];
    const refused: string[] = [];
    client.subscribe({ app: "app" }, note(got));
    client.start();
    await settle();
    hub.intercept = (method, argument) => {
      if (method !== "Subscribe" || !(argument as SubscribeRequest).topics?.includes("vip")) return undefined;
      hub.publish("app");
      return Promise.reject(new Error(`HubException: topic_forbidden: No access. {"/topics/0":["The token gives no access."]}`));
    };
    client.subscribe({ app: "app", topic: "vip" }, () => {}, { onError: error => void refused.push(`${error.code} ${error.message}`) });
    await settle();
    expect(refused).toEqual(["topic_forbidden No access."]);
    expect(got).toEqual([1]);
    hub.intercept = () => undefined;
    hub.link.cut();
    await clock.advance(1_000);
    expect((hub.link.called("Subscribe")[0] as SubscribeRequest).topics).toEqual(["vip"]);
  });

  test("A passing fault is asked again; a refused app is told to the client", async () => {
    const { hub, clock, client, errors, settle } = setUp();
    const got: number[] = [];
    let code = "unavailable";
    hub.intercept = method => (method === "Subscribe" && code !== "" ? Promise.reject(new Error(`HubException: ${code}: No.`)) : undefined);
    client.subscribe({ app: "app" }, note(got));
    client.start();
    await settle();
    await clock.advance(2_000);
    expect(hub.link.called("Subscribe").length).toBeGreaterThan(1);
    code = "";
    await clock.advance(30_000);
    hub.publish("app");
    expect(got).toEqual([1]);
    code = "app_forbidden";
    client.subscribe({ app: "other" }, () => {});
    await settle();
    expect(errors).toEqual(["app_forbidden"]);
  });
});

test("A cursor that the hub cannot read is dropped, which is a reset", async () => {
  const resets: string[] = [];
  const { hub, clock, client, errors } = setUp({ cursors: { ...memoryCursors(), load: () => ({ epoch: "e", streams: { app: -1 } }) } });
  hub.intercept = (method, argument) =>
    method === "Subscribe" && (argument as SubscribeRequest).cursor
      ? Promise.reject(new Error(`HubException: invalid: Wrong. {"/cursor":["Must be {epoch, streams} with positions of 0 or more."]}`))
      : undefined;
  client.subscribe({ app: "app" }, () => {}, { onReset: reason => void resets.push(reason) });
  client.start();
  await clock.advance(2_000);
  expect(resets).toEqual(["cursor"]);
  expect(errors).toEqual([]);
});

describe("Cursor and acknowledgements", () => {
  test("Saved at most once a second, at once when the page hides, and loaded by the next page", async () => {
    const store = memoryCursors();
    const save = vi.spyOn(store, "save");
    const { hub, clock, page, client, settle } = setUp({ cursors: store });
    client.subscribe({ app: "app" }, () => {});
    client.start();
    await settle();
    await clock.advance(1_000);
    expect(save).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 10; i++) hub.publish("app");
    await clock.advance(999);
    expect(save).toHaveBeenCalledTimes(1);
    page.hide();
    expect(save).toHaveBeenLastCalledWith("app", { epoch: "epoch-1", streams: { app: 10, "app/users/ada": 0 } });
    const next = setUp({ cursors: store }, hub);
    const got: number[] = [];
    hub.publish("app");
    next.client.subscribe({ app: "app" }, note(got));
    next.client.start();
    await settle();
    expect(got).toEqual([11]);
  });

  test("Acknowledged cumulatively once a second, and at once on stop", async () => {
    const { hub, clock, client, settle } = setUp();
    client.subscribe({ app: "app" }, () => {});
    client.start();
    await settle();
    const { link } = hub;
    for (let i = 0; i < 5; i++) hub.publish("app");
    await settle();
    expect(link.called("Ack")).toEqual([]);
    await clock.advance(1_000);
    expect(link.called("Ack")).toEqual([{ app: "app", streams: { app: 5 } }]);
    hub.publish("app");
    await client.stop();
    expect(link.called("Ack")[1]).toEqual({ app: "app", streams: { app: 6 } });
    expect(link.stopped).toBe(true);
  });

  test("clear forgets positions, also those of handlers that are still busy", async () => {
    const store = memoryCursors();
    const { hub, clock, client, settle } = setUp({ cursors: store });
    let finish = () => {};
    client.subscribe({ app: "app" }, () => new Promise<void>(resolve => (finish = resolve)));
    client.start();
    await settle();
    hub.publish("app");
    await clock.advance(1_000);
    expect(await store.load("app")).toBeDefined();
    await client.clear();
    finish();
    await clock.advance(5_000);
    expect(await store.load("app")).toBeUndefined();
    hub.publish("app");
    client.start();
    await settle();
    expect(hub.link.called("Subscribe")).toEqual([{ app: "app" }]);
  });

  test("A store that fails is reported and stops nothing", async () => {
    const fail = () => {
      throw new Error("full");
    };
    const { hub, clock, client, errors, settle } = setUp({ cursors: { load: fail, save: fail, remove: fail, clear: fail } });
    const got: number[] = [];
    client.subscribe({ app: "app" }, note(got));
    client.start();
    await settle();
    hub.publish("app");
    await clock.advance(1_000);
    expect(got).toEqual([1]);
    expect(errors.length).toBe(2);
  });
});

test("What an older link still says is of no account", async () => {
  const hub = new FakeHub();
  const { clock, client, settle } = setUp({}, hub);
  const got: number[] = [];
  client.subscribe({ app: "app" }, note(got));
  client.start();
  await settle();
  const old = hub.link;
  old.cut();
  await clock.advance(1_000);
  old.isOpen = true;
  old.say("events", { app: "app", subscription: 1, stream: "app", after: 0, through: 1, events: [event(1)] });
  expect(got).toEqual([]);
});

function event(seq: number): EventBatch["events"][number] {
  return { id: String(seq), source: "app", app: "app", type: "a.b", data: {}, stream: "app", seq, actor: "x", time: "", recordedAt: "" };
}
