import type { Environment, Revision } from "../api.ts";
import type { Key } from "./Matrix.tsx";

/** Since which revision a key of an environment has been as it is; `undefined` where that is longer ago than what was looked at. */
export type Origins = (key: Key) => Revision | undefined;

/** Found in the newest revisions, newest first: each names the keys that it changed, and the first of all made the rest. */
export function originsOf(revisions: readonly Revision[]): Origins {
  const flags = new Map<string, Revision>();
  const others = new Map<string, Revision>();
  for (const revision of revisions) {
    const { feature_flags, env_vars_changed } = revision.changes;
    for (const name of feature_flags) if (!flags.has(name)) flags.set(name, revision);
    for (const name of env_vars_changed) if (!others.has(name)) others.set(name, revision);
  }
  const first = revisions.find(({ action }) => action === "create");
  return ({ kind, name }) => (kind === "flags" ? flags : others).get(name) ?? first;
}

/** `from development`, `by Ada`: where it comes from, in as many words as a cell has room for. */
export function originInWords({ action, created_by, source }: Revision, { base_from }: Pick<Environment, "base_from">): string {
  if (action === "create") return base_from === null ? `from the start, by ${created_by}` : `from ${base_from}, by ${created_by}`;
  if (action === "promote" && source !== undefined) return `with ${source.version}, by ${created_by}`;
  return action === "rollback" ? `rolled back by ${created_by}` : `by ${created_by}`;
}
