// An official npm client against a hub of the tests. One argument: the settings as JSON. Prints what happens as JSON lines; exits 1 when something fails.
import { createRequire } from "node:module";

const { version, transport, url, token, publisher, app, user, topic, mode, count } = JSON.parse(process.argv[2]);
const require = createRequire(import.meta.url);
const { HubConnectionBuilder, HttpTransportType, LogLevel, VERSION } = require(`signalr${version}`);
const own = `${app}/users/${user}`;
const print = (step, what = {}) => console.log(JSON.stringify({ step, ...what }));
const patience = 30_000;

process.on("unhandledRejection", fail);
function fail(error) {
  print("failed", { error: String(error?.stack ?? error), got, faults });
  process.exit(1);
}

const builder = new HubConnectionBuilder()
  .withUrl(`${url}/hubs/realtime`, { transport: HttpTransportType[transport], accessTokenFactory: () => token })
  .configureLogging(LogLevel.None);
if (mode === "follow") builder.withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 50 });
const hub = builder.build();

// What docs/protocol.md asks of a client: the newest subscription, the chain, the cursor.
let got = [];
const [cursor, faults, signals] = [{ epoch: undefined, streams: {} }, [], []];
let [newest, gaps, missed] = [0, 0, false];
let wake = () => {};
hub.on("events", ({ subscription, stream, after, through, events }) => {
  if (subscription < newest) return;
  newest = subscription;
  const at = cursor.streams[stream] ?? after;
  if (after > at) {
    // Long polling loses an answer that is cut off; nothing else may.
    if (!missed) gaps++, (missed = true), subscribe().catch(() => {});
    return;
  }
  if (after < at) faults.push(`${stream}: a batch after ${after}, at ${at}`);
  for (const event of events) {
    if (event.stream !== stream || event.seq <= after || event.seq > through) faults.push(`${stream}: event ${event.seq} in ${after}..${through}`);
    got.push(event);
  }
  cursor.streams[stream] = through;
  wake();
});
hub.on("signal", signal => {
  signals.push(signal);
  wake();
});

async function subscribe(more = {}) {
  missed = false;
  const answer = await hub.invoke("Subscribe", { app, topics: [topic], cursor: cursor.epoch ? cursor : undefined, ...more });
  if (answer.reset) faults.push("the cursor was not honoured");
  cursor.epoch = answer.epoch;
  cursor.streams = { ...answer.streams, ...cursor.streams };
  return answer;
}

async function until(what, holds) {
  const deadline = Date.now() + patience;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise(resolve => {
      const timer = setTimeout(resolve, 500);
      wake = () => (clearTimeout(timer), resolve());
    });
  }
}

async function take(expected) {
  await until(`${expected} events, of which ${got.length} are there`, () => got.length >= expected);
  const taken = got;
  got = [];
  return taken;
}

async function publish(...drafts) {
  const answer = await fetch(`${url}/api/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${publisher}`, "content-type": "application/json" },
    body: JSON.stringify(drafts),
  });
  if (answer.status !== 201) throw new Error(`publish: ${answer.status} ${await answer.text()}`);
}

const draft = (n, more = {}) => ({ source: app, type: "session.started", id: `${user}-${n}`, data: { n }, ...(more.topic ? {} : { userId: user }), ...more });

async function scenario() {
  await hub.start();
  print("subscribed", { answer: await subscribe(), version: VERSION });

  const data = { n: 1, text: "Grüße 🎵", list: [null, true, 1.5, {}], deep: { a: [[]] } };
  await publish(draft(1, { data }), draft(2, { topic }), draft(3, { userId: `${user}-other` }));
  print("live", { events: await take(2) });
  await hub.invoke("Ack", { app, streams: { [own]: cursor.streams[own] } });
  print("acked");

  await hub.invoke("Signal", { app, topic, name: "typing", data });
  await hub.invoke("Signal", { app, name: "cleared", data: null });
  await until("two signals", () => signals.length >= 2);
  print("signalled", { signals });

  await hub.stop();
  await publish(...Array.from({ length: 200 }, (_, i) => draft(i + 4, i % 4 === 3 ? { topic } : {})));
  newest = 0;
  await hub.start();
  await subscribe();
  print("replayed", { events: await take(200) });

  await subscribe({ interests: [{ types: ["session.*"], topic }, { types: ["session.ended"], filters: [{ path: "tags", op: "contains", value: "ü" }] }] });
  await publish(draft(204), draft(205, { topic }), draft(206, { type: "session.ended", data: { tags: ["ü"] } }), draft(207, { type: "session.ended", data: { tags: ["u"] } }));
  print("filtered", { events: await take(2) });

  await subscribe();
  const receipt = await hub.invoke("Publish", { source: app, type: "task.reaction_added", userId: user, id: `${user}-208`, data: { taskId: "t", reaction: "heart" } });
  print("published", { receipt, events: await take(1) });
  const refusals = [];
  for (const [method, ...args] of [["Subscribe", { app: "hugo-love" }], ["Subscribe", { app, topics: ["team-1"] }], ["Publish", draft(1)], ["NoSuchMethod"], ["Subscribe", 1]])
    refusals.push(await hub.invoke(method, ...args).then(() => "accepted", error => error.message));
  print("refused", { refusals });
  await hub.invoke("Unsubscribe", app);
  await publish(draft(209));
  await hub.stop();
  print("done", { faults, gaps, rest: got });
}

async function follow() {
  let reconnections = 0;
  hub.onreconnected(() => {
    reconnections++;
    newest = 0;
    subscribe().catch(() => {}); // cut off again: this is called again
  });
  await hub.start();
  await subscribe();
  print("subscribed");
  let printed = 0;
  const deadline = Date.now() + 90_000;
  while (got.length < count) {
    if (Date.now() > deadline) throw new Error(`${got.length} of ${count} events, ${reconnections} reconnections`);
    await new Promise(resolve => setTimeout(resolve, 20));
    if (got.length > printed) print("progress", { count: (printed = got.length) });
  }
  await new Promise(resolve => setTimeout(resolve, 100));
  await hub.stop();
  print("done", { faults, gaps, reconnections, seqs: got.map(event => event.seq) });
}

(mode === "follow" ? follow() : scenario()).then(() => process.exit(0), fail);
