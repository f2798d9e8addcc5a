import type { Filter, Json, RealtimeEvent } from "./contract.js";

export function matchesType(pattern: string, type: string): boolean {
  return pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));
}

/** As the service matches, but for numbers beyond doubles, which JavaScript has already rounded. */
export function matchesFilters(filters: readonly Filter[], event: Pick<RealtimeEvent, "data">): boolean {
  return filters.every(filter => matches(filter, find(filter.path, event.data)));
}

function matches({ op, value }: Filter, at: Json | undefined): boolean {
  if (op === "exists") return (at !== undefined) === (value !== false);
  if (op === "ne") return at === undefined || !same(at, value);
  if (at === undefined) return false;
  switch (op) {
    case "eq":
      return same(at, value);
    case "in":
      return Array.isArray(value) && value.some(item => same(at, item));
    case "contains":
      return Array.isArray(at) ? at.some(item => same(item, value)) : typeof at === "string" && typeof value === "string" && at.includes(value);
    default:
      return compares(op, at, value);
  }
}

function compares(op: "gt" | "gte" | "lt" | "lte", at: Json, value: Json | undefined): boolean {
  if (!((typeof at === "number" && typeof value === "number") || (typeof at === "string" && typeof value === "string"))) return false;
  if (op === "gt") return at > value;
  if (op === "gte") return at >= value;
  return op === "lt" ? at < value : at <= value;
}

function find(path: string, data: Json): Json | undefined {
  let at: Json | undefined = data;
  for (const name of path.split(".")) {
    if (Array.isArray(at)) at = /^\d+$/.test(name) ? at[Number(name)] : undefined;
    else if (typeof at === "object" && at !== null && Object.hasOwn(at, name)) at = (at as Record<string, Json>)[name];
    else return undefined;
  }
  return at;
}

function same(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null || Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every(name => Object.hasOwn(other, name) && same((one as Record<string, Json>)[name], (other as Record<string, Json>)[name]))
  );
}
