import { expect, test } from "vitest";
import type { Filter } from "./contract.js";
import { matchesFilters, matchesType } from "./filters.js";

const data = { n: 1, text: "Grüße", list: [1, { a: null }], deep: { a: [[2]] }, nothing: null, "0": "zero" };

test.each<[string, Filter["op"], Filter["value"], boolean]>([
  ["n", "eq", 1, true],
  ["n", "eq", "1", false],
  ["n", "ne", 2, true],
  ["gone", "ne", 2, true],
  ["gone", "eq", 2, false],
  ["deep", "eq", { a: [[2]] }, true],
  ["deep", "eq", { a: [[2]], b: 1 }, false],
  ["list", "eq", [1, { a: null }], true],
  ["list", "eq", { "0": 1, "1": { a: null } }, false],
  ["list.0", "eq", 1, true],
  ["list.1.a", "exists", undefined, true],
  ["list.9", "exists", undefined, false],
  ["list.x", "exists", undefined, false],
  ["n.x", "exists", false, true],
  ["nothing", "exists", true, true],
  ["toString", "exists", undefined, false],
  ["n", "gt", 0, true],
  ["n", "gte", 1, true],
  ["n", "lt", 1, false],
  ["n", "lte", 1, true],
  ["text", "gt", "A", true],
  ["text", "lt", 1, false],
  ["n", "in", [3, 1], true],
  ["n", "in", [3], false],
  ["text", "contains", "ü", true],
  ["list", "contains", { a: null }, true],
  ["n", "contains", 1, false],
])("%s %s %j: %s", (path, op, value, expected) => {
  expect(matchesFilters([{ path, op, ...(value !== undefined && { value }) }], { data })).toBe(expected);
});

test("Patterns of types", () => {
  expect(["*", "a.b", "a.*", "a.b.*", "a", "ab.*"].map(pattern => matchesType(pattern, "a.b"))).toEqual([true, true, true, false, false, false]);
});
