import type { Filter, From, Interest, RealtimeEvent } from "./contract.js";
import type { RealtimeError } from "./errors.js";
import { matchesFilters, matchesType } from "./filters.js";

/** One `subscribe` call. Without `handle` it only keeps the connection in the app, or its topic, for signals and presence. */
export interface Subscriber {
  readonly types: readonly string[];
  readonly topic: string | undefined;
  readonly filters: readonly Filter[];
  readonly from: From | undefined;
  readonly handle?: (event: RealtimeEvent) => unknown;
  readonly onReset?: ((reason: string) => unknown) | undefined;
  readonly onReady?: (() => unknown) | undefined;
  readonly onError?: ((error: RealtimeError) => void) | undefined;
  /** The service refused it; it is left out until the next connection, which may have another token. */
  refused?: boolean;
  /** It was told so. */
  ready?: boolean;
}

/** Without a topic: everyone's and the own stream, whichever topics others follow on the same connection. */
export function takes(subscriber: Subscriber, event: RealtimeEvent): boolean {
  return (
    subscriber.handle !== undefined &&
    (event.topic ?? undefined) === subscriber.topic &&
    (subscriber.types.length === 0 || subscriber.types.some(pattern => matchesType(pattern, event.type))) &&
    matchesFilters(subscriber.filters, event)
  );
}

/** What one hub `Subscribe` must ask for so that every subscriber gets its own. */
export interface Plan {
  /** Equal when the hub would send the same. */
  readonly key: string;
  readonly subscribers: readonly Subscriber[];
  readonly topics: readonly string[];
  /** Absent: everything. */
  readonly interests: readonly Interest[] | undefined;
  /** Whom a refusal with these JSON pointers means; everyone when it names nobody. */
  blame(pointers: readonly string[]): Subscriber[];
}

const mostInterests = 50;
const mostTypes = 50;
/** No app can declare it for its listeners to miss: interests that are absent would ask for everything instead. */
const nothing: Interest = { types: ["oriva.client.nothing"] };

export function planFor(subscribers: readonly Subscriber[]): Plan | undefined {
  if (subscribers.length === 0) return undefined;
  const topics = [...new Set(subscribers.map(one => one.topic).filter(topic => topic !== undefined))].sort();
  const groups = group(subscribers.filter(one => one.handle));
  const takesAll = groups.some(({ interest }) => !interest.topic && !interest.types && !interest.filters);
  const interests = groups.length === 0 ? [nothing] : takesAll || groups.length > mostInterests ? undefined : groups.map(({ interest }) => interest);
  return {
    key: JSON.stringify([topics, interests]),
    subscribers,
    topics,
    interests,
    blame(pointers) {
      const blamed = new Set<Subscriber>();
      for (const [, kind, index] of pointers.map(pointer => /^\/(topics|interests)\/(\d+)/.exec(pointer) ?? [])) {
        const i = Number(index);
        if (kind === "topics") for (const one of subscribers) if (one.topic === topics[i]) blamed.add(one);
        if (kind === "interests") for (const one of groups[i]?.members ?? []) blamed.add(one);
      }
      return blamed.size > 0 ? [...blamed] : [...subscribers];
    },
  };
}

/** Types of the same topic and filters go into one interest. */
function group(subscribers: readonly Subscriber[]): { interest: Interest; members: Subscriber[] }[] {
  const groups = new Map<string, Subscriber[]>();
  for (const one of subscribers) {
    const key = JSON.stringify([one.topic, one.filters]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, members]) => {
      const { topic, filters } = members[0] as Subscriber;
      const types = [...new Set(members.flatMap(one => one.types))].sort();
      const all = types.length > mostTypes || members.some(one => one.types.length === 0);
      return { members, interest: { ...(!all && { types }), ...(topic !== undefined && { topic }), ...(filters.length > 0 && { filters }) } };
    });
}
