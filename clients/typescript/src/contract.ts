// The contract's shapes, as docs/contract.md has them.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export interface RealtimeEvent<Type extends string = string, Data = JsonObject> {
  readonly id: string;
  readonly source: string;
  readonly type: Type;
  readonly data: Data;
  readonly userId?: string;
  readonly topic?: string;
  readonly time: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly actor: string;
  readonly app: string;
  readonly stream: string;
  readonly seq: number;
  readonly recordedAt: string;
}

export interface Draft<Type extends string = string, Data = JsonObject> {
  source: string;
  type: Type;
  data?: Data;
  /** Made by the client when absent, so that a repeat after a cut is recognised. */
  id?: string;
  userId?: string;
  topic?: string;
  time?: string;
  metadata?: Record<string, string>;
}

export interface Receipt {
  readonly id: string;
  readonly stream: string;
  readonly seq: number;
  readonly recordedAt: string;
  readonly duplicate: boolean;
}

/** Where a stream starts that the cursor lacks: a time as RFC 3339 with an offset. */
export type From = "now" | "start" | (string & {});

export interface Cursor {
  readonly epoch: string;
  readonly streams: Readonly<Record<string, number>>;
}

export interface Filter {
  readonly path: string;
  readonly op: "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "contains" | "exists";
  readonly value?: Json;
}

export interface Interest {
  types?: readonly string[];
  topic?: string;
  filters?: readonly Filter[];
}

export interface SubscribeRequest {
  app: string;
  topics?: readonly string[];
  interests?: readonly Interest[];
  cursor?: Cursor;
  from?: From;
}

export interface SubscribeAnswer {
  readonly app: string;
  readonly subscription: number;
  readonly epoch: string;
  readonly streams: Readonly<Record<string, number>>;
  readonly reset: boolean;
}

export interface EventBatch {
  readonly app: string;
  readonly subscription: number;
  readonly stream: string;
  readonly after: number;
  readonly through: number;
  readonly events: readonly RealtimeEvent[];
}

export interface Signal {
  readonly app: string;
  readonly topic?: string | null;
  readonly userId?: string | null;
  readonly from: string;
  readonly name: string;
  readonly data: Json;
  readonly at: string;
}

export interface SignalDraft {
  app: string;
  topic?: string;
  userId?: string;
  name: string;
  data: Json;
}

export interface PresentUser {
  readonly userId: string;
  readonly connections: number;
  readonly since: string;
}

export interface NotificationCounts {
  readonly total: number;
  readonly unread: number;
  readonly unseen: number;
  readonly rev: number;
}

export type NotificationMark = "seen" | "read" | "unread" | "archived" | "unarchived";

export interface Notification {
  readonly id: string;
  readonly app: string;
  readonly userId: string;
  readonly type: string | null;
  readonly title: string;
  readonly body: string | null;
  readonly link: string | null;
  readonly image: string | null;
  readonly actions: readonly { readonly title: string; readonly link: string }[] | null;
  readonly data: JsonObject;
  readonly event: { readonly source: string; readonly id: string } | null;
  readonly status: string;
  readonly createdAt: string;
  readonly seenAt: string | null;
  readonly readAt: string | null;
  readonly archivedAt: string | null;
}
