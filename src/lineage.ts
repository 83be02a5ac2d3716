import { LIMITS } from "./limits.ts";
import type { Revision, RevisionRef } from "./model.ts";

/**
 * The ancestors of a revision as a vector clock over *lines of descent*, so that the newest common ancestor of two
 * revisions is found without walking the history between them.
 *
 * A line is a run of revisions of one environment in which each has its predecessor as parent; a rollback starts a new
 * line, since its only parent is the revision restored. The ancestors of a revision on one line are always all of that
 * line up to some revision: that number is what the vector holds. Lines are named `<env>~<first revision>`.
 *
 * The vector keeps the LIMITS.lineage lines joined last. Beyond that the common ancestor found may be an older one, so
 * that a decision (`diverged`) is asked for that was not needed.
 */
export type Lineage = Revision["lineage"];

/** The lineage of an environment's first revision, or of its next one after a rollback, on a new line. */
export function newLine(parents: readonly Lineage[], self: RevisionRef): Lineage {
  return [...joined(parents), [lineName(self), self.revision] as const].slice(-LIMITS.lineage);
}

/** The lineage of the revision that follows `predecessor` on the same line, with `merged` as further parents. */
export function nextOnLine(predecessor: Lineage, self: RevisionRef, merged: readonly Lineage[] = []): Lineage {
  const own = ownLine(predecessor, self.env);
  const others = joined([predecessor, ...merged]).filter(([line]) => line !== own);
  return [...others, [own, self.revision] as const].slice(-LIMITS.lineage);
}

/** The newest revision of each line that is an ancestor of both sides: the newest common ancestor is among them. */
export function commonAncestors(left: Lineage, right: Lineage): readonly RevisionRef[] {
  const reached = new Map(left);
  const found: RevisionRef[] = [];
  for (const [line, revision] of right) {
    const other = reached.get(line);
    if (other !== undefined) found.push({ env: line.slice(0, line.lastIndexOf("~")), revision: Math.min(other, revision) });
  }
  return found;
}

/** Whether a revision with the lineage `one` is `ancestor` or descends from it. */
export function descendsFrom(one: Lineage, ancestor: Lineage): boolean {
  const [line, revision] = ancestor.at(-1) ?? [];
  return revision !== undefined && one.some(([name, reached]) => name === line && reached >= revision);
}

function lineName({ env, revision }: RevisionRef): string {
  return `${env}~${revision}`;
}

/** A revision's own line is the last of its lineage. */
function ownLine(lineage: Lineage, env: string): string {
  const last = lineage.at(-1);
  if (last === undefined || !last[0].startsWith(`${env}~`)) throw new Error(`lineage of ${env} does not end in its own line`);
  return last[0];
}

function joined(lineages: readonly Lineage[]): Lineage {
  const [only] = lineages;
  // A lineage names each line once.
  if (only !== undefined && lineages.length === 1) return only;
  const newest = new Map<string, number>();
  for (const [line, revision] of lineages.flat()) {
    const known = newest.get(line) ?? 0;
    newest.delete(line);
    newest.set(line, Math.max(known, revision));
  }
  return [...newest];
}
