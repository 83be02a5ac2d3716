import type { Check, PromoteReply } from "./api.ts";
import { keyInWords, listed, plural } from "./words.ts";

/** What a plan says, as sentences. */

export type Diff = PromoteReply["diff_from_previous"];

export interface Sentence {
  readonly text: string;
  /** What it is about, by name; `more` of them are not named. */
  readonly names: readonly string[];
  readonly more: number;
}

const CHANGES = [
  ["added", "new"],
  ["changed", "changed"],
  ["removed", "removed"],
] as const;

/** `2 entities new (Order, Refund)`, one sentence for each collection and kind of change. */
export function sentencesOf(diff: Diff): readonly Sentence[] {
  const components = CHANGES.flatMap(([kind, word]) => {
    const { count, names } = diff.components[kind];
    const groups = grouped(names);
    const more = count - names.length;
    // What the platform asks of an environment is told as that, below.
    const shown = groups.filter(([collection]) => collection !== "requires");
    const sentences = shown.map(([collection, own]) => ({
      text: `${plural(own.length, singular(collection), collection)} ${word}: ${listed(own)}`,
      names: own.map((name) => `${collection}/${name}`),
      more: 0,
    }));
    return more > 0 ? [...sentences, { text: `${plural(more, "more component")} ${word}`, names: [], more }] : sentences;
  });
  const values = diff.env_updated.length === 0 ? [] : [named("value", diff.env_updated, "set, changed or newly needed")];
  const flags =
    diff.flags_changed.length === 0
      ? []
      : [named("feature flag", diff.flags_changed, diff.flags_changed.length === 1 ? "arrives or changes" : "arrive or change")];
  return [...components, ...values, ...flags];
}

function named(what: string, names: readonly string[], happens: string): Sentence {
  return { text: `${plural(names.length, what)} ${happens}: ${listed(names)}`, names, more: 0 };
}

function grouped(names: readonly string[]): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const slash = name.indexOf("/");
    const collection = name.slice(0, slash);
    groups.set(collection, [...(groups.get(collection) ?? []), name.slice(slash + 1)]);
  }
  return [...groups];
}

/** `entities` → `entity`, `flows` → `flow`: collections are named in the plural. */
export function singular(collection: string): string {
  if (collection.endsWith("ies")) return `${collection.slice(0, -3)}y`;
  return collection.endsWith("s") && !collection.endsWith("ss") ? collection.slice(0, -1) : collection;
}

export function hasChanges({ status, diff_from_previous: diff }: Pick<PromoteReply, "status" | "diff_from_previous">): boolean {
  if (status === "no_changes") return false;
  const { added, changed, removed } = diff.components;
  return added.count + changed.count + removed.count + diff.env_updated.length + diff.flags_changed.length > 0;
}

/** What a check says. Where the engine says it in its own terms, it is said here in words. */
export function reasonOf({ name, status, reason, details }: Check): string {
  if (status !== "failed" && status !== "warning") return reason;
  const unbound = details?.unbound;
  if (name === "config_complete" && Array.isArray(unbound)) {
    const names = (unbound as readonly string[]).map((key) => keyInWords(key).name);
    return `${listed(names)} ${names.length === 1 ? "is" : "are"} needed, and not set there yet.`;
  }
  if (name === "approvals" && typeof details?.needed === "number") {
    const by = (details.approved_by ?? []) as readonly string[];
    // It is asked for in vain, which the engine says in words.
    if (details.possible !== undefined) return reason;
    return by.length === 0
      ? `${plural(details.needed, "other person has", "other people have")} to agree.`
      : `${listed(by)} agreed: ${by.length} of ${details.needed}.`;
  }
  return reason;
}

const CLEARS: Readonly<Record<string, string>> = {
  approvals: "Somebody else, who may approve here",
  soak_time: "Time",
  freeze_window: "Time",
  config_complete: "You, here: set the values",
  secrets_isolated: "You, here: set the values",
  diverged: "You: choose what becomes of the target’s own changes",
  hold: "Whoever may resume the environment",
  validation: "Whoever builds the flows",
};

/** Who can clear what is in the way. @param forceable the checks that the policy lets an administrator skip */
export function whoClears(name: string, forceable: readonly string[]): string {
  const known = CLEARS[name];
  if (!forceable.includes(name)) return known ?? "An administrator, in the policy";
  return known === undefined ? "An administrator, who skips it with a reason" : `${known}; or an administrator, who skips it with a reason`;
}
