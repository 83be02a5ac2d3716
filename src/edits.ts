import { headTag } from "./etags.ts";
import { type Documents, findRevision } from "./heads.ts";
import { nextOnLine } from "./lineage.ts";
import type { Bump, ChangeSummary, Environment, Labelling, Snapshot } from "./model.ts";
import { appendRevision, exactFree, newLabel } from "./revisions.ts";
import type { Transaction } from "./transaction.ts";

/** What edits of state and of config have in common. */
export interface EditRequest extends Labelling {
  readonly project: string;
  readonly env: string;
  /** Tags of the state that the edit was made on; `null` for whatever is there. */
  readonly ifMatch: readonly string[] | null;
  readonly message?: string | undefined;
}

export interface EditResult {
  readonly status: "updated" | "no_changes";
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly tag: string;
  readonly changes: ChangeSummary;
}

interface Edit {
  readonly action: "update" | "config";
  readonly snapshot: Snapshot;
  /** How much the version rises where the request does not say. */
  readonly bump: Bump;
  readonly changes: ChangeSummary;
}

/** Appends the revision that an edit makes of the head. */
export async function appendEdit(
  tx: Transaction,
  head: Environment,
  request: EditRequest,
  { action, snapshot, bump, changes }: Edit,
): Promise<EditResult> {
  const label = await newLabel(tx, head.version, bump, request);
  const previous = await findRevision(tx, head, head.revision);
  const appended = await appendRevision(tx, {
    head,
    snapshot,
    action,
    version: { create: label },
    message: request.message ?? null,
    parents: [{ env: head.env, revision: head.revision }],
    lineage: nextOnLine(previous.lineage, { env: head.env, revision: head.revision + 1 }),
    changes,
  });
  return editResult("updated", tx.project, appended.head, changes);
}

/** An edit that is only planned: what `PATCH … dry_run` answers. */
export type PlannedEdit = Omit<EditResult, "status"> & { readonly status: "planned" };

/** What an edit would change, where it would be taken: the label that it asks for is looked at as it is by the edit. */
export async function plannedEdit(
  documents: Documents,
  head: Environment,
  { version, bump }: Labelling,
  changes: ChangeSummary,
  isChange: boolean,
): Promise<PlannedEdit> {
  if (isChange && version !== undefined) await exactFree(documents, version, bump);
  return { ...editResult("no_changes", documents.project, head, changes), status: "planned" };
}

export function editResult(status: EditResult["status"], project: string, head: Environment, changes: ChangeSummary): EditResult {
  const { env, version, revision } = head;
  return { status, project_id: project, env, version, revision, tag: headTag(project, head), changes };
}
