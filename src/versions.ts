import { SOME } from "./access.ts";
import { may } from "./callers.ts";
import { diffFromPrevious, isRemoved, type SnapshotChanges, summary } from "./changes.ts";
import { checkConfigSize } from "./config-store.ts";
import { AppError } from "./errors.ts";
import { type Documents, documentsOf, findHead, findRevision, resolveRevision, writableHead } from "./heads.ts";
import { auditSeq, keys } from "./keys.ts";
import { exactLabel } from "./labels.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { newLine } from "./lineage.ts";
import type { AuditRecord, Caller, DiffFromPrevious, Label, Page, PageRequest, Revision } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import { checkPlan, planIdOf } from "./plan-id.ts";
import { checkMayEdit, checkWord, policyOf } from "./policy.ts";
import type { Hash, Json, Store } from "./ports.ts";
import { newlyRequired } from "./requirements.ts";
import { appendRevision } from "./revisions.ts";
import { turn } from "./scan.ts";
import { factsKey, type SecretFacts, type Secrets } from "./secrets.ts";
import type { EditableMaps, Maps, Snapshots } from "./snapshots.ts";
import { type Project, projectNotFound } from "./transaction.ts";

/** One entry of the version log. */
type VersionEntry = Omit<Revision, "lineage" | "platform" | "config">;

export interface RollbackRequest {
  readonly project: string;
  readonly env: string;
  /** A version or a prefix of one, a revision number, or a time. */
  readonly to: string | number;
  /** Only where this revision is the head still; otherwise nothing changes. */
  readonly from?: number | undefined;
  /** Keeps the secrets of today instead of those of the revision restored. */
  readonly secrets?: "keep_current" | undefined;
  readonly dry_run?: boolean | undefined;
  /** Does what this plan says, or is refused. */
  readonly plan_id?: string | undefined;
  readonly message?: string | undefined;
  /** The environment's name once more, where the policy asks for it. */
  readonly confirm?: string | undefined;
}

interface RollbackResult {
  readonly status: "rolled_back" | "planned" | "no_changes";
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly restored_revision: number;
  /** Covers the head, the revision restored and the request. */
  readonly plan_id: string;
  readonly diff_from_previous: DiffFromPrevious;
}

/** The history of environments, and the way back in it. */
export class Versions {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
  }

  /** The version log of one environment, newest first. A cursor is the last revision number seen. */
  async revisions(project: string, env: string, { limit, cursor }: PageRequest): Promise<Page<VersionEntry>> {
    await findHead(documentsOf(this.#store, project), env);
    const range = { prefix: keys.revisionPrefix(env), limit: limit + 1, reverse: true };
    const before = cursor === null ? {} : { before: keys.revision(env, cursorNumber(cursor)) };
    const entries = await this.#store.list(project, { ...range, ...before });
    const items = entries.slice(0, limit).map(({ value }) => versionEntry(value as unknown as Revision));
    return { items, next_cursor: entries.length > limit ? String(items.at(-1)?.revision) : null };
  }

  async revision(project: string, env: string, revision: number): Promise<VersionEntry> {
    const documents = documentsOf(this.#store, project);
    return versionEntry(await findRevision(documents, await findHead(documents, env), revision));
  }

  /**
   * The project's versions, newest first: one entry for each label, from the revision that made it. They are found in
   * the audit log, so that they need no list of their own; a cursor is the last sequence number looked at. A page looks at a bounded
   * number of records, so that it may be short.
   */
  async versions(caller: Caller, project: string, { limit, cursor }: PageRequest): Promise<Page<VersionEntry>> {
    checkProject(project);
    const documents = documentsOf(this.#store, project);
    const [known] = await documents.getAll<Project>([keys.project]);
    if (!known) throw projectNotFound(project);
    let before = cursor === null ? known.audit.seq + 1 : cursorNumber(cursor);
    const made: AuditRecord[] = [];
    let size = limit * 2;
    for (let looked = 0; looked < LIMITS.listEntries && made.length < limit && before > 1; ) {
      const entries = await this.#store.list(project, {
        prefix: keys.auditPrefix,
        before: keys.audit(before),
        limit: size,
        reverse: true,
      });
      if (entries.length === 0) before = 1;
      for (const { key, value } of entries) {
        const record = value as unknown as AuditRecord;
        before = auditSeq(key);
        looked++;
        if (record.details["new_version"] === true && may(caller, "read", project, record.environment ?? SOME)) made.push(record);
        if (made.length === limit) break;
      }
      size = Math.max(size, LIMITS.scanPage);
      if (made.length < limit) await turn();
    }
    const revisions = await documents.getAll<Revision>(
      made.map(({ environment, revision }) => keys.revision(environment ?? "", revision ?? 0)),
    );
    return { items: revisions.filter((revision) => revision !== null).map(versionEntry), next_cursor: before > 1 ? String(before) : null };
  }

  /** The entry of the revision that made a label. */
  async version(caller: Caller, project: string, version: string): Promise<VersionEntry> {
    checkProject(project);
    const name = exactLabel(version);
    const documents = documentsOf(this.#store, project);
    const [known, label] = await documents.getAll<Label>([keys.project, keys.label(name)]);
    if (!known) throw projectNotFound(project);
    if (!label || !may(caller, "read", project, label.env)) {
      throw new AppError("version_not_found", {
        reason: `Project ${quoted(project)} has no version ${quoted(name)}.`,
        fix: `GET /env/${project}/versions lists them.`,
      });
    }
    return versionEntry(await findRevision(documents, await findHead(documents, label.env), label.revision));
  }

  /**
   * Makes an environment what it was: platform and config, secret references included, as a new revision that links the
   * restored one's version; and places a hold, so that no automatic promotion undoes it.
   * @throws secret_unavailable where the vault no longer has what the restored config refers to
   */
  async rollback(caller: Caller, request: RollbackRequest): Promise<RollbackResult> {
    const { project } = request;
    checkProject(project);
    if (request.dry_run)
      return (await this.#planRollback(documentsOf(this.#store, project), this.#snapshots.draft(project), caller, request)).result;
    return this.#ledger.once(project, caller, () => this.#apply(caller, request));
  }

  async #apply(caller: Caller, request: RollbackRequest): Promise<RollbackResult> {
    const { project, env } = request;
    return this.#ledger.write(project, caller, async (tx) => {
      const { head, target, config, changes, result } = await this.#planRollback(tx, this.#snapshots.edit(tx), caller, request, tx.clock);
      checkPlan(request.plan_id, result.plan_id, "The environment, or what the request means by now,");
      if (result.status === "no_changes") return result;
      if (request.from !== undefined && request.from !== head.revision) return { ...result, status: "no_changes" };
      checkWord((await policyOf(tx)).policy, head, request);
      const self = { env, revision: head.revision + 1 };
      const reason = request.message ?? `rolled back to ${target.version}`;
      const { head: next } = await appendRevision(tx, {
        head: { ...head, hold: { by: caller.actor, at: tx.now, reason } },
        snapshot: { platform: target.platform, config },
        action: "rollback",
        version: { link: target.version },
        message: request.message ?? null,
        parents: [{ env, revision: target.revision }],
        lineage: newLine([target.lineage], self),
        changes: summary(changes),
        audit: { restored_revision: target.revision, secrets: request.secrets ?? "restored" },
      });
      return { ...result, status: "rolled_back", revision: next.revision };
    });
  }

  async #planRollback(documents: Documents, maps: EditableMaps, caller: Caller, request: RollbackRequest, now?: string) {
    const head = await writableHead(documents, request.env, now ?? (await this.#store.now()).toISOString());
    await checkMayEdit(documents, caller, head);
    const target = await resolveRevision(documents, head, request.to);
    const config = request.secrets === "keep_current" ? await withSecretsOf(maps, target.config, head.config) : target.config;
    const changes: SnapshotChanges = {
      platform: await maps.diff(head.platform, target.platform),
      config: await maps.diff(head.config, config),
    };
    await this.#checkSecrets(documents, maps, request, changes);
    const required = (await newlyRequired(maps, changes.platform)).filter(({ kind }) => kind !== "flag").map(({ name }) => name);
    // As in a promotion, the same content under another label is a change: the environment runs that version from now on.
    const same = changes.platform.length + changes.config.length === 0 && target.version === head.version;
    const result: RollbackResult = {
      status: same ? "no_changes" : "planned",
      env: request.env,
      version: target.version,
      revision: head.revision,
      restored_revision: target.revision,
      plan_id: planIdOf("env-rollback", {
        project: request.project,
        head: [head.env, head.revision],
        restored: target.revision,
        secrets: request.secrets ?? null,
      }),
      diff_from_previous: diffFromPrevious(changes, required),
    };
    return { head, target, config, changes, result };
  }

  /**
   * Of the references that would return, all must still have their value. Those that stay are not asked about. The facts
   * are asked too, in the transaction: from the commit that gives an entry up they are gone, and the vault hears of it later.
   */
  async #checkSecrets(documents: Documents, maps: Maps, { project, env }: RollbackRequest, { config }: SnapshotChanges): Promise<void> {
    const returning = config.filter((change) => change.key.startsWith("secrets/") && !isRemoved(change));
    const references = await maps.values(returning.map(({ right }) => right));
    const facts = await documents.getAll<SecretFacts>(references.map((reference) => factsKey(reference ?? null)));
    const found = await this.#secrets.exist(
      project,
      env,
      references.map((reference) => reference ?? null),
    );
    const missing = returning.filter((_, index) => !found[index] || !facts[index]).map(({ key }) => key.slice("secrets/".length));
    if (missing.length === 0) return;
    throw new AppError("secret_unavailable", {
      reason: `The vault no longer has the old values of: ${missing.slice(0, 20).join(", ")}.`,
      fix: 'Send the rollback with "secrets":"keep_current" to keep today\'s secrets.',
      details: { secrets: missing },
    });
  }
}

/** A config with all of its secret references replaced by another's. What is a secret there was a var here perhaps, and is none any more. */
async function withSecretsOf(maps: EditableMaps, config: Hash, secrets: Hash): Promise<Hash> {
  const changes = await maps.diff(config, secrets, { prefix: "secrets/" });
  const values = await maps.values(changes.map(({ right }) => right));
  const turned = changes
    .filter((change) => !isRemoved(change))
    .map(({ key }) => [`vars/${key.slice("secrets/".length)}`, undefined] as const);
  const edits = new Map<string, Json | undefined>([...turned, ...changes.map(({ key }, index) => [key, values[index]] as const)]);
  const { root } = await maps.edit(config, edits);
  await checkConfigSize(maps, root, config);
  return root;
}

function versionEntry(revision: Revision): VersionEntry {
  const { lineage, platform, config, ...entry } = revision;
  return entry;
}

export function cursorNumber(cursor: string): number {
  if (/^\d{1,12}$/.test(cursor)) return Number(cursor);
  throw new AppError("invalid_request", {
    reason: `${quoted(cursor)} is not a cursor of this list.`,
    fix: "Send the next_cursor of the page before, or none for the first page.",
  });
}
