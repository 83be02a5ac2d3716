import { AppError } from "./errors.ts";
import { type JsonConflict, type JsonMerge, mergeJson } from "./json-merge.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson, compareKeys, type EntryChange, lengthOf, PageSize, sameValue, type ValueRef } from "./merkle/index.ts";
import { quoted } from "./names.ts";
import type { Hash, Json, JsonObject } from "./ports.ts";
import { turn } from "./scan.ts";
import type { Maps } from "./snapshots.ts";

/** Three-way merge of two platforms: by component, and inside a component by JSON member. Pure: plans, applies nothing. */

/** Platform roots. */
interface MergeSides {
  /** Of the newest common ancestor; `EMPTY_ROOT` where there is none and everything counts as added. */
  readonly base: Hash;
  /** Of the environment that is promoted *into*, the target: what the edits are for. */
  readonly ours: Hash;
  /** Of the revision that is being promoted, the source: whose changes come in. */
  readonly theirs: Hash;
}

/**
 * How a component in conflict is settled, as a whole: as the target has it, as the source has it (absent, where that side removed it), or
 * by a body that takes its place.
 */
export type Resolution = "ours" | "theirs" | boolean | number | readonly Json[] | JsonObject;

type ComponentChange = "added" | "changed" | "removed";

/** A component that both sides changed in ways that do not go together. */
export interface ComponentConflict {
  readonly component: string;
  readonly our_change: ComponentChange;
  readonly their_change: ComponentChange;
  /** The bodies; `null` where the component is absent, which the changes tell from a body that is `null`. Missing when `omitted`. */
  readonly base?: Json;
  readonly ours?: Json;
  readonly theirs?: Json;
  /** Where inside: the first `LIMITS.summaryNames`. One for the whole component (`path` is empty) does not repeat the bodies. */
  readonly paths: readonly JsonConflict[];
  /** How many there are. */
  readonly path_count: number;
  /**
   * Bodies and the paths inside are left out, because those of all conflicts together would pass `LIMITS.bodyBytes`. A conflict over the
   * whole component still says its kind.
   */
  readonly omitted?: true;
}

/** All lists are sorted by component, by UTF-8 bytes. */
interface PlatformMerge {
  /** To apply to *ours*, of what both sides changed; `undefined` removes. Holds nothing for a component in conflict; may hold what ours has already. */
  readonly edits: ReadonlyMap<string, Json | undefined>;
  /** Every component that is in conflict and has no resolution. */
  readonly conflicts: readonly ComponentConflict[];
  /** Changed on both sides, and merged by member. */
  readonly merged: readonly string[];
  /** Changed by theirs alone, from the base on: to be taken over as it is. */
  readonly fromTheirs: readonly EntryChange[];
  /** In conflict, and settled by a resolution. */
  readonly resolved: readonly string[];
  /** Resolutions for what is not in conflict. */
  readonly unusedResolutions: readonly string[];
}

/**
 * What brings the changes of `theirs` since `base` into `ours`. A component that one side alone changed, or both alike, is taken as it is;
 * one that both changed goes through `mergeJson`. All conflicts are found at once. Only what differs from `base` is looked at, and
 * of that only the bodies that both changed are loaded: cost follows the changes, whatever the size of the platforms.
 *
 * The caller checks the bodies under `merged` and `resolved` as it would any that are written: that both sides are valid does not say that
 * their merge is.
 *
 * @throws AppError `invalid_request` for a resolution that JSON cannot carry, or that is nested too deep.
 * @example
 *     const { edits, fromTheirs, conflicts } = await mergePlatforms(maps, { base, ours: target.platform, theirs: source.platform });
 *     if (conflicts.length === 0) await maps.edit(target.platform, edits, fromTheirs);
 */
export async function mergePlatforms(
  maps: Maps,
  sides: MergeSides,
  resolve: ReadonlyMap<string, Resolution> = new Map(),
): Promise<PlatformMerge> {
  const [our, their] = await Promise.all([maps.diff(sides.base, sides.ours), maps.diff(sides.base, sides.theirs)]);
  const ourChanges = new Map(our.map((change) => [change.key, change]));
  const fromTheirs = their.filter(({ key }) => !ourChanges.has(key));
  const outcome = new Outcome(resolve);
  const contested = their.flatMap((change) => contest(ourChanges.get(change.key), change));
  const size = new PageSize();
  for (let from = 0; from < contested.length; ) {
    const page = contested.slice(from, from + size.next);
    const texts = await maps.textsOf(page.flatMap(({ base, ours, theirs }) => [base, ours, theirs]));
    for (const [index, { component }] of page.entries()) {
      const [base, ours, theirs] = texts.slice(3 * index, 3 * index + 3).map(parsed);
      outcome.settle({ component, base, ours, theirs });
    }
    size.took(page.length, lengthOf(texts));
    from += page.length;
    await turn();
  }
  const { edits, conflicts, merged, resolved } = outcome;
  const settled = new Set(resolved);
  const unusedResolutions = [...resolve.keys()].filter((name) => !settled.has(name)).sort(compareKeys);
  return { edits, conflicts, merged, fromTheirs, resolved, unusedResolutions };
}

/**
 * Resolutions as a request gives them: `{"flows/x": "ours" | "theirs" | body}`.
 *
 * @throws AppError `invalid_request` for `null`, which could be meant as a removal or as a body, and for any other text, which is
 * sooner a slip of the pen than a body.
 */
export function parseResolutions(given: JsonObject): ReadonlyMap<string, Resolution> {
  return new Map(Object.entries(given).map(([component, value]) => [component, parseResolution(component, value)]));
}

function parseResolution(component: string, value: Json): Resolution {
  if (value === "ours" || value === "theirs") return value;
  if (value !== null && typeof value !== "string") return value;
  throw new AppError("invalid_request", {
    reason: `The resolution of ${quoted(component)} is ${value === null ? "null" : quoted(value)}.`,
    fix: 'Send "ours" (the target) or "theirs" (the source), which also removes it where that side did, or the component\'s whole body.',
    details: { component },
  });
}

/** A component that the sides changed differently: where its bodies are, and what they are. */
interface Contested<Body> {
  readonly component: string;
  readonly base: Body;
  readonly ours: Body;
  readonly theirs: Body;
}

function contest(our: EntryChange | undefined, their: EntryChange): Contested<ValueRef | null>[] {
  if (our === undefined || sameRef(our.right, their.right)) return [];
  return [{ component: their.key, base: their.left, ours: our.right, theirs: their.right }];
}

function sameRef(left: ValueRef | null, right: ValueRef | null): boolean {
  return left === null || right === null ? left === right : sameValue(left, right);
}

function parsed(text: string | undefined): Json | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as Json);
}

/** What the merge has come to so far. */
class Outcome {
  readonly edits = new Map<string, Json | undefined>();
  readonly conflicts: ComponentConflict[] = [];
  readonly merged: string[] = [];
  readonly resolved: string[] = [];
  readonly #resolve: ReadonlyMap<string, Resolution>;
  /** Bytes that conflicts may still show. */
  #budget: number = LIMITS.bodyBytes;

  constructor(resolve: ReadonlyMap<string, Resolution>) {
    this.#resolve = resolve;
  }

  settle(contested: Contested<Json | undefined>): void {
    const { component, theirs } = contested;
    const { merged, conflicts } = mergeBodies(contested);
    const resolution = this.#resolve.get(component);
    if (conflicts.length === 0) {
      this.merged.push(component);
      this.edits.set(component, merged);
    } else if (resolution === undefined) {
      this.conflicts.push(this.#conflict(contested, conflicts));
    } else {
      this.resolved.push(component);
      if (resolution === "theirs") this.edits.set(component, theirs);
      else if (resolution !== "ours") this.edits.set(component, checked(component, resolution));
    }
  }

  #conflict({ component, base, ours, theirs }: Contested<Json | undefined>, conflicts: readonly JsonConflict[]): ComponentConflict {
    const about = { component, our_change: change(base, ours), their_change: change(base, theirs), path_count: conflicts.length };
    const paths = conflicts.slice(0, LIMITS.summaryNames).map((conflict) => (repeatsBodies(conflict) ? bare(conflict) : conflict));
    const shown = { base: base ?? null, ours: ours ?? null, theirs: theirs ?? null, paths };
    // A path may repeat a name of megabytes hundreds of times: its length is known without writing it out.
    const least = paths.reduce((sum, { path }) => sum + path.length, 0);
    const bytes = least > this.#budget ? least : Buffer.byteLength(JSON.stringify(shown));
    if (bytes > this.#budget) return { ...about, paths: paths.filter(({ path }) => path === "").map(bare), omitted: true };
    this.#budget -= bytes;
    return { ...about, ...shown };
  }
}

/** What both sides have room for may be too large together: that is for a person to settle. */
function mergeBodies({ base, ours, theirs }: Contested<Json | undefined>): JsonMerge {
  const merge = mergeJson(base, ours, theirs);
  if (merge.merged === undefined || merge.conflicts.length > 0 || fits(merge.merged)) return merge;
  return { merged: ours, conflicts: [{ path: "", kind: "too_large" }] };
}

function fits(body: Json): boolean {
  return Buffer.byteLength(canonicalJson(body)) <= LIMITS.componentBytes;
}

function checked(component: string, body: Json): Json {
  canonicalJson(body, `The resolution of ${quoted(component)}`);
  return body;
}

function change(before: Json | undefined, after: Json | undefined): ComponentChange {
  if (before === undefined) return "added";
  return after === undefined ? "removed" : "changed";
}

/** Over the whole component, the bodies tell it all; over its order, not as shortly. */
function repeatsBodies({ path, kind }: JsonConflict): boolean {
  return path === "" && kind !== "order";
}

function bare({ path, kind }: JsonConflict): JsonConflict {
  return { path, kind };
}
