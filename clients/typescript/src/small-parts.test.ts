import { afterEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "./clock.js";
import { storageCursors } from "./cursor-store.js";
import { pageEnvironment } from "./environment.js";
import { toRealtimeError } from "./errors.js";
import { planFor, type Subscriber } from "./subscriber.js";
import { ManualClock } from "./test-kit/manual-clock.js";
import { jwt } from "./test-kit/setup.js";
import { expiryOf, TokenSource } from "./token-source.js";

afterEach(() => vi.unstubAllGlobals());

describe("Errors", () => {
  test.each([
    ["An unexpected error occurred invoking 'Publish' on the server. HubException: id_reused: Other content.", "id_reused", undefined],
    ["topic_forbidden: No access.", "topic_forbidden", undefined],
    ["An unexpected error occurred invoking 'Subscribe' on the server.", "internal", undefined],
    ["Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'", "unauthenticated", 401],
    [`Failed to complete negotiation with the server: Error: {"code":"user_blocked"}: Status code '403'`, "user_blocked", 403],
    ["Failed to complete negotiation with the server: Error: : Status code '502'", "unavailable", 502],
    ["Failed to complete negotiation with the server: Error: : Status code '418'", "refused", 418],
    ["Failed to complete negotiation with the server: TypeError: Failed to fetch", "disconnected", undefined],
  ])("%s", (text, code, status) => expect(toRealtimeError(new Error(text))).toMatchObject({ code, status }));

  test("Faults by pointer, and what only looks like them", () => {
    expect(toRealtimeError(new Error(`invalid: Several faults. {"/topics/0":["Is not a topic."]} ids: ["1"]`))).toMatchObject({
      message: "Several faults.",
      errors: { "/topics/0": ["Is not a topic."] },
    });
    expect(toRealtimeError('invalid: No {"/json ]}')).toMatchObject({ code: "invalid", errors: undefined });
  });
});

describe("Storage", () => {
  test("Keeps cursors under a prefix, and takes no nonsense", async () => {
    const items = new Map<string, string>([["mine", "1"]]);
    const store = storageCursors({
      getItem: key => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: key => void items.delete(key),
      key: i => [...items.keys()][i] ?? null,
      get length() {
        return items.size;
      },
    });
    const cursor = { epoch: "e", streams: { app: 1 } };
    store.save("app", cursor);
    store.save("other", cursor);
    expect(store.load("app")).toEqual(cursor);
    store.remove("app");
    expect(store.load("app")).toBeUndefined();
    items.set("oriva:cursor:app", "{");
    expect(store.load("app")).toBeUndefined();
    items.set("oriva:cursor:app", `{"epoch":"e","streams":{"app":"1"}}`);
    expect(store.load("app")).toBeUndefined();
    store.clear();
    expect([...items.keys()]).toEqual(["mine"]);
  });
});

describe("Tokens", () => {
  test("exp is read where there is one", () => {
    expect(expiryOf(jwt(5_000))).toBe(5_000);
    expect(expiryOf("orv_key")).toBeUndefined();
    expect(expiryOf(`x.${btoa('{"exp":"soon"}')}.x`)).toBeUndefined();
  });

  test.each([
    [3_600_000, 3_540_000],
    [80_000, 40_000],
    [-5_000, 10_000],
  ])("With %i ms left it is renewed in %i", async (left, expected) => {
    const clock = new ManualClock();
    const tokens = new TokenSource(() => jwt(clock.now() + left), clock);
    await tokens.fresh();
    expect(tokens.renewInMs()).toBe(expected);
    tokens.forget();
    expect(tokens.renewInMs()).toBeUndefined();
  });
});

describe("The page", () => {
  test("Wakes when visible or online, hides when hidden", () => {
    const [document, window] = [new EventTarget() as EventTarget & { visibilityState: string }, new EventTarget()];
    document.visibilityState = "visible";
    vi.stubGlobal("document", document);
    vi.stubGlobal("window", window);
    const [wake, hide] = [vi.fn(), vi.fn()];
    const stops = [pageEnvironment.onWake(wake), pageEnvironment.onHide(hide)];
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("online"));
    expect([wake.mock.calls.length, hide.mock.calls.length, pageEnvironment.isVisible()]).toEqual([2, 0, true]);
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("pagehide"));
    expect([wake.mock.calls.length, hide.mock.calls.length, pageEnvironment.isVisible()]).toEqual([2, 2, false]);
    for (const stop of stops) stop();
    window.dispatchEvent(new Event("online"));
    expect(wake).toHaveBeenCalledTimes(2);
  });

  test("Outside a browser it is always visible", () => {
    expect(pageEnvironment.isVisible()).toBe(true);
    pageEnvironment.onWake(() => {})();
  });
});

test("The system's clock", async () => {
  const never = vi.fn();
  systemClock.clearTimeout(systemClock.setTimeout(never, 0));
  await new Promise<void>(resolve => systemClock.setTimeout(resolve, 1));
  expect(never).not.toHaveBeenCalled();
  expect(systemClock.random()).toBeLessThan(1);
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000);
});

test("A fault that names no subscriber is everybody's; more types than the hub takes become all", () => {
  const one = (types: string[]): Subscriber => ({ types, topic: "a", filters: [], from: undefined, handle: () => {} });
  const subscribers = [one(["x.y"]), one(Array.from({ length: 50 }, (_, i) => `t.n${i}`))];
  const plan = planFor(subscribers);
  expect(plan?.interests).toEqual([{ topic: "a" }]);
  expect(plan?.blame(["/cursor"])).toEqual(subscribers);
  expect(plan?.blame(["/interests/0/types/3"])).toEqual(subscribers);
});
