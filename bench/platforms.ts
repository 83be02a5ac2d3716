import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { Json, JsonObject } from "../src/ports.ts";
import type { PlatformState } from "../src/state.ts";

/** The states that the rows work on: one that is made, of any size, and a history that really happened. */

const COLLECTIONS = ["entities", "flows", "pages", "forms", "queries", "roles", "themes", "reports", "mails", "jobs"];

/** `collection/name` of component `index`. */
function componentName(index: number): string {
  return `${COLLECTIONS[index % COLLECTIONS.length]}/component-${String(index).padStart(6, "0")}`;
}

/** Component `index` as its `edition`th edit left it: about 700 bytes, of which an edit changes a few. */
function component(index: number, edition: number): JsonObject {
  const fields = Array.from({ length: 8 }, (_, field) => ({
    id: `f${(index * 131 + field * 17) % 99_991}`,
    label: `Field ${field} of ${index}`,
    type: ["text", "number", "date", "reference"][(index + field) % 4] ?? "text",
    required: (index + field) % 3 === 0,
  }));
  return { title: `Component ${index}`, edition, owner: `team-${index % 37}`, fields };
}

/** A platform of `size` components, none of which requires a key. */
export function platform(size: number): PlatformState {
  const state: Record<string, Record<string, Json>> = {};
  for (let index = 0; index < size; index++) {
    const [collection = "", name = ""] = componentName(index).split("/");
    state[collection] ??= {};
    state[collection][name] = component(index, 0);
  }
  return state;
}

/** The `edition`th change of such a platform: `count` components anywhere in it, the same ones in every run. */
export function edits(size: number, count: number, edition: number): ReadonlyMap<string, JsonObject> {
  const set = new Map<string, JsonObject>();
  const random = randomFrom(edition);
  while (set.size < count) {
    const index = count === size ? set.size : Math.floor(random() * size);
    set.set(componentName(index), component(index, edition));
  }
  return set;
}

/** Numbers in [0, 1) that only the seed decides. Algorithm: mulberry32, by Tommy Ettinger. */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface HistoricChange {
  readonly set: JsonObject;
  readonly remove: readonly string[];
}

/** MDN's browser compatibility data (CC0): 2,600 components and the 400 changes that followed. */
interface History {
  readonly base: PlatformState;
  readonly changes: readonly HistoricChange[];
}

const HISTORY = fileURLToPath(new URL("../../shared/data/browser-compat-history.ndjson.gz", import.meta.url));

/** `null` where the file is not there: it does not belong to the project. */
export function history(): History | null {
  if (!existsSync(HISTORY)) return null;
  const [base, ...changes] = gunzipSync(readFileSync(HISTORY))
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  return { base: (base as { state: PlatformState }).state, changes: changes as HistoricChange[] };
}
