import { EVERY } from "./access.ts";
import type { Alerts } from "./alerts.ts";
import { may } from "./callers.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { isObject } from "./json.ts";
import { auditSeq, keys, SYSTEM_PARTITION } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord, Caller, Page, PageRequest } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import type { Json, Store } from "./ports.ts";
import { turn } from "./scan.ts";
import { AUDIT_ORIGIN, auditHash, type Project, projectNotFound } from "./transaction.ts";
import { cursorNumber } from "./versions.ts";

interface AuditFilter {
  readonly env?: string | undefined;
  readonly action?: string | undefined;
  readonly actor?: string | undefined;
}

/** What goes out of a log, and what is stated of it: the head's hash covers every record. */
interface AuditExport {
  readonly records: AsyncIterable<AuditRecord>;
  readonly statement: { readonly project_id: string; readonly records: number; readonly head: string; readonly exported_at: string };
}

interface AuditVerification {
  readonly valid: boolean;
  readonly records: number;
  /** `<seq>:<hash>` of the newest record: what `expect` takes later. */
  readonly head: string;
  readonly broken_at?: number;
  readonly reason?: string;
}

/** A project's audit log: a hash chain, written by `ledger.ts` in the commit of the change that it tells of. */
export class Audit {
  readonly #store: Store;
  readonly #alerts: Pick<Alerts, "raise"> | null;

  /** `alerts` hear of a chain that is broken. */
  constructor(store: Store, alerts: Pick<Alerts, "raise"> | null = null) {
    this.#store = store;
    this.#alerts = alerts;
  }

  /** Newest first; what is not of one environment is for those alone who may read them all. A page looks at a bounded number of records, so that a rare filter may give short pages. */
  async list(caller: Caller, project: string, page: PageRequest, filter: AuditFilter): Promise<Page<AuditRecord>> {
    return this.#list(caller, await this.#project(project), page, filter);
  }

  /** The audit log of access: tokens, and what was refused to whom. */
  async listAccess(caller: Caller, page: PageRequest, filter: AuditFilter): Promise<Page<AuditRecord>> {
    return this.#list(caller, await this.#access(), page, filter);
  }

  async #list(
    caller: Caller,
    { project_id: project, audit }: Project,
    { limit, cursor }: PageRequest,
    filter: AuditFilter,
  ): Promise<Page<AuditRecord>> {
    let before = cursor === null ? audit.seq + 1 : cursorNumber(cursor);
    const items: AuditRecord[] = [];
    let size = limit * 2;
    for (let looked = 0; looked < LIMITS.listEntries && items.length < limit && before > 1; ) {
      const range = { prefix: keys.auditPrefix, before: keys.audit(before), limit: size, reverse: true };
      const entries = await this.#store.list(project, range);
      // Records that somebody took away are what `verify` is for; the list ends where they end.
      if (entries.length === 0) before = 1;
      for (const { key, value } of entries) {
        const record = value as unknown as AuditRecord;
        before = auditSeq(key);
        looked++;
        if (matches(record, filter) && may(caller, "read", project, record.environment ?? EVERY)) items.push(record);
        if (items.length === limit) break;
      }
      size = Math.max(size, LIMITS.scanPage);
      if (items.length < limit) await turn();
    }
    return { items, next_cursor: before > 1 ? String(before) : null };
  }

  /**
   * Recomputes the chain. `expect` (`<seq>:<hash>`, kept from an earlier call) finds a log whose end was cut off or
   * rewritten as a whole, which the chain alone cannot tell.
   */
  async verify(project: string, expect: string | null, requestId = "verify"): Promise<AuditVerification> {
    return this.#told(await this.#project(project), expect, requestId);
  }

  async verifyAccess(expect: string | null, requestId = "verify"): Promise<AuditVerification> {
    return this.#told(await this.#access(), expect, requestId);
  }

  /** Alerts people where the chain is broken; that somebody expected what never was is no alarm by itself. */
  async #told(of: Project, expect: string | null, requestId: string): Promise<AuditVerification> {
    const verification = await this.#verify(of, expect);
    const alone = verification.valid || expect === null ? verification : await this.#verify(of, null);
    if (!alone.valid) {
      const { project_id: project } = of;
      const message = `The audit log of ${project} is not what was written: ${alone.reason}.`;
      this.#alerts?.raise({ project, severity: "critical", message, triggered_by: "audit verification", request_id: requestId });
    }
    return verification;
  }

  async #verify({ project_id: project, audit }: Project, expect: string | null): Promise<AuditVerification> {
    const expected = expect === null ? null : parseExpectation(expect);
    const head = `${audit.seq}:${audit.hash}`;
    let previous = AUDIT_ORIGIN;
    let seq = 0;
    const broken = (reason: string): AuditVerification => ({ valid: false, records: audit.seq, head, broken_at: seq, reason });
    for await (const record of this.#records(project, audit.seq)) {
      seq++;
      if (!isObject(record as unknown as Json)) return broken(`record ${seq} was altered`);
      const { hash, ...body } = record;
      if (record.seq !== seq) return broken(`record ${seq} is missing`);
      if (record.prev_hash !== previous) return broken(`record ${seq} does not follow the one before it`);
      if (auditHash(body) !== hash) return broken(`record ${seq} was altered`);
      if (expected?.seq === seq && expected.hash !== hash) return broken(`record ${seq} is not the one expected`);
      previous = hash;
    }
    if (seq !== audit.seq || previous !== audit.hash) return broken(`the log ends at record ${seq}, not at ${audit.seq}`);
    if (expected !== null && expected.seq > seq) return broken(`the log ends at record ${seq}, before the expected ${expected.seq}`);
    return { valid: true, records: seq, head };
  }

  /** Oldest first, up to the newest record at the time of the call. */
  async export(project: string): Promise<AuditExport> {
    const { audit } = await this.#project(project);
    const exported_at = (await this.#store.now()).toISOString();
    const statement = { project_id: project, records: audit.seq, head: `${audit.seq}:${audit.hash}`, exported_at };
    return { records: this.#records(project, audit.seq), statement };
  }

  async *#records(project: string, last: number): AsyncGenerator<AuditRecord> {
    for (let from = 1; from <= last; ) {
      const range = { prefix: keys.auditPrefix, from: keys.audit(from), before: keys.audit(last + 1), limit: 1_000 };
      const entries = await this.#store.list(project, range);
      if (entries.length === 0) return;
      for (const { key, value } of entries) {
        from = auditSeq(key) + 1;
        yield value as unknown as AuditRecord;
      }
      await turn();
    }
  }

  async #project(project: string): Promise<Project> {
    checkProject(project);
    const [found] = await documentsOf(this.#store, project).getAll<Project>([keys.project]);
    if (!found) throw projectNotFound(project);
    return found;
  }

  /** The log of access begins with the first token. */
  async #access(): Promise<Project> {
    const [found] = await documentsOf(this.#store, SYSTEM_PARTITION).getAll<Project>([keys.project]);
    return found ?? { project_id: SYSTEM_PARTITION, created_at: "", created_by: "", audit: { seq: 0, hash: AUDIT_ORIGIN, at: "" } };
  }
}

function matches(record: AuditRecord, { env, action, actor }: AuditFilter): boolean {
  return (
    (env === undefined || record.environment === env) &&
    (action === undefined || record.action === action) &&
    (actor === undefined || record.actor === actor)
  );
}

function parseExpectation(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^(\d{1,12}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new AppError("invalid_request", {
    reason: `${quoted(text)} is not a position in the audit log.`,
    fix: 'Send expect=<seq>:<hash>, the "head" of an earlier verification.',
  });
}
