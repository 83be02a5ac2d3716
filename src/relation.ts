import type { Relation } from "./checks.ts";
import type { Documents } from "./heads.ts";
import { keys } from "./keys.ts";
import { commonAncestors, descendsFrom } from "./lineage.ts";
import { EMPTY_ROOT } from "./merkle/index.ts";
import type { Revision } from "./model.ts";

/** The newest common ancestor of two revisions: reads one document for each line of descent that they share. */
export async function mergeBase(documents: Documents, left: Revision, right: Revision): Promise<Revision | null> {
  const candidates = commonAncestors(left.lineage, right.lineage);
  const found = await documents.getAll<Revision>(candidates.map(({ env, revision }) => keys.revision(env, revision)));
  const known = found.filter((revision) => revision !== null);
  // By descent first: many revisions may share one millisecond.
  const last = known.filter((one) => !known.some((other) => other !== one && descendsFrom(other.lineage, one.lineage)));
  return last.reduce<Revision | null>((newest, one) => (newest === null || isNewer(one, newest) ? one : newest), null);
}

/** Of two revisions that do not descend from one another: the later in time, and of one millisecond always the same. */
function isNewer(one: Revision, other: Revision): boolean {
  if (one.timestamp !== other.timestamp) return one.timestamp > other.timestamp;
  return one.env === other.env ? one.revision > other.revision : one.env > other.env;
}

/** How the platforms descend from one another. Without a common ancestor, an empty platform has nothing to lose. */
export function relate(source: Revision, target: Revision, base: Revision | null): Relation {
  const origin = base?.platform ?? EMPTY_ROOT;
  if (source.platform === target.platform) return "identical";
  if (target.platform === origin) return "source_ahead";
  return source.platform === origin ? "target_ahead" : "diverged";
}
