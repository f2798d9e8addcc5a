// Follows an app's events through every gap. Usage: npm install && node client.mjs http://localhost:5080 work-buddy <token>
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

const [url, app, token] = process.argv.slice(2);
const cursor = { epoch: undefined, streams: {} }; // keep it with your state, and you resume after a restart as well
let current = 0; // the subscription's number

const hub = new HubConnectionBuilder()
  .withUrl(`${url}/hubs/realtime`, { accessTokenFactory: () => token })
  .withAutomaticReconnect({ nextRetryDelayInMilliseconds: ({ previousRetryCount }) => Math.min(30_000, 500 * 2 ** previousRetryCount) * Math.random() })
  .configureLogging(LogLevel.Error)
  .build();

async function subscribe() {
  current = 0;
  const answer = await hub.invoke("Subscribe", { app, cursor: cursor.epoch ? cursor : undefined });
  if (answer.reset) cursor.streams = {}; // the gap cannot be filled: fetch your state here
  [current, cursor.epoch, cursor.streams] = [answer.subscription, answer.epoch, { ...answer.streams, ...cursor.streams }];
}

hub.on("events", ({ subscription, stream, after, through, events }) => {
  if (subscription < current) return; // of a subscription that was replaced
  if (stream in cursor.streams && after > cursor.streams[stream]) return subscribe(); // missed something
  for (const event of events) if (event.seq > (cursor.streams[stream] ?? 0)) console.log(JSON.stringify(event));
  cursor.streams[stream] = through;
  hub.send("Ack", { app, streams: { [stream]: through } });
});
hub.on("reset", subscribe);
hub.onreconnected(subscribe);
await hub.start();
await subscribe();
