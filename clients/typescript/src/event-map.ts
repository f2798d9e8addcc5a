import type { JsonObject, Notification, NotificationCounts, RealtimeEvent } from "./contract.js";

/** What the service itself publishes in a user's stream. */
export interface NotificationEvents {
  "notification.created": { notification: Notification; counts: NotificationCounts };
  "notification.read": { ids: readonly string[] | null; state: "read"; through: string | null; counts: NotificationCounts };
  "notification.updated": { ids: readonly string[]; state: string; through: null; counts: NotificationCounts };
}

/** Without a map of one's own: any type, any object. */
export type AnyEvents = Record<string, JsonObject>;

type Known<Events> = string extends keyof Events ? Events : Omit<NotificationEvents, keyof Events> & Events;
type TypeOf<Events> = keyof Known<Events> & string;

/** A type, a prefix and `.*`, or `*`. */
export type TypePattern<Events> = TypeOf<Events> | "*" | Prefixes<TypeOf<Events>>;
type Prefixes<Type extends string> = Type extends `${infer Head}.${infer Tail}`
  ? `${Head}.*` | (Prefixes<Tail> extends infer Rest extends string ? `${Head}.${Rest}` : never)
  : never;

type Matching<Events, Pattern> = Pattern extends "*"
  ? TypeOf<Events>
  : Pattern extends `${infer Prefix}.*`
    ? Extract<TypeOf<Events>, `${Prefix}.${string}`>
    : Extract<TypeOf<Events>, Pattern>;

/** The events that a pattern matches, as a union that `type` tells apart. */
export type EventOf<Events, Pattern> = string extends keyof Events
  ? RealtimeEvent
  : { [Type in Matching<Events, Pattern>]: RealtimeEvent<Type, Known<Events>[Type]> }[Matching<Events, Pattern>];
