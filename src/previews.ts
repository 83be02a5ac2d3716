import { summary } from "./changes.ts";
import { durationText } from "./durations.ts";
import { AppError } from "./errors.ts";
import { defaultExpiry, type Expiry, expiryOf, hasExpiry } from "./expiry.ts";
import { CREATE_ANEW, findHead, findRevision, isExpired, writableHead } from "./heads.ts";
import { keys } from "./keys.ts";
import { aside, type Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { nextOnLine } from "./lineage.ts";
import type { Caller, Environment, RevisionAction } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import { checkMayEdit, policyOf } from "./policy.ts";
import { appendRevision } from "./revisions.ts";
import type { Secrets } from "./secrets.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Timers } from "./timers.ts";
import type { Transaction } from "./transaction.ts";

export interface ExtendRequest extends Expiry {
  readonly project: string;
  readonly env: string;
  readonly reason?: string | undefined;
}

interface StatusResult<Status extends string> {
  readonly status: Status;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly expires_at: string | null;
}

/** Temporary environments: they end by themselves, and can be brought back for a while. */
export class Previews {
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #timers: Timers;

  constructor(ledger: Ledger, snapshots: Snapshots, secrets: Secrets, timers: Timers) {
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#timers = timers;
  }

  /**
   * Moves a preview's end. One that has come is moved by nobody: it is answered 410 (`environment_expired`), within the grace time too, in
   * which `restore` brings the preview back.
   */
  async extend(caller: Caller, request: ExtendRequest): Promise<StatusResult<"extended">> {
    const { project, env } = request;
    checkProject(project);
    return this.#ledger.once(project, caller, async () => {
      await this.#checkMayEdit(caller, project, env);
      const timer = await this.#timers.prepare(project, env, request);
      const extended = await this.#ledger.write(project, caller, async (tx) => {
        const head = await writableHead(tx, env, tx.clock);
        await checkMayEdit(tx, caller, head);
        const { policy } = await policyOf(tx);
        const expires_at = expiryOf(request, { env, type: head.type, policy, now: tx.clock });
        if (expires_at === null) {
          throw new AppError("invalid_request", {
            reason: "It is not said until when.",
            fix: "Send `expires_in` such as `24h`, or `expires_at`.",
          });
        }
        const next = { ...head, expires_at };
        tx.put(keys.environment(env), next);
        await tx.audit({
          action: "extend",
          environment: env,
          version: head.version,
          revision: head.revision,
          details: { expires_at, before: head.expires_at, ...(request.reason !== undefined && { reason: request.reason }) },
        });
        return statusResult("extended" as const, next);
      });
      return this.#timed(project, timer, extended);
    });
  }

  /** Brings an archived or expired environment back; a preview needs a new end, 24 hours at most where none is given. */
  async restore(caller: Caller, request: ExtendRequest): Promise<StatusResult<"restored">> {
    const { project, env } = request;
    checkProject(project);
    return this.#ledger.once(project, caller, async () => {
      await this.#checkMayEdit(caller, project, env);
      // At its end or before: a timer that comes early is set again.
      const timer = await this.#timers.prepare(project, env, hasExpiry(request) ? request : { expires_in: RESTORED_EARLY });
      const restored = await this.#ledger.write(project, caller, async (tx) => {
        const head = await findHead(tx, env);
        await checkMayEdit(tx, caller, head);
        checkRestorable(head, tx.clock);
        const { policy } = await policyOf(tx);
        const asked = hasExpiry(request) || head.expires_at === null ? request : defaultExpiry(policy, env, LIMITS.previewRestoredMs);
        const expires_at = expiryOf(asked, { env, type: head.type, policy, now: tx.clock });
        return statusResult(
          "restored" as const,
          await appendStatus(tx, { ...head, status: "active", expires_at }, "restore", request.reason),
        );
      });
      return this.#timed(project, timer, restored);
    });
  }

  /** A write may take so long that its timer came, and found nothing to do, before it. */
  async #timed<Result extends StatusResult<string>>(project: string, timer: string | null, result: Result): Promise<Result> {
    if (result.expires_at !== null) await this.#timers.confirm(project, result.env, timer, result.expires_at);
    return result;
  }

  /** Before a timer is set: who may not have it, or names what there is not, leaves nothing behind. The write asks again. */
  async #checkMayEdit(caller: Caller, project: string, env: string): Promise<void> {
    await this.#ledger.write(project, aside(caller), async (tx) => checkMayEdit(tx, caller, await findHead(tx, env)));
  }

  /**
   * The timer's part: appends the `expire` revision when the time has come, once though many instances run, and clears up
   * after the grace time. A timer may come early, since ends move and clocks go back: what is left to do gets another.
   */
  async expire(caller: Caller, project: string, env: string): Promise<void> {
    await this.#ledger.write(project, caller, async (tx) => {
      const head = await tx.get<Environment>(keys.environment(env));
      if (head?.status !== "active" || !isExpired(head, tx.clock)) return;
      await appendStatus(tx, { ...head, status: "expired" }, "expire", undefined);
    });
    const next = await this.#clear(caller, project, env);
    if (next !== null) await this.#timers.set(project, env, next);
  }

  /**
   * After the grace time: the preview's secrets leave the vault, and it cannot be brought back any more. Returns when
   * there is something to do next.
   */
  async #clear(caller: Caller, project: string, env: string): Promise<string | null> {
    return this.#ledger.write(project, caller, async (tx) => {
      const head = await tx.get<Environment>(keys.environment(env));
      if (head?.status === "active") return head.expires_at;
      if (head?.status !== "expired" || head.cleared_at !== null) return null;
      if (graceEndOf(head) > tx.clock) return graceEndOf(head);
      const maps = this.#snapshots.edit(tx);
      const secrets = await maps.entries(head.config, { prefix: "secrets/", limit: LIMITS.configEntries });
      this.#secrets.release(
        tx,
        env,
        secrets.map(({ value }) => value),
      );
      tx.put(keys.environment(env), { ...head, cleared_at: tx.now } satisfies Environment);
      await tx.audit({
        action: "clear",
        environment: env,
        version: head.version,
        revision: head.revision,
        details: { secrets: secrets.length },
      });
      return null;
    });
  }
}

const RESTORED_EARLY = "1s";

function graceEndOf({ expires_at, updated_at }: Environment): string {
  return new Date(Date.parse(expires_at ?? updated_at) + LIMITS.previewGraceMs).toISOString();
}

function checkRestorable(head: Environment, now: string): void {
  if (head.cleared_at !== null || (isExpired(head, now) && graceEndOf(head) <= now)) {
    throw new AppError("environment_expired", {
      reason:
        head.status === "archived"
          ? `The environment ${quoted(head.env)} was archived for so long that its secrets are gone.`
          : `The environment ${quoted(head.env)} expired at ${head.expires_at}, and its grace time of ${durationText(LIMITS.previewGraceMs)} is over.`,
      fix: head.status === "archived" ? "Create an environment of another name." : `You can ${CREATE_ANEW}.`,
    });
  }
  if (head.status === "active" && !isExpired(head, now)) {
    throw new AppError("invalid_transition", {
      reason: `The environment ${quoted(head.env)} is active: there is nothing to restore.`,
      fix: "To go back to an earlier version, use POST /env/rollback; to live longer, POST /env/extend.",
    });
  }
}

/** A revision that changes nothing but the environment's status. */
export async function appendStatus(
  tx: Transaction,
  head: Environment,
  action: RevisionAction,
  reason: string | undefined,
): Promise<Environment> {
  const previous = await findRevision(tx, head, head.revision);
  const appended = await appendRevision(tx, {
    head,
    snapshot: { platform: head.platform, config: head.config },
    action,
    version: { link: head.version },
    message: reason ?? null,
    parents: [{ env: head.env, revision: head.revision }],
    lineage: nextOnLine(previous.lineage, { env: head.env, revision: head.revision + 1 }),
    changes: summary({ platform: [], config: [] }),
  });
  return appended.head;
}

export function statusResult<Status extends string>(
  status: Status,
  { env, version, revision, expires_at }: Environment,
): StatusResult<Status> {
  return { status, env, version, revision, expires_at };
}
