export type Transport = "webSockets" | "serverSentEvents" | "longPolling" | "polling";

/** One connection, from its start to its end: all that the client needs of a HubConnection. Tests script it; HTTP polling imitates it. */
export interface Link {
  start(): Promise<void>;
  stop(): Promise<void>;
  invoke(method: string, ...args: unknown[]): Promise<unknown>;
  on(method: string, handler: (message: unknown) => void): void;
  /** Called once, when the connection ends after it started, for whatever reason. */
  onClose(handler: (error?: Error) => void): void;
}

export type OpenLink = (transport: Transport, token: () => string) => Link;
