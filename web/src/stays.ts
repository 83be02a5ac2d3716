import type { Environment, Revision } from "./api.ts";

/** A time that one state of an environment lasted. */
export interface Stay {
  readonly revision: number;
  readonly version: string;
  readonly by: string;
  readonly from: string;
  /** `null` for what is now. */
  readonly until: string | null;
  readonly wasDeployed: boolean;
}

/** Newest first. Revisions that changed nothing of what runs (`expire`, `archive`) are no stays. */
export function staysOf(revisions: readonly Revision[], { deployed }: Pick<Environment, "deployed">): readonly Stay[] {
  return revisions
    .filter(({ action }) => action !== "expire" && action !== "archive")
    .map((revision, index, all) => ({
      revision: revision.revision,
      version: revision.version,
      by: revision.created_by,
      from: revision.timestamp,
      until: all[index - 1]?.timestamp ?? null,
      wasDeployed: deployed?.snapshot === revision.snapshot,
    }));
}
