import { may } from "./callers.ts";
import { summary } from "./changes.ts";
import type { EditRequest } from "./edits.ts";
import { AppError, type ErrorCode } from "./errors.ts";
import { originOf } from "./git-origins.ts";
import { type Documents, documentsOf, findRevision } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { nextOnLine } from "./lineage.ts";
import type { ComponentConflict } from "./merge.ts";
import type { Caller, CheckResult, DiffFromPrevious, Environment } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import { checkMayEdit } from "./policy.ts";
import type { Store } from "./ports.ts";
import type { Pulled } from "./pull-base.ts";
import { type PreparedPull, type PullOrder, preparePull } from "./pull-plan.ts";
import { appendRevision, newLabel } from "./revisions.ts";
import { factsKey, type SecretFacts, type Secrets } from "./secrets.ts";
import type { Maps, Snapshots } from "./snapshots.ts";
import { bumpOf } from "./state.ts";
import type { Transaction } from "./transaction.ts";
import type { Validated, Validation } from "./validation.ts";
import { looksSecret } from "./variables.ts";

export interface PullRequest extends PullOrder, Pick<EditRequest, "bump" | "version" | "message"> {
  readonly dry_run?: boolean | undefined;
  /** Applies only what was planned: refused where anything has changed since. */
  readonly plan_id?: string | undefined;
  /** A push brought it about, and nobody asked for it by hand. */
  readonly automatic?: boolean | undefined;
  /** Throws where what the content was read by holds no more. Asked again in the transaction. */
  readonly holds?: ((documents: Documents) => Promise<void>) | undefined;
}

export interface PullResult {
  readonly status: "updated" | "planned" | "no_changes";
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly commit: string;
  /** The commit that was pulled before. */
  readonly pulled_before: string | null;
  readonly plan_id: string;
  readonly checks: readonly CheckResult[];
  readonly diff_from_previous: DiffFromPrevious;
  readonly applicable?: boolean;
  readonly changes_nothing?: boolean;
  readonly conflicts?: readonly ComponentConflict[];
  /** Secrets that the commit refers to and the environment lacks. */
  readonly secrets_unbound: readonly string[];
}

const VARS = "vars/";
const BY_VALUE = "by its value, which the vault keeps";

/** Brings the commits of a repository into an environment: plan purely, then apply as one commit, as a promotion is. */
export class Pulls {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #validation: Validation;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets, validation: Validation) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#validation = validation;
  }

  /** Plans, and applies what the checks let through as one revision; or, with `dry_run`, only plans. */
  async pull(caller: Caller, request: PullRequest): Promise<PullResult> {
    checkProject(request.project);
    checkEnvironmentName(request.env);
    return this.#ledger.once(request.project, caller, () => this.#pull(caller, request));
  }

  /** What was pulled into an environment last. */
  async pulled(project: string, env: string): Promise<Pulled | null> {
    const [found] = await documentsOf(this.#store, project).getAll<Pulled>([keys.pulled(env)]);
    return found ?? null;
  }

  async #pull(caller: Caller, request: PullRequest): Promise<PullResult> {
    const { project } = request;
    const documents = documentsOf(this.#store, project);
    const inquiry = this.#validation.begin(caller.requestId);
    const automatic = request.automatic === true;
    const now = (await this.#store.now()).toISOString();
    await request.holds?.(documents);
    const draft = this.#snapshots.draft(project);
    const preview = await preparePull(documents, draft, request, { now, automatic, verdicts: inquiry ?? "no_engine" });
    await this.#checkVars(preview.head, request);
    const kept = await this.#keptValue(documents, draft, preview, request);
    if (request.dry_run) {
      // A plan leaves no trace: of a value it tells nobody who may not see it anyway.
      if (kept !== null && may(caller, "reveal", project, request.env)) throw secretInVars(kept, BY_VALUE, request.env);
      return resultOf("planned", project, request, preview, preview.head);
    }
    checkCurrent(request, preview);
    return this.#ledger.write(project, caller, async (tx) => {
      const maps = this.#snapshots.edit(tx);
      const context = { now: tx.clock, automatic, verdicts: inquiry?.recalled() ?? ("no_engine" as const) };
      await request.holds?.(tx);
      const prepared = await preparePull(tx, maps, request, context);
      checkCurrent(request, prepared);
      // What is there already is no change, whatever stands in the way of one.
      if (!prepared.changesNothing) checkApplicable(prepared, request);
      await checkMayEdit(tx, caller, prepared.head);
      if (prepared.changesNothing) return keepUp(tx, request, prepared);
      const result = await apply(tx, maps, request, prepared);
      // Last of all, so that whoever tries out values leaves all that are wrong in the history.
      if (kept !== null) throw secretInVars(kept, BY_VALUE, request.env);
      return result;
    });
  }

  /** No secret comes in as a var by what it is called or looks like, unless the environment has a var of that name. @throws secret_stays_secret */
  async #checkVars(head: Environment, { project, env, vars = {} }: PullRequest): Promise<void> {
    const given = Object.entries(vars).flatMap(([name, value]): [string, string][] => (typeof value === "string" ? [[name, value]] : []));
    const known = await this.#snapshots.read(project).has(
      head.config,
      given.map(([name]) => VARS + name),
    );
    const named = given.find(([name, value], index) => !known[index] && looksSecret(name, value));
    if (named !== undefined) throw secretInVars(named[0], "by what it is called or looks like", env);
  }

  /**
   * Nor by being the value of one of the environment's secrets. Short values may be the same by chance, and are not compared.
   * @returns the name of the first such var; `null` where there is none
   */
  async #keptValue(documents: Documents, maps: Maps, { head, changes }: PreparedPull, { project }: PullRequest): Promise<string | null> {
    const coming = changes.config.filter(({ key, right }) => key.startsWith(VARS) && right !== null);
    const values = await maps.values(coming.map(({ right }) => right));
    const long = coming
      .map(({ key }, index) => ({ name: key.slice(VARS.length), value: String(values[index]) }))
      .filter(({ value }) => value.length >= LIMITS.recognisedSecretLength);
    const kept = long.length === 0 ? new Set() : await this.#fingerprints(documents, maps, head);
    for (const { name, value } of kept.size === 0 ? [] : long) {
      if (kept.has(await this.#secrets.fingerprintOf(project, value))) return name;
    }
    return null;
  }

  async #fingerprints(documents: Documents, maps: Maps, head: Environment): Promise<ReadonlySet<string>> {
    const references = await maps.entries(head.config, { prefix: "secrets/", limit: LIMITS.configEntries });
    const facts = await documents.getAll<SecretFacts>(references.map(({ value }) => factsKey(value)));
    return new Set(facts.flatMap((known) => (known === null ? [] : [known.fingerprint])));
  }
}

async function apply(tx: Transaction, maps: Maps, request: PullRequest, prepared: PreparedPull): Promise<PullResult> {
  const { head: before, snapshot, changes, checks } = prepared;
  const previous = await findRevision(tx, before, before.revision);
  const self = { env: before.env, revision: before.revision + 1 };
  if (checks.some(({ name, status }) => name === "validation" && status === "passed")) {
    tx.put(keys.validated(before.env), { platform: snapshot.platform, at: tx.now } satisfies Validated);
  }
  const { head } = await appendRevision(tx, {
    head: before,
    snapshot,
    action: changes.platform.length > 0 ? "update" : "config",
    version: { create: await newLabel(tx, before.version, await bumpOf(maps, changes.platform), request) },
    message: request.message ?? messageOf(request),
    parents: [{ env: before.env, revision: before.revision }],
    lineage: nextOnLine(previous.lineage, self),
    changes: summary(changes),
    git: originOf(request.commit, prepared.rewritten),
    audit: { plan_id: prepared.plan_id, checks: Object.fromEntries(checks.map(({ name, status }) => [name, status])) },
  });
  keep(tx, request, prepared, head.revision);
  return resultOf("updated", tx.project, request, prepared, head);
}

/** Nothing changes but what the next pull begins at. */
async function keepUp(tx: Transaction, request: PullRequest, prepared: PreparedPull): Promise<PullResult> {
  const { head, before } = prepared;
  if (before?.commit !== request.commit.id || before.path !== (request.path ?? "")) {
    keep(tx, request, prepared, head.revision);
    const { version, revision } = head;
    const git = { ...originOf(request.commit, prepared.rewritten) };
    await tx.audit({ action: "pull", environment: head.env, version, revision, details: { git } });
  }
  return resultOf("no_changes", tx.project, request, prepared, head);
}

function keep(tx: Transaction, { env, commit, path = "" }: PullRequest, { theirs }: PreparedPull, revision: number): void {
  const pulled: Pulled = { ...theirs, commit: commit.id, path, revision, at: tx.now, by: tx.caller.actor };
  tx.put(keys.pulled(env), pulled);
}

/** Without the lines in which the engine's own commits say which revision they are: this one is another. */
function messageOf({ commit }: PullRequest): string | null {
  const lines = commit.message.split("\n").filter((line) => !/^Env-[A-Z][a-z]+(-[A-Z][a-z]+)?: /.test(line));
  const text = lines.join("\n").trim();
  return text === "" ? null : [...text].slice(0, LIMITS.messageLength / 2).join("");
}

function checkCurrent({ plan_id }: PullRequest, prepared: PreparedPull): void {
  if (plan_id === undefined || plan_id === prepared.plan_id) return;
  throw new AppError("plan_stale", {
    reason: "The environment, the policy, the commit or the request changed since this plan was made.",
    fix: "Plan again with dry_run:true, look at what changed, and apply the new plan_id.",
    details: { plan_id: prepared.plan_id },
  });
}

function checkApplicable(prepared: PreparedPull, { commit, env }: PullRequest): void {
  const failed = prepared.checks.filter(({ status }) => status === "failed");
  if (failed.length === 0) return;
  const { checks, plan_id, diff, conflicts } = prepared;
  throw new AppError(refusalCode(conflicts, failed), {
    reason: `Pulling ${commit.id.slice(0, 12)} into ${quoted(env)} is refused: ${failed.map(({ reason }) => reason).join(" ")}`,
    fix: failed.map(({ fix }) => fix).join(" "),
    details: { checks, plan_id, diff_from_previous: diff, ...(conflicts.length > 0 && { conflicts }) },
  });
}

function refusalCode(conflicts: readonly ComponentConflict[], failed: readonly CheckResult[]): ErrorCode {
  if (conflicts.length > 0) return "merge_conflict";
  if (failed.every(({ name }) => name === "environment_protected")) return "environment_protected";
  return failed.every(({ details }) => details?.["unavailable"] === true) ? "validation_unavailable" : "checks_failed";
}

function resultOf(
  status: PullResult["status"],
  project: string,
  request: PullRequest,
  { plan_id, before, checks, applicable, changesNothing, conflicts, diff, secretsUnbound }: PreparedPull,
  { env, version, revision }: Environment,
): PullResult {
  return {
    status,
    project_id: project,
    env,
    version,
    revision,
    commit: request.commit.id,
    pulled_before: before?.commit ?? null,
    plan_id,
    checks,
    diff_from_previous: diff,
    ...(status === "planned" && { applicable, changes_nothing: changesNothing }),
    ...(conflicts.length > 0 && { conflicts }),
    secrets_unbound: secretsUnbound,
  };
}

/** Never shows the value. */
function secretInVars(name: string, how: string, env: string): AppError {
  return new AppError("secret_stays_secret", {
    reason: `The repository's config/vars.json holds ${quoted(name)}, which is a secret ${how}.`,
    fix: `Take it out of the repository and of its history, replace it where it is used, and set it with envm secret set ${name} -e ${env}.`,
    details: { name },
  });
}
