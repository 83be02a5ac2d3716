import { AppError } from "./errors.ts";
import type { Documents } from "./heads.ts";
import { isObject } from "./json.ts";
import { keys } from "./keys.ts";
import { type Ledger, projectNotFound } from "./ledger.ts";
import type { Caller, EnvironmentType } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import type { Json, Store } from "./ports.ts";

/** What a project demands of the promotions into one environment, or into all environments of one type. */
export interface EnvironmentPolicy {
  /** The platform state changes by promotion alone. */
  readonly protected?: boolean;
  /** Whether a promotion with unbound required keys is refused. */
  readonly config_complete?: "fail" | "warn" | "off";
  /** Whether a secret that is still a copy of another environment's refuses a promotion. */
  readonly secrets_isolated?: "fail" | "warn" | "off";
}

export interface Policy {
  /** The order in which versions travel. Environments outside it are not bound by it. */
  readonly pipeline?: readonly string[];
  /** By environment name, or by type as `type:production`. What an environment's own name says wins. */
  readonly environments?: Readonly<Record<string, EnvironmentPolicy>>;
}

/** The document `policy`. A project without one has revision 0 and demands nothing but complete config. */
export interface PolicyDocument {
  readonly revision: number;
  readonly policy: Policy;
  readonly updated_at: string;
  readonly updated_by: string;
}

const NO_POLICY = { revision: 0, policy: {} } as const;
const DEFAULTS = { protected: false, config_complete: "fail", secrets_isolated: "warn" } as const satisfies EnvironmentPolicy;

/** What the policy says of one environment: defaults, then its type's, then its own. */
export function policyFor(policy: Policy, env: string, type: EnvironmentType): Required<EnvironmentPolicy> {
  return { ...DEFAULTS, ...policy.environments?.[`type:${type}`], ...policy.environments?.[env] };
}

export async function policyOf(documents: Documents): Promise<Pick<PolicyDocument, "revision" | "policy">> {
  const [found] = await documents.getAll<PolicyDocument>([keys.policy]);
  return found ?? NO_POLICY;
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
    return { project_id: project, revision, policy, tag: policyTag(revision) };
  }

  async replace(caller: Caller, project: string, input: Json, ifMatch: readonly string[] | null) {
    checkProject(project);
    const policy = parsePolicy(input);
    return this.#ledger.write(project, caller, async (tx) => {
      await tx.existingProject();
      const current = await policyOf(tx);
      if (ifMatch !== null && !ifMatch.includes("*") && !ifMatch.includes(policyTag(current.revision))) {
        throw new AppError("precondition_failed", { reason: "The policy changed since it was read.", fix: "Read it again, then send the change again." });
      }
      const revision = current.revision + 1;
      tx.put(keys.policy, { revision, policy, updated_at: tx.now, updated_by: caller.actor } satisfies PolicyDocument);
      await tx.audit({ action: "policy", details: { revision, policy: policy as unknown as Json } });
      return { status: "updated" as const, project_id: project, revision, policy, tag: policyTag(revision) };
    });
  }
}

function policyTag(revision: number): string {
  return `policy-${revision}`;
}

interface Fault {
  readonly path: string;
  readonly message: string;
}

/** Reads a policy, naming every fault with its path. @throws invalid_policy */
export function parsePolicy(input: Json): Policy {
  const faults: Fault[] = [];
  if (!isObject(input)) throw invalidPolicy([{ path: "", message: "must be an object" }]);
  const { pipeline, environments, ...unknown } = input;
  for (const name of Object.keys(unknown)) faults.push({ path: `/${name}`, message: "is not known; known are: pipeline, environments" });
  if (pipeline !== undefined) faults.push(...pipelineFaults(pipeline));
  if (environments !== undefined) faults.push(...environmentsFaults(environments));
  if (faults.length > 0) throw invalidPolicy(faults);
  return input as unknown as Policy;
}

function pipelineFaults(pipeline: Json): Fault[] {
  if (!Array.isArray(pipeline)) return [{ path: "/pipeline", message: "must be a list of environment names" }];
  return pipeline.flatMap((name: Json, index) => {
    const path = `/pipeline/${index}`;
    if (typeof name !== "string" || !isEnvironmentName(name)) return [{ path, message: "must be an environment's name" }];
    return pipeline.indexOf(name) === index ? [] : [{ path, message: `names ${quoted(name)} a second time: a pipeline has no cycles` }];
  });
}

const MODES = ["fail", "warn", "off"];
const RULES: Readonly<Record<keyof EnvironmentPolicy, { readonly accepts: (value: Json) => boolean; readonly expected: string }>> = {
  protected: { accepts: (value) => typeof value === "boolean", expected: "must be true or false" },
  config_complete: { accepts: (value) => MODES.includes(value as string), expected: 'must be "fail", "warn" or "off"' },
  secrets_isolated: { accepts: (value) => MODES.includes(value as string), expected: 'must be "fail", "warn" or "off"' },
};
const TYPES: readonly EnvironmentType[] = ["development", "staging", "production", "preview", "custom"];

function environmentsFaults(environments: Json): Fault[] {
  if (!isObject(environments)) return [{ path: "/environments", message: "must be an object" }];
  return Object.entries(environments).flatMap(([name, rules]) => {
    const path = `/environments/${name}`;
    const known = name.startsWith("type:") ? TYPES.some((type) => name === `type:${type}`) : isEnvironmentName(name);
    if (!known) return [{ path, message: `must be an environment's name or one of: ${TYPES.map((type) => `type:${type}`).join(", ")}` }];
    if (!isObject(rules)) return [{ path, message: "must be an object" }];
    return Object.entries(rules).flatMap(([rule, value]) => {
      const known = Object.hasOwn(RULES, rule) ? RULES[rule as keyof EnvironmentPolicy] : undefined;
      if (known === undefined) return [{ path: `${path}/${rule}`, message: `is not known; known are: ${Object.keys(RULES).join(", ")}` }];
      return known.accepts(value) ? [] : [{ path: `${path}/${rule}`, message: known.expected }];
    });
  });
}

function isEnvironmentName(name: string): boolean {
  try {
    checkEnvironmentName(name);
    return true;
  } catch {
    return false;
  }
}

function invalidPolicy(faults: readonly Fault[]): AppError {
  return new AppError("invalid_policy", {
    reason: `The policy has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}: ${faults.map(({ path, message }) => `${path || "it"} ${message}`).join("; ")}.`,
    fix: 'Mend each path in details.faults, for example {"environments":{"production":{"protected":true}}}.',
    details: { faults },
  });
}
