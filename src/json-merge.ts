import { AppError } from "./errors.ts";
import { isObject } from "./json.ts";
import { LIMITS } from "./limits.ts";
import type { Json, JsonObject } from "./ports.ts";

/**
 * Why two changes do not go together:
 *
 * - `both_added`: absent in the base, and the sides put different values there that cannot be merged further
 * - `both_changed`: the sides changed it differently
 * - `removed_by_ours`, `removed_by_theirs`: one side removed what the other changed
 * - `order`: the sides put the elements that both have into different orders
 * - `too_large`: the merged component would pass `LIMITS.componentBytes`; never from `mergeJson`
 */
export type JsonConflictKind = "both_added" | "both_changed" | "removed_by_ours" | "removed_by_theirs" | "order" | "too_large";

/** One place where two changes do not go together. `base`, `ours` and `theirs` are what is there; missing where nothing is. */
export interface JsonConflict {
  /**
   * A JSON Pointer (RFC 6901) in which an element of a keyed array is named by its key instead of its index, as `[key=value]` with the
   * value as JSON: `/steps/[id=3]/type`, `/pages/[name="Home"]`. Empty for the whole value.
   */
  readonly path: string;
  readonly kind: JsonConflictKind;
  /** For `order`: the keys of those elements, as each side orders them; `base` those of them that it has. */
  readonly base?: Json;
  readonly ours?: Json;
  readonly theirs?: Json;
}

export interface JsonMerge {
  /** What the merge leads to, `ours` wherever there is a conflict; `undefined` where that is nothing. */
  readonly merged: Json | undefined;
  /** All of them, in the order of `ours`, then of what only `theirs` has. */
  readonly conflicts: readonly JsonConflict[];
}

/**
 * Three-way merge of one JSON value. `undefined` stands for absent, which `null` is not.
 *
 * What one side alone changed, or both alike, is taken. Where both changed differently:
 *
 * - objects merge member by member (with no base: as though it were `{}`);
 * - arrays of objects that all have a string or number `id`, unique in its array, merge element by element under that key, or else under
 *   `name`; `base`, `ours` and `theirs` must all be such arrays. An element that one side removed and the other left alone is gone;
 * - anything else is one conflict.
 *
 * Order of a keyed array: elements that both sides have keep their order; where the orders differ, the side that moved them counts,
 * and if both did (or both added the same elements in different orders), that is a conflict. What one side alone has follows the element that it
 * followed there, and where both sides added in the same place, ours come first. Nothing else depends on which side is which, so that a merge
 * without conflicts gives the same with its sides swapped but for runs of additions in the same place.
 *
 * Method: the three-way case analysis of diff3 (Khanna, Kunal, Pierce, "A Formal Investigation of Diff3", 2007), by member instead of by
 * line. Time and memory grow with the three values, not with their depth.
 *
 * @throws AppError `invalid_request` for nesting deeper than `LIMITS.jsonDepth`.
 * @example mergeJson({ a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 3 }) // { merged: { a: 2, b: 3 }, conflicts: [] }
 */
export function mergeJson(base: Json | undefined, ours: Json | undefined, theirs: Json | undefined): JsonMerge {
  const merge = new Merge();
  const merged = merge.value("", { base, ours, theirs });
  return { merged, conflicts: merge.conflicts };
}

/** The same place in the three values; `undefined` where it is not there. */
interface Place {
  readonly base: Json | undefined;
  readonly ours: Json | undefined;
  readonly theirs: Json | undefined;
}

/** The same for a place that holds something of one kind on every side. */
interface Sides<Value> {
  readonly base: Value;
  readonly ours: Value;
  readonly theirs: Value;
}

type ElementKey = string | number;
type Elements = ReadonlyMap<ElementKey, JsonObject>;

class Merge {
  readonly conflicts: JsonConflict[] = [];
  readonly #identities = new Identities();

  value(path: string, place: Place): Json | undefined {
    const { base, ours, theirs } = place;
    const identities = this.#identities;
    const our = identities.of(ours);
    const their = identities.of(theirs);
    const before = identities.of(base);
    if (our === their || their === before) return ours;
    if (our === before) return theirs;
    if (isObject(ours) && isObject(theirs) && (base === undefined || isObject(base))) {
      return this.#members(path, { base: base ?? {}, ours, theirs });
    }
    const keyed = keyedElements(place);
    if (keyed !== null) return this.#elements(path, keyed.key, keyed.elements);
    this.conflicts.push({ path, kind: kindOf(place), ...present(place) });
    return ours;
  }

  #members(path: string, { base, ours, theirs }: Sides<JsonObject>): Json {
    const merged: [string, Json][] = [];
    for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
      const place = { base: member(base, name), ours: member(ours, name), theirs: member(theirs, name) };
      const value = this.value(`${path}/${escaped(name)}`, place);
      if (value !== undefined) merged.push([name, value]);
    }
    // Unlike assignment, this makes a member of its own even out of `__proto__`.
    return Object.fromEntries(merged);
  }

  #elements(path: string, key: string, { base, ours, theirs }: Sides<Elements>): Json {
    const merged = new Map<ElementKey, Json>();
    for (const id of new Set([...ours.keys(), ...theirs.keys()])) {
      const place = { base: base.get(id), ours: ours.get(id), theirs: theirs.get(id) };
      const element = this.value(`${path}/${escaped(`[${key}=${JSON.stringify(id)}]`)}`, place);
      if (element !== undefined) merged.set(id, element);
    }
    const { lead, conflict } = commonOrder(base, ours, theirs);
    if (conflict !== null) this.conflicts.push({ path, kind: "order", ...conflict });
    return inOrder(merged, lead, ours, theirs);
  }
}

function kindOf({ base, ours, theirs }: Place): JsonConflictKind {
  if (ours === undefined) return "removed_by_ours";
  if (theirs === undefined) return "removed_by_theirs";
  return base === undefined ? "both_added" : "both_changed";
}

function present({ base, ours, theirs }: Place): Partial<Sides<Json>> {
  return { ...(base !== undefined && { base }), ...(ours !== undefined && { ours }), ...(theirs !== undefined && { theirs }) };
}

/** A member of the object itself, not of its prototype. */
function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function escaped(segment: string): string {
  return segment.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The elements by the key that all three arrays have; `null` where they are not three such arrays. */
function keyedElements({ base, ours, theirs }: Place): { key: string; elements: Sides<Elements> } | null {
  for (const key of ["id", "name"]) {
    const elements = { base: byKey(base, key), ours: byKey(ours, key), theirs: byKey(theirs, key) };
    if (elements.base !== null && elements.ours !== null && elements.theirs !== null) return { key, elements: elements as Sides<Elements> };
  }
  return null;
}

function byKey(list: Json | undefined, key: string): Elements | null {
  if (!Array.isArray(list)) return null;
  const elements = new Map<ElementKey, JsonObject>();
  for (const element of list as readonly Json[]) {
    const id = isObject(element) ? member(element, key) : undefined;
    if ((typeof id !== "string" && typeof id !== "number") || elements.has(id)) return null;
    elements.set(id, element as JsonObject);
  }
  return elements;
}

/** The order of the elements that both sides have: of the side that changed it, of ours where both did. */
function commonOrder(base: Elements, ours: Elements, theirs: Elements): { lead: readonly ElementKey[]; conflict: Sides<Json> | null } {
  const our = [...ours.keys()].filter((id) => theirs.has(id));
  const their = [...theirs.keys()].filter((id) => ours.has(id));
  const before = [...base.keys()].filter((id) => ours.has(id) && theirs.has(id));
  if (sameOrder(our, their) || sameOrder(their, before)) return { lead: our, conflict: null };
  if (sameOrder(our, before)) return { lead: their, conflict: null };
  return { lead: our, conflict: { base: before, ours: our, theirs: their } };
}

function sameOrder(left: readonly ElementKey[], right: readonly ElementKey[]): boolean {
  return left.length === right.length && left.every((id, index) => id === right[index]);
}

/** Puts what one side alone has behind the element that it followed there, `null` being the start; ours first. */
function inOrder(merged: ReadonlyMap<ElementKey, Json>, lead: readonly ElementKey[], ours: Elements, theirs: Elements): Json[] {
  const followers = [followersIn(ours, theirs), followersIn(theirs, ours)];
  const placed = [null, ...lead].flatMap((id) => [...(id === null ? [] : [id]), ...followers.flatMap((of) => of.get(id) ?? [])]);
  return placed.map((id) => merged.get(id)).filter((element) => element !== undefined);
}

/** Behind each element that the other side has too: what comes before the next such element. */
function followersIn(side: Elements, other: Elements): ReadonlyMap<ElementKey | null, readonly ElementKey[]> {
  let run: ElementKey[] = [];
  const followers = new Map<ElementKey | null, readonly ElementKey[]>([[null, run]]);
  for (const id of side.keys()) {
    if (!other.has(id)) {
      run.push(id);
      continue;
    }
    run = [];
    followers.set(id, run);
  }
  return followers;
}

/** Numbers values so that equal ones have equal numbers. Each is walked once, however often it is compared (hash consing). */
class Identities {
  readonly #numbers = new Map<string, number>();
  readonly #known = new WeakMap<object, number>();

  of(value: Json | undefined, depth = 0): number {
    if (value === undefined) return -1;
    if (typeof value !== "object" || value === null) return this.#number(JSON.stringify(value));
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    if (depth >= LIMITS.jsonDepth) {
      throw new AppError("invalid_request", { reason: `A value to merge is nested deeper than ${LIMITS.jsonDepth} levels.` });
    }
    const number = this.#number(this.#text(value, depth + 1));
    this.#known.set(value, number);
    return number;
  }

  #text(value: readonly Json[] | JsonObject, depth: number): string {
    if (isObject(value)) {
      const names = Object.keys(value).sort();
      return `{${names.map((name) => `${JSON.stringify(name)}:${this.of(value[name], depth)}`).join()}}`;
    }
    return `[${value.map((element) => this.of(element, depth)).join()}]`;
  }

  #number(text: string): number {
    const number = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }
}
