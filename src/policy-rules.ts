import { canAgree, people } from "./actors.ts";
import { durationMs } from "./durations.ts";
import { AppError } from "./errors.ts";
import { windowFaults } from "./freeze.ts";
import { isObject } from "./json.ts";
import { LIMITS } from "./limits.ts";
import type { CheckName, EnvironmentType } from "./model.ts";
import { faultText, isEnvironmentName, quoted } from "./names.ts";
import type { EnvironmentPolicy, Policy } from "./policy.ts";
import { POLICY_PRESETS } from "./policy-presets.ts";
import type { Json, JsonObject } from "./ports.ts";

/** How a policy is read: every rule says what it accepts, and every fault is told with its path. */

interface Fault {
  readonly path: string;
  readonly message: string;
}

/** What is wrong with a rule's value, as [path below the rule, message]. */
type Rule = (value: Json) => [string, string][];

const accepts =
  (test: (value: Json) => boolean, message: string): Rule =>
  (value) =>
    test(value) ? [] : [["", message]];

const isName = (value: Json): boolean => typeof value === "string" && isEnvironmentName(value);
const isDuration = (value: Json): boolean => typeof value === "string" && durationMs(value) !== null;
const isListOf = (value: Json, test: (item: Json) => boolean): boolean => Array.isArray(value) && value.every(test);
const isCount = (value: Json): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 20;
const bool = accepts((value) => typeof value === "boolean", "must be true or false");
const duration = accepts(isDuration, "must be a duration such as `30m`");
const mode = accepts((value) => ["fail", "warn", "off"].includes(value as string), 'must be "fail", "warn" or "off"');

/** Checks that may be skipped by force: what the others protect cannot be mended afterwards. */
const FORCEABLE: readonly CheckName[] = [
  "pipeline_order",
  "freeze_window",
  "soak_time",
  "config_complete",
  "secrets_isolated",
  "validation",
  "approvals",
];

const RULES: Readonly<Record<keyof EnvironmentPolicy, Rule>> = {
  protected: bool,
  require_from: accepts(
    (value) => isName(value) || (isListOf(value, isName) && (value as Json[]).length > 0),
    "must be an environment's name or a list of them",
  ),
  soak: duration,
  approvals,
  validation: accepts((value) => ["required", "advisory", "off"].includes(value as string), 'must be "required", "advisory" or "off"'),
  config_complete: mode,
  secrets_isolated: mode,
  freeze: (value) =>
    Array.isArray(value) && value.length <= 50
      ? value.flatMap((window: Json, index) =>
          windowFaults(window).map(([path, message]): [string, string] => [`/${index}${path}`, message]),
        )
      : [["", "must be a list of at most 50 windows"]],
  auto_promote_from: accepts(isName, "must be an environment's name"),
  auto_promote: bool,
  auto_deploy: bool,
  rollback_on_failure: bool,
  forceable: accepts(
    (value) => isListOf(value, (item) => FORCEABLE.includes(item as CheckName)),
    `must be a list of: ${FORCEABLE.join(", ")}`,
  ),
  require_message: bool,
  require_confirmation: bool,
  max_ttl: duration,
};

function approvals(value: Json): [string, string][] {
  const message = "must be a number from 0 to 20, or {count, by?, expires_in?}";
  if (!isObject(value)) return isCount(value) ? [] : [["", message]];
  const { count, by, expires_in, ...unknown } = value;
  const faults: [string, string][] = Object.keys(unknown).map((name) => [`/${name}`, "is not known; known are: count, by, expires_in"]);
  if (!isCount(count ?? null)) faults.push(["/count", "must be a number from 0 to 20"]);
  if (by !== undefined && !isListOf(by, (item) => typeof item === "string" && item !== ""))
    faults.push(["/by", "must be a list of actors"]);
  else if (Array.isArray(by) && typeof count === "number") faults.push(...tooFew(by as string[], count));
  if (expires_in !== undefined && !isDuration(expires_in)) faults.push(["/expires_in", "must be a duration such as `72h`"]);
  return faults;
}

/** Approvals that nobody's promotion could ever get. Where those who are named are too few for one of them who asks, the check says so then. */
function tooFew(by: readonly string[], count: number): [string, string][] {
  const named = people(by);
  const never = named.filter((actor) => !canAgree(actor));
  if (named.length - never.length >= count) return [];
  const why = never.length === 0 ? "" : `: nobody who could agree is called ${never.slice(0, 10).map(quoted).join(" or ")}`;
  return [["/by", `names fewer people than the ${count} that are needed${why}`]];
}

const TYPES: readonly EnvironmentType[] = ["development", "staging", "production", "preview", "custom"];

/** Reads a policy, naming every fault with its path. @throws invalid_policy */
export function parsePolicy(input: Json): Policy {
  if (!isObject(input)) throw invalidPolicy([{ path: "", message: "must be an object" }]);
  if (input["preset"] !== undefined) return presetOf(input);
  const { pipeline, environments, ...unknown } = input;
  const faults: Fault[] = Object.keys(unknown).map((name) => ({
    path: `/${name}`,
    message: "is not known; known are: pipeline, environments, preset",
  }));
  if (pipeline !== undefined) faults.push(...pipelineFaults(pipeline));
  if (environments !== undefined) faults.push(...environmentsFaults(environments, Array.isArray(pipeline) ? pipeline : []));
  if (faults.length > 0) throw invalidPolicy(faults);
  return input as unknown as Policy;
}

function presetOf({ preset, ...rest }: JsonObject): Policy {
  const found = typeof preset === "string" && Object.hasOwn(POLICY_PRESETS, preset) ? POLICY_PRESETS[preset] : undefined;
  if (found === undefined) throw invalidPolicy([{ path: "/preset", message: `must be one of: ${Object.keys(POLICY_PRESETS).join(", ")}` }]);
  const others = Object.keys(rest);
  if (others.length > 0)
    throw invalidPolicy(
      others.map((name) => ({ path: `/${name}`, message: "does not go with a preset: take the preset, read the policy, and change that" })),
    );
  return found;
}

function pipelineFaults(pipeline: Json): Fault[] {
  if (!Array.isArray(pipeline)) return [{ path: "/pipeline", message: "must be a list of environment names" }];
  if (pipeline.length > LIMITS.pipeline) return [{ path: "/pipeline", message: `must have at most ${LIMITS.pipeline} environments` }];
  const seen = new Set<Json>();
  return pipeline.flatMap((name: Json, index) => {
    const path = `/pipeline/${index}`;
    if (!isName(name)) return [{ path, message: "must be an environment's name" }];
    if (seen.has(name)) return [{ path, message: `names ${quoted(name as string)} a second time: a pipeline has no cycles` }];
    seen.add(name);
    return [];
  });
}

function environmentsFaults(environments: Json, pipeline: readonly Json[]): Fault[] {
  if (!isObject(environments)) return [{ path: "/environments", message: "must be an object" }];
  return Object.entries(environments).flatMap(([name, rules]) => {
    const path = `/environments/${name}`;
    const known = name.startsWith("type:") ? TYPES.some((type) => name === `type:${type}`) : isEnvironmentName(name);
    if (!known) return [{ path, message: `must be an environment's name or one of: ${TYPES.map((type) => `type:${type}`).join(", ")}` }];
    if (!isObject(rules)) return [{ path, message: "must be an object" }];
    return [...ruleFaults(path, rules), ...autoPromoteFaults(path, name, rules as EnvironmentPolicy, pipeline)];
  });
}

function ruleFaults(path: string, rules: Readonly<Record<string, Json>>): Fault[] {
  return Object.entries(rules).flatMap(([name, value]) => {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as keyof EnvironmentPolicy] : undefined;
    if (rule === undefined) return [{ path: `${path}/${name}`, message: `is not known; known are: ${Object.keys(RULES).join(", ")}` }];
    return rule(value).map(([below, message]) => ({ path: `${path}/${name}${below}`, message }));
  });
}

function autoPromoteFaults(path: string, env: string, rules: EnvironmentPolicy, pipeline: readonly Json[]): Fault[] {
  const faults: Fault[] = [];
  if (rules.auto_promote_from === env) faults.push({ path: `${path}/auto_promote_from`, message: "names the environment itself" });
  const needsPipeline = rules.auto_promote === true && rules.auto_promote_from === undefined;
  if (needsPipeline && pipeline.indexOf(env) < 1) {
    faults.push({
      path: `${path}/auto_promote`,
      message: env.startsWith("type:")
        ? "cannot stand under a type: say auto_promote_from, or name the environment"
        : "needs an environment before this one in the pipeline, or auto_promote_from",
    });
  }
  return faults;
}

export function invalidPolicy(found: readonly Fault[]): AppError {
  const count = found.length === 1 ? "a fault" : `${found.length} faults`;
  const faults = found.slice(0, LIMITS.faults).map(({ path, message }) => ({ path: faultText(path), message }));
  const more = found.length > faults.length ? `; and ${found.length - faults.length} more` : "";
  return new AppError("invalid_policy", {
    reason: `The policy has ${count}: ${faults.map(({ path, message }) => `${path || "it"} ${message}`).join("; ")}${more}.`,
    fix: 'Mend each path in details.faults, for example {"environments":{"production":{"protected":true}}}.',
    details: { faults },
  });
}
