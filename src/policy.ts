import { forbidden, may } from "./callers.ts";
import { AppError } from "./errors.ts";
import { isMatch } from "./etags.ts";
import { type FreezeWindow, freezeAt } from "./freeze.ts";
import type { Documents } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { Caller, CheckName, Environment, EnvironmentType } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import { invalidPolicy, parsePolicy } from "./policy-rules.ts";
import type { Json, Store } from "./ports.ts";
import { projectNotFound } from "./transaction.ts";

type Mode = "fail" | "warn" | "off";

/** What a project demands of the promotions into one environment, or into all environments of one type. */
export interface EnvironmentPolicy {
  /** The platform state changes by promotion alone. */
  readonly protected?: boolean;
  /** Promotions come from this environment, or one of these, alone. */
  readonly require_from?: string | readonly string[];
  /** How long the promoted platform must have stayed in its source: `30m`. */
  readonly soak?: string;
  /** How many people besides the requester must agree, and who may; a number alone lets anybody. */
  readonly approvals?: number | { readonly count: number; readonly by?: readonly string[]; readonly expires_in?: string };
  /** Whether the Validation engine's word is needed. */
  readonly validation?: "required" | "advisory" | "off";
  /** Whether a promotion with unbound required keys is refused. */
  readonly config_complete?: Mode;
  /** Whether a secret that is still a copy of another environment's refuses a promotion. */
  readonly secrets_isolated?: Mode;
  readonly freeze?: readonly FreezeWindow[];
  /** Promotes by itself what was deployed successfully in this environment; `true`: in the pipeline's one before. */
  readonly auto_promote_from?: string;
  readonly auto_promote?: boolean;
  /** Asks the Deployment Planner to deploy every new head. */
  readonly auto_deploy?: boolean;
  /** Rolls back to what was deployed before, where a deployment is reported to have failed. */
  readonly rollback_on_failure?: boolean;
  /** Checks that an admin may skip with `force` and a reason. */
  readonly forceable?: readonly CheckName[];
  /** A promotion or rollback must say why. */
  readonly require_message?: boolean;
  /** A promotion or rollback must name the environment in `confirm`, as somebody who means it types it. */
  readonly require_confirmation?: boolean;
  /** The longest life of a preview: `7d`. */
  readonly max_ttl?: string;
}

export interface Policy {
  /** The order in which versions travel. Environments outside it are not bound by it. */
  readonly pipeline?: readonly string[];
  /** By environment name, or by type as `type:production`. What an environment's own name says wins. */
  readonly environments?: Readonly<Record<string, EnvironmentPolicy>>;
}

/** The document `policy`. A project without one has revision 0 and demands nothing but complete config. */
interface PolicyDocument {
  readonly revision: number;
  readonly policy: Policy;
  readonly updated_at: string;
  readonly updated_by: string;
}

/** What holds for one environment when its own rules, its type's and the defaults are put together. */
export type EffectivePolicy = EnvironmentPolicy & Required<Pick<EnvironmentPolicy, keyof typeof DEFAULTS>>;

const NO_POLICY = { revision: 0, policy: {} } as const;
const DEFAULTS = {
  protected: false,
  config_complete: "fail",
  secrets_isolated: "warn",
  validation: "off",
  freeze: [],
  forceable: [],
} as const satisfies EnvironmentPolicy;

/** What the policy says of one environment: defaults, then its type's, then its own. */
export function policyFor(policy: Policy, env: string, type: EnvironmentType): EffectivePolicy {
  return { ...DEFAULTS, ...own(policy, `type:${type}`), ...own(policy, env) };
}

function own({ environments = {} }: Policy, name: string): EnvironmentPolicy | undefined {
  return Object.hasOwn(environments, name) ? environments[name] : undefined;
}

/** How many approvals a promotion needs, and from whom. */
export function approvalsOf({ approvals }: EnvironmentPolicy): {
  readonly count: number;
  readonly by: readonly string[] | null;
  readonly expiresIn: string;
} {
  const rule = typeof approvals === "object" ? approvals : { count: approvals ?? 0 };
  return { count: rule.count, by: rule.by ?? null, expiresIn: rule.expires_in ?? "7d" };
}

/** What somebody says of a promotion or rollback besides what it is. */
interface Word {
  readonly message?: string | undefined;
  readonly confirm?: string | undefined;
}

/** Some environments change for a reason, and by somebody who names them, or not at all. @throws invalid_request */
export function checkWord(policy: Policy, { env, type }: Pick<Environment, "env" | "type">, { message, confirm }: Word): void {
  const { require_message, require_confirmation } = policyFor(policy, env, type);
  if (require_message && !message?.trim()) {
    throw new AppError("invalid_request", {
      reason: `The policy asks why: a promotion to ${quoted(env)}, or a rollback of it, needs a message.`,
      fix: "Send a `message`.",
    });
  }
  if (require_confirmation && confirm !== env) {
    throw new AppError("invalid_request", {
      reason: `The policy asks for a confirmation: a promotion to ${quoted(env)}, or a rollback of it, names the environment once more.`,
      fix: `Send "confirm": "${env}".`,
    });
  }
}

/** The environment whose successful deployment is promoted here by itself. */
export function autoPromoteSource(policy: Policy, env: string, type: EnvironmentType): string | null {
  const rules = policyFor(policy, env, type);
  if (rules.auto_promote_from !== undefined) return rules.auto_promote_from;
  const pipeline = policy.pipeline ?? [];
  return (rules.auto_promote && pipeline[pipeline.indexOf(env) - 1]) || null;
}

export async function policyOf(documents: Documents): Promise<Pick<PolicyDocument, "revision" | "policy">> {
  const [found] = await documents.getAll<PolicyDocument>([keys.policy]);
  return found ?? NO_POLICY;
}

/** Refuses a change of state that is no promotion. @throws environment_protected */
export async function checkUnprotected(documents: Documents, head: Environment): Promise<void> {
  const { policy } = await policyOf(documents);
  if (!policyFor(policy, head.env, head.type).protected) return;
  throw new AppError("environment_protected", {
    reason: `The environment ${quoted(head.env)} is protected: its state changes by promotion alone.`,
    fix: `Make the change in an earlier environment, then POST /env/promote with "target_env":"${head.env}".`,
  });
}

/** Whoever changes a protected environment other than by promotion needs the right to promote to it. @throws forbidden */
export async function checkMayEdit(documents: Documents, caller: Caller, head: Environment): Promise<void> {
  if (may(caller, "promote", documents.project, head.env)) return;
  const { policy } = await policyOf(documents);
  if (!policyFor(policy, head.env, head.type).protected) return;
  throw forbidden(caller, `change ${quoted(head.env)}, which is protected`, "Ask a promoter of this environment, or use the token of one.");
}

export class Policies {
  readonly #store: Store;
  readonly #ledger: Ledger;

  constructor(store: Store, ledger: Ledger) {
    this.#store = store;
    this.#ledger = ledger;
  }

  async read(project: string): Promise<{ project_id: string; revision: number; policy: Policy; tag: string }> {
    checkProject(project);
    const [owner, found] = await this.#store.get(project, [keys.project, keys.policy]);
    if (!owner) throw projectNotFound(project);
    const { revision, policy } = (found?.value as unknown as PolicyDocument | undefined) ?? NO_POLICY;
    return { project_id: project, revision, policy, tag: policyTag(project, revision) };
  }

  async replace(caller: Caller, project: string, input: Json, ifMatch: readonly string[] | null) {
    checkProject(project);
    const policy = parsePolicy(input);
    return this.#ledger.once(project, caller, () => this.#replace(caller, project, policy, ifMatch));
  }

  #replace(caller: Caller, project: string, policy: Policy, ifMatch: readonly string[] | null) {
    return this.#ledger.write(project, caller, async (tx) => {
      await tx.existingProject();
      await checkPipeline(tx, policy);
      checkOpens(policy, new Date(tx.clock));
      const current = await policyOf(tx);
      if (!isMatch(ifMatch, () => policyTag(project, current.revision))) {
        throw new AppError("precondition_failed", {
          reason: "The policy changed since it was read.",
          fix: "Read it again, then send the change again.",
        });
      }
      // Put again as it is, it voids nothing that people agreed to under it.
      if (current.revision > 0 && isSame(current.policy, policy)) return written("no_changes", project, current.revision, policy);
      const revision = current.revision + 1;
      tx.put(keys.policy, { revision, policy, updated_at: tx.now, updated_by: caller.actor } satisfies PolicyDocument);
      await tx.audit({ action: "policy", details: { revision, policy: policy as unknown as Json } });
      return written("updated", project, revision, policy);
    });
  }
}

function written(status: "updated" | "no_changes", project: string, revision: number, policy: Policy) {
  return { status, project_id: project, revision, policy, tag: policyTag(project, revision) };
}

function isSame(one: Policy, other: Policy): boolean {
  return canonicalJson(one as unknown as Json) === canonicalJson(other as unknown as Json);
}

function policyTag(project: string, revision: number): string {
  return `policy-${project}-${revision}`;
}

/** A pipeline leads through environments that exist: a misspelt one would silently bind nobody. */
async function checkPipeline(documents: Documents, { pipeline = [] }: Policy): Promise<void> {
  const found = await documents.getAll(pipeline.map(keys.environment));
  const faults = pipeline.flatMap((name, index) =>
    found[index] ? [] : [{ path: `/pipeline/${index}`, message: `names ${quoted(name)}, which does not exist` }],
  );
  if (faults.length > 0) throw invalidPolicy(faults);
}

/** Windows that leave no opening would lock an environment for good. */
function checkOpens({ environments = {} }: Policy, now: Date): void {
  const faults = Object.entries(environments).flatMap(([name, { freeze = [] }]) => {
    const { closed, next_open } = freezeAt(freeze, now);
    return closed && next_open === undefined
      ? [{ path: `/environments/${name}/freeze`, message: "never opens: shorten a denied window or widen an allowed one" }]
      : [];
  });
  if (faults.length > 0) throw invalidPolicy(faults);
}
