import fc from "fast-check";
import { expect, test } from "vitest";
import type { RealtimeEvent } from "./contract.js";
import { memoryCursors } from "./cursor-store.js";
import { FakeHub } from "./test-kit/fake-hub.js";
import { settle } from "./test-kit/manual-clock.js";
import { setUp } from "./test-kit/setup.js";

const streams = ["app", "app/users/ada", "app/topics/room-1"];
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), stream: fc.constantFrom(...streams), type: fc.constantFrom("a.b", "c.d") }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("step" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.constant({ do: "lose" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "double" as const }) },
  { weight: 3, arbitrary: fc.constant({ do: "serve" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "delay" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "cut" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "join" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "leave" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "beacon" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "move" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
);

type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

interface Setting {
  /** Handlers return a promise that takes so long. */
  slowMs: number;
  batchEvents: number;
  /** The lasting subscribers take `a.*` only, so that who joins for `c.d` changes what the hub sends. */
  narrow?: boolean;
}

/** Runs the commands against a hub whose messages arrive one by one; a reload drops the client as a crash does, and a new one takes its store. */
async function run(commands: readonly (Command | { do: "reload" })[], { slowMs, batchEvents, narrow: isNarrow }: Setting) {
  const store = memoryCursors();
  const hub = new FakeHub();
  [hub.manual, hub.batchEvents] = [true, batchEvents];
  const lives: { got: RealtimeEvent[]; narrow: RealtimeEvent[] }[] = [];
  const guests: { got: RealtimeEvent[]; heads: Record<string, number>; leave: () => void; left: boolean }[] = [];
  const base = { app: "app", from: "start", ...(isNarrow && { type: "a.*" }) };
  const live = () => {
    const world = setUp({ cursors: store }, hub);
    const [got, narrow]: [RealtimeEvent[], RealtimeEvent[]] = [[], []];
    lives.push({ got, narrow });
    const record = (event: RealtimeEvent) => {
      if (slowMs === 0) return void got.push(event);
      return new Promise<void>(resolve => world.clock.setTimeout(resolve, slowMs)).then(() => void got.push(event));
    };
    world.client.subscribe(base, record);
    world.client.subscribe({ ...base, topic: "room-1" }, record);
    world.client.subscribe({ app: "app", from: "start", type: "a.*" }, event => void narrow.push(event));
    world.client.start();
    return world;
  };
  let world = live();
  await settle();
  const open = () => hub.links.filter(link => link.isOpen);
  for (const one of commands) {
    if (one.do === "publish") hub.publish(one.stream, {}, one.type);
    if (one.do === "wait") await world.clock.advance(one.ms);
    if (one.do === "reload") {
      const before = open();
      world = live();
      for (const link of before) link.vanish();
    }
    for (const link of open()) {
      if (one.do === "step") for (let i = 0; i < one.count; i++) link.step();
      if (one.do === "lose") link.lose();
      if (one.do === "double") link.double();
      if (one.do === "serve") link.serve();
      if (one.do === "delay") link.delay();
      if (one.do === "beacon") link.beacon();
      if (one.do === "cut") link.cut();
      if (one.do === "move") link.say("goodbye", { reason: "draining", retryAfterMs: 500 });
    }
    if (one.do === "join") {
      const got: RealtimeEvent[] = [];
      const leaves = [
        world.client.subscribe({ app: "app", type: "c.d" }, event => void got.push(event)),
        world.client.subscribe({ app: "app", topic: "room-2" }, () => {}),
      ];
      guests.push({
        got,
        heads: Object.fromEntries(streams.map(stream => [stream, hub.head(stream)])),
        left: false,
        leave: () => leaves.forEach(leave => void leave()),
      });
    }
    const guest = one.do === "leave" ? guests.findLast(guest => !guest.left) : undefined;
    if (guest) {
      guest.leave();
      guest.left = true;
    }
    await settle();
  }
  for (let i = 0; i < 60; i++) {
    for (const link of open()) {
      link.beacon();
      while (link.step()) await settle();
    }
    await world.clock.advance(5_000);
  }
  expect(world.errors).toEqual([]);
  const stopping = world.client.stop();
  await world.clock.advance(2_000); // an acknowledgement may still be under way
  await stopping;
  expect(world.clock.waiting).toBe(0);
  return { hub, lives, guests };
}

const seqs = (events: readonly RealtimeEvent[]) =>
  Object.fromEntries(streams.map(stream => [stream, events.filter(event => event.stream === stream).map(event => event.seq)]));
const published = (hub: FakeHub) => streams.flatMap(stream => hub.read(stream, 0, 1_000));

test.each([
  { slowMs: 0, batchEvents: 2 },
  { slowMs: 3_000, batchEvents: 3 },
  { slowMs: 0, batchEvents: 2, narrow: true },
])("Cuts, lost and doubled batches, moves and changes of subscription, %o: every event once and in order", { timeout: 120_000 }, async setting => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40 }), async commands => {
      const { hub, lives, guests } = await run(commands, setting);
      expect(seqs(lives[0]?.got ?? [])).toEqual(seqs(published(hub).filter(event => event.type === "a.b" || !setting.narrow)));
      expect(seqs(lives[0]?.narrow ?? [])).toEqual(seqs(published(hub).filter(event => event.type === "a.b" && event.topic === undefined)));
      // A guest has what was published while it was there: a part without a gap, to the end unless it left.
      for (const { got, heads, left } of guests)
        for (const stream of ["app", "app/users/ada"]) {
          const all = published(hub)
            .filter(event => event.stream === stream && event.type === "c.d")
            .map(event => event.seq);
          const own = got.filter(event => event.stream === stream).map(event => event.seq);
          const first = own.length > 0 ? all.indexOf(own[0] as number) : all.length;
          if (!left) expect(first).toBeLessThanOrEqual(all.filter(seq => seq <= (heads[stream] ?? 0)).length);
          expect(own).toEqual(all.slice(first, left ? first + own.length : undefined));
        }
    }),
    { numRuns: 500 },
  );
});

test("Pages that crash between: nothing is missing, and each page has its part without a gap", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 12, arbitrary: command }, { weight: 1, arbitrary: fc.constant({ do: "reload" as const }) }), { maxLength: 50 }),
      async commands => {
        const { hub, lives } = await run(commands, { slowMs: 0, batchEvents: 2 });
        const parts = lives.map(({ got }) => seqs(got));
        for (const stream of streams) {
          const all = published(hub)
            .filter(event => event.stream === stream)
            .map(event => event.seq);
          expect([...new Set(parts.flatMap(part => part[stream] ?? []))].sort((a, b) => a - b)).toEqual(all);
          for (const part of parts) expect(part[stream]).toEqual(all.slice((part[stream]?.[0] ?? 1) - 1).slice(0, part[stream]?.length));
        }
      },
    ),
    { numRuns: 300 },
  );
});
