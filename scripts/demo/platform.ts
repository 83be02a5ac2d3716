import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { isObject } from "../../src/json.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [member: string]: JsonValue };
/** A platform's state as people write it: collections, in them components by name. */
export type PlatformState = Readonly<Record<string, Readonly<Record<string, JsonValue>>>>;

type RequiredKind = "var" | "secret" | "flag";
export interface RequiredKey {
  readonly name: string;
  readonly kind: RequiredKind;
  readonly hasDefault: boolean;
}

/** Reads a state file, `.json` or `.json.gz`, that is either `{collection: {name: …}}` or `{state: {…}}`. */
export function readPlatform(path: string): PlatformState {
  const bytes = readFileSync(path);
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("utf8");
  const content: unknown = JSON.parse(text);
  const state = isObject(content) && Object.keys(content).length === 1 && isObject(content.state) ? content.state : content;
  if (!isObject(state) || !Object.values(state).every(isObject)) {
    throw new Error(`${path} is no platform state: it must hold {"collection": {"name": …}}.`);
  }
  return state as PlatformState;
}

export function countComponents(state: PlatformState): number {
  return Object.values(state).reduce((sum, components) => sum + Object.keys(components).length, 0);
}

/** The keys that a platform declares in its collection `requires`. */
export function requiredKeys(state: PlatformState): readonly RequiredKey[] {
  return Object.entries(state.requires ?? {}).map(([name, declared]) => {
    const members: Readonly<Record<string, unknown>> = isObject(declared) ? declared : {};
    const kind = members.kind;
    return { name, kind: kind === "secret" || kind === "flag" ? kind : "var", hasDefault: members.default !== undefined };
  });
}
