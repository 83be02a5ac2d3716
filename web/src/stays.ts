import type { AuditRecord, Environment, Revision } from "./api.ts";

/** How the last deployment of a revision went; `null` where none was reported. */
type Outcome = "deployed" | "failed" | null;

/** A time that one state of an environment lasted. */
export interface Stay {
  readonly revision: number;
  readonly version: string;
  readonly by: string;
  readonly from: string;
  /** `null` for what is now. */
  readonly until: string | null;
  readonly outcome: Outcome;
}

/**
 * Newest first. Revisions that changed nothing of what runs (`expire`, `archive`) are no stays. `reports` are the log's records of
 * deployments, newest first; what it has forgotten is known of the environment, where it is what runs.
 */
export function staysOf(
  revisions: readonly Revision[],
  { deployed }: Pick<Environment, "deployed">,
  reports: readonly Pick<AuditRecord, "revision" | "details">[] = [],
): readonly Stay[] {
  const outcomes = new Map<number, Outcome>();
  for (const { revision, details } of [...reports].reverse()) {
    if (revision !== null && (details.status === "deployed" || details.status === "failed")) outcomes.set(revision, details.status);
  }
  return revisions
    .filter(({ action }) => action !== "expire" && action !== "archive")
    .map(({ revision, version, created_by, timestamp, snapshot }, index, all) => ({
      revision,
      version,
      by: created_by,
      from: timestamp,
      until: all[index - 1]?.timestamp ?? null,
      outcome: outcomes.get(revision) ?? (deployed?.snapshot === snapshot ? "deployed" : null),
    }));
}

/** The way back that is proposed: to what was deployed last and worked; else to the version before. */
export function lastHealthy([now, ...before]: readonly Stay[]): Stay | undefined {
  return (
    before.find(({ outcome, version }) => outcome === "deployed" && version !== now?.version) ??
    before.find(({ outcome, version }) => outcome !== "failed" && version !== now?.version) ??
    before[0]
  );
}
