import { HttpTransportType, HubConnectionBuilder, type IHubProtocol, NullLogger } from "@microsoft/signalr";
import { disconnected, RealtimeError, toRealtimeError } from "./errors.js";
import type { Link, Transport } from "./link.js";

const types: Record<Exclude<Transport, "polling">, HttpTransportType> = {
  webSockets: HttpTransportType.WebSockets,
  serverSentEvents: HttpTransportType.ServerSentEvents,
  longPolling: HttpTransportType.LongPolling,
};

/** SignalR's own client, with one transport and without its reconnecting: what to do after an end is decided in one place, `Connection`. */
export function signalrLink(url: string, transport: Exclude<Transport, "polling">, token: () => string, protocol: IHubProtocol | undefined): Link {
  const builder = new HubConnectionBuilder()
    .withUrl(`${url}/hubs/realtime`, { transport: types[transport], accessTokenFactory: token })
    .configureLogging(NullLogger.instance);
  // Server-sent events carry text only.
  if (protocol && transport !== "serverSentEvents") builder.withHubProtocol(protocol);
  const hub = builder.build();
  return {
    start: () => hub.start(),
    stop: () => hub.stop(),
    on: (method, handler) => hub.on(method, handler),
    onClose: handler => hub.onclose(handler),
    invoke: async (method, ...args) => {
      try {
        return await hub.invoke(method, ...args);
      } catch (error) {
        throw hub.state === "Connected" ? toRealtimeError(error) : new RealtimeError(disconnected, "The connection was lost.", { cause: error });
      }
    },
  };
}
