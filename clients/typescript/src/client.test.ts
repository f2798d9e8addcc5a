import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { RealtimeClient } from "./client.js";
import type { PresenceSnapshot } from "./presence.js";
import { setUp } from "./test-kit/setup.js";

interface Events {
  "mix.published": { mixId: string };
  "mix.track.added": { trackId: string };
  "task.completed": { taskId: string };
}

describe("Types", () => {
  test("A type's data, a pattern's union, and no other types", () => {
    const { client } = setUp<Events>();
    client.subscribe({ app: "app", type: "mix.published" }, event => expectTypeOf(event.data).toEqualTypeOf<{ mixId: string }>());
    client.subscribe({ app: "app", type: "mix.*" }, event => {
      expectTypeOf(event.type).toEqualTypeOf<"mix.published" | "mix.track.added">();
      if (event.type === "mix.track.added") expectTypeOf(event.data).toEqualTypeOf<{ trackId: string }>();
    });
    client.subscribe({ app: "app", type: "mix.track.*" }, event => expectTypeOf(event.type).toEqualTypeOf<"mix.track.added">());
    client.subscribe({ app: "app", type: ["mix.published", "task.*"] }, event => expectTypeOf(event.type).toEqualTypeOf<"mix.published" | "task.completed">());
    client.subscribe({ app: "app" }, event => expectTypeOf<"task.completed">().toExtend<typeof event.type>());
    client.subscribe({ app: "app", type: "notification.created" }, event => expectTypeOf(event.data.counts.unread).toEqualTypeOf<number>());
    // @ts-expect-error It is not in the map.
    client.subscribe({ app: "app", type: "mix.unknown" }, () => {});
    // @ts-expect-error Nothing in the map begins so.
    client.subscribe({ app: "app", type: "room.*" }, () => {});
    // @ts-expect-error Its data has a mixId.
    const wrong = () => client.publish({ source: "app", type: "mix.published", data: { trackId: "1" } });
    expect(wrong).toBeTypeOf("function");
    setUp().client.subscribe({ app: "app", type: "any.thing" }, event => expectTypeOf(event.type).toEqualTypeOf<string>());
  });
});

describe("Publishing", () => {
  test("Over a cut it is repeated with the same id", async () => {
    const { hub, clock, client, settle } = setUp();
    client.start();
    await settle();
    hub.manual = true;
    const receipt = client.publish({ source: "app", type: "a.b" });
    await settle();
    hub.link.serve(); // it is done, and the answer is lost
    hub.link.cut();
    hub.manual = false;
    await clock.advance(3_000);
    await expect(receipt).resolves.toMatchObject({ seq: 2 });
    const ids = hub.links.flatMap(link => link.called("Publish")).map(draft => (draft as { id: string }).id);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("A refusal is not repeated; without a connection it waits half a minute", async () => {
    const { hub, clock, client, settle } = setUp();
    await expect(client.publish({ source: "app", type: "a.b" })).rejects.toMatchObject({ code: "disconnected" });
    client.start();
    await settle();
    hub.intercept = method =>
      method === "Publish"
        ? Promise.reject(new Error("An unexpected error occurred invoking 'Publish' on the server. HubException: id_reused: Other content."))
        : undefined;
    await expect(client.publish({ source: "app", type: "a.b", id: "1" })).rejects.toMatchObject({ code: "id_reused", message: "Other content." });
    hub.refuse = () => new Error("fetch failed");
    hub.link.cut();
    const late = vi.fn();
    client.publish({ source: "app", type: "a.b" }).catch(late);
    await clock.advance(29_000);
    expect(late).not.toHaveBeenCalled();
    await clock.advance(2_000);
    expect(late.mock.calls[0]?.[0]).toMatchObject({ code: "disconnected" });
    await client.stop();
  });

  test("Notifications are marked", async () => {
    const { hub, client, settle } = setUp();
    client.start();
    await settle();
    hub.intercept = method => (method === "MarkNotifications" ? Promise.resolve({ total: 1, unread: 0, unseen: 0, rev: 4 }) : undefined);
    expect(await client.markNotifications(["n1"], "read")).toMatchObject({ rev: 4 });
    expect(hub.link.called("MarkNotifications")).toEqual([{ ids: ["n1"], state: "read" }]);
  });
});

describe("Signals", () => {
  test("Sent once, and heard by app, topic and name without asking for events", async () => {
    const { hub, client, settle, errors } = setUp();
    await expect(client.signal({ app: "app", name: "typing", data: null })).rejects.toMatchObject({ code: "disconnected" });
    const heard: string[] = [];
    const leave = client.onSignal({ app: "app", topic: "a", name: "typing" }, signal => void heard.push(signal.from));
    client.onSignal({ app: "app" }, () => {
      throw new Error("mine");
    });
    client.start();
    await settle();
    expect(hub.link.called("Subscribe")).toEqual([{ app: "app", topics: ["a"], interests: [{ types: ["oriva.client.nothing"] }] }]);
    await client.signal({ app: "app", topic: "a", name: "typing", data: null });
    const signal = { app: "app", topic: "a", from: "bob", name: "typing", data: null, at: "" };
    hub.link.say("signal", signal);
    hub.link.say("signal", { ...signal, name: "other" });
    hub.link.say("signal", { ...signal, topic: null });
    expect(heard).toEqual(["bob"]);
    expect(errors).toEqual(["handler_failed"]);
    leave();
    hub.link.say("signal", signal);
    expect(heard).toEqual(["bob"]);
    hub.intercept = method => (method === "Signal" ? Promise.reject(new Error("HubException: topic_forbidden: No.")) : undefined);
    await expect(client.signal({ app: "app", name: "typing", data: null })).rejects.toMatchObject({ code: "topic_forbidden" });
  });
});

describe("Presence", () => {
  test("Asked when the hub has the subscription, kept by signals, asked again on the next connection", async () => {
    const { hub, clock, client, settle } = setUp();
    const user = (userId: string) => ({ userId, connections: 1, since: "" });
    hub.intercept = method => (method === "Presence" ? Promise.resolve({ users: [user("ada")], total: 1 }) : undefined);
    const seen: string[] = [];
    const note = ({ users, total }: PresenceSnapshot) => void seen.push(`${users.map(one => one.userId)} ${total}`);
    const leave = client.presence({ app: "app", topic: "a" }, note);
    client.start();
    await settle();
    hub.link.say("signal", { app: "app", topic: "a", from: "oriva", name: "presence", data: { joined: [user("bob")], left: ["ada"], total: 1 }, at: "" });
    hub.link.say("signal", { app: "app", topic: "a", from: "eve", name: "presence", data: { joined: [user("eve")], left: [], total: 2 }, at: "" });
    hub.link.say("signal", { app: "app", from: "oriva", name: "presence", data: { joined: [user("all")], left: [], total: 2 }, at: "" });
    expect(seen).toEqual(["ada 1", "bob 1"]);
    expect(hub.link.called("Presence")).toEqual([{ app: "app", topic: "a" }]);
    hub.link.cut();
    await clock.advance(1_000);
    expect(seen).toEqual(["ada 1", "bob 1", "ada 1"]);
    leave();
    await settle();
    expect(hub.link.called("Unsubscribe")).toEqual(["app"]);
  });

  test("Joined where others are already; a refusal is told", async () => {
    const { hub, client, settle, errors } = setUp();
    client.subscribe({ app: "app" }, () => {});
    client.start();
    await settle();
    hub.intercept = method => (method === "Presence" ? Promise.reject(new Error("HubException: app_forbidden: No.")) : undefined);
    const refused: string[] = [];
    client.presence({ app: "app" }, () => {}, { onError: error => void refused.push(error.code) });
    client.presence({ app: "app" }, () => {});
    await settle();
    expect(refused).toEqual(["app_forbidden"]);
    expect(errors).toEqual(["app_forbidden"]);
    hub.intercept = method => (method === "Presence" ? Promise.resolve({ users: [], total: 0 }) : undefined);
    client.presence({ app: "app" }, () => {
      throw new Error("mine");
    });
    await settle();
    expect(errors.at(-1)).toBe("handler_failed");
  });
});

test("Without a listener for errors the logger is told", () => {
  const error = vi.fn();
  const client = new RealtimeClient({ url: "http://hub", token: () => "", logger: { warn: () => {}, error } });
  client.onState(() => {
    throw new Error("mine");
  });
  client.onError(() => {})();
  client.start();
  void client.stop();
  expect(error).toHaveBeenCalledWith("Oriva: onState", expect.any(Error));
});
