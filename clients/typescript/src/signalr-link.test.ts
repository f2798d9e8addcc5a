import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RealtimeClient } from "./client.js";
import type { Transport } from "./link.js";

// SignalR's own client against the least of a hub: negotiation, WebSockets or long polling, the JSON protocol.
interface Socket {
  on(name: "message", handler: (data: Buffer) => void): void;
  send(text: string): void;
  close(): void;
}
const { Server: WebSocketServer } = createRequire(import.meta.url)("ws") as {
  Server: new (options: { noServer: true }) => { handleUpgrade(request: IncomingMessage, socket: unknown, head: Buffer, done: (socket: Socket) => void): void };
};
const end = "\u001e";

let server: Server;
let url = "";
let status = 200;
let refuseWebSockets = false;
let sockets: Socket[] = [];
let calls: { target: string; arguments: unknown[] }[] = [];
const upgradePaths: string[] = [];

function receive(text: string, say: (message: unknown) => void): void {
  for (const part of text.split(end).filter(Boolean)) {
    const message = JSON.parse(part) as { protocol?: string; type?: number; invocationId?: string; target: string; arguments: unknown[] };
    if (message.protocol) say({});
    if (message.type !== 1) continue;
    calls.push(message);
    const answer = { type: 3, invocationId: message.invocationId };
    if (message.target === "Subscribe") {
      say({
        type: 1,
        target: "events",
        arguments: [{ app: "app", subscription: 1, stream: "app", after: 0, through: 1, events: [{ seq: 1, stream: "app", type: "a.b", data: {} }] }],
      });
      say({ ...answer, result: { app: "app", subscription: 1, epoch: "e", reset: false, streams: { app: 0 } } });
    } else if (message.target === "Publish")
      say({ ...answer, error: "An unexpected error occurred invoking 'Publish' on the server. HubException: type_forbidden: No." });
    else say({ ...answer, result: null });
  }
}

beforeEach(async () => {
  [status, refuseWebSockets, sockets, calls] = [200, false, [], []];
  const polls = new Map<string, { waiting: ((text: string) => void)[]; out: string[] }>();
  server = createServer(async (request, response) => {
    const address = new URL(request.url ?? "", "http://x");
    const id = address.searchParams.get("id") ?? "";
    let body = "";
    for await (const chunk of request) body += chunk;
    if (address.pathname.endsWith("/negotiate")) {
      response.writeHead(status, { "content-type": "application/json" });
      if (status !== 200) return void response.end('{"code":"user_blocked"}');
      const transports = ["WebSockets", "LongPolling"].map(transport => ({ transport, transferFormats: ["Text", "Binary"] }));
      const token = createHash("sha1").update(String(Math.random())).digest("hex");
      return void response.end(JSON.stringify({ connectionToken: token, connectionId: "c", negotiateVersion: 1, availableTransports: transports }));
    }
    const poll = polls.get(id) ?? { waiting: [], out: [] };
    const isNew = !polls.has(id);
    polls.set(id, poll);
    if (request.method === "POST")
      receive(body, message => {
        poll.out.push(JSON.stringify(message) + end);
        poll.waiting.shift()?.(poll.out.splice(0).join(""));
      });
    if (request.method === "GET" && !isNew && poll.out.length === 0) return void poll.waiting.push(text => response.end(text));
    response.end(request.method === "GET" ? poll.out.splice(0).join("") : "");
  });
  const hub = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    upgradePaths.push(request.url ?? "");
    if (refuseWebSockets) return void socket.destroy();
    hub.handleUpgrade(request, socket, head, ws => {
      sockets.push(ws);
      ws.on("message", data => receive(data.toString(), message => ws.send(JSON.stringify(message) + end)));
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function follow(transports: Transport[] = ["webSockets", "longPolling"]) {
  const got: number[] = [];
  const client = new RealtimeClient({ url, token: () => "secret", transports, logger: { warn: () => {}, error: () => {} } });
  client.subscribe({ app: "app" }, event => void got.push(event.seq));
  client.start();
  return { client, got };
}

describe("SignalR's client", () => {
  test("Batches before the answer, errors with their codes, acknowledgement on stop", async () => {
    const { client, got } = follow();
    await vi.waitFor(() => expect(got).toEqual([1]));
    expect(client.state).toMatchObject({ status: "connected", transport: "webSockets" });
    await expect(client.publish({ source: "app", type: "a.b" })).rejects.toMatchObject({ code: "type_forbidden", message: "No." });
    await vi.waitFor(() => expect(client.state.roundTripMs).toBeGreaterThanOrEqual(0));
    await client.stop();
    expect(calls.at(-1)).toMatchObject({ target: "Ack", arguments: [{ app: "app", streams: { app: 1 } }] });
  });

  test("A connection that breaks is opened again and resumes at the cursor", async () => {
    const { client, got } = follow();
    await vi.waitFor(() => expect(got).toEqual([1]));
    sockets[0]?.close();
    await vi.waitFor(() => expect(calls.filter(call => call.target === "Subscribe")).toHaveLength(2), 5_000);
    expect(calls.filter(call => call.target === "Subscribe")[1]?.arguments).toEqual([{ app: "app", cursor: { epoch: "e", streams: { app: 1 } } }]);
    await vi.waitFor(() => expect(client.state.status).toBe("connected"));
    expect(got).toEqual([1]);
    await client.stop();
  });

  test("Where WebSockets are cut off, long polling", async () => {
    refuseWebSockets = true;
    const { client, got } = follow();
    await vi.waitFor(() => expect(got).toEqual([1]), 5_000);
    expect(client.state.transport).toBe("longPolling");
    await client.stop();
  });

  test("A refused negotiation closes, with the code of the problem", async () => {
    status = 403;
    const { client } = follow();
    await vi.waitFor(() => expect(client.state.status).toBe("closed"));
    expect(client.state.error).toMatchObject({ code: "user_blocked", status: 403 });
  });
});
