import type { Relation } from "../../src/checks.ts";
import type { CheckName, CheckResult, VariableInput } from "../../src/model.ts";
import type { Json } from "../../src/ports.ts";
import {
  approvalRule,
  bumpOf,
  type Change,
  type Components,
  type Config,
  changesBetween,
  checkComponent,
  type Environment,
  edited,
  headOf,
  isFrozen,
  longestStay,
  mergeBaseOf,
  mergeBodies,
  milliseconds,
  newlyRequired,
  Refusal,
  type Revision,
  refuse,
  requirementsOf,
  type Secret,
  same,
  sortVariables,
  syncStatusOf,
  unboundIn,
} from "./reference.ts";
import type { Actor, Expected, World } from "./world.ts";

/** What a promotion should do, and what should stand in its way. */

export interface Order {
  readonly source: string;
  readonly target: string;
  readonly version?: string | undefined;
  readonly strategy?: "replace" | "merge" | undefined;
  readonly resolve?: Readonly<Record<string, Json>> | undefined;
  readonly only?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
  readonly flags?: readonly string[] | undefined;
  readonly vars?: readonly string[] | undefined;
}

export interface Wish extends Order {
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
  readonly force?: readonly CheckName[] | "all" | undefined;
  readonly dryRun?: boolean | undefined;
  /** Nobody asked for it by hand: it is for the deployment of that moment. */
  readonly deployedAt?: number | undefined;
  /** What an earlier plan rested on. */
  readonly basis?: string | undefined;
}

interface Variables {
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, Secret>>;
}

interface Context {
  readonly automatic: boolean;
  readonly approvedBy: readonly string[];
  readonly force: Wish["force"];
}

type Checks = Record<CheckName, CheckResult["status"]>;

export interface Plan {
  readonly source: Revision;
  readonly target: Environment;
  readonly kind: "full" | "selective" | "merged";
  readonly platform: Components;
  readonly config: Config;
  readonly relation: Relation;
  readonly conflicts: readonly string[];
  readonly changes: readonly Change[];
  readonly checks: Checks;
  /** Equal for plans of one order that rest on the same. */
  readonly basis: string;
}

export interface Pending {
  /** As the engine named it. */
  id: string;
  /** What an automatic one is for. */
  readonly once: string | null;
  readonly order: Order;
  readonly variables: Variables;
  readonly force: Wish["force"];
  readonly basis: string;
  readonly sourceRevision: number;
  readonly targetRevision: number;
  readonly requestedBy: string;
  readonly needed: number;
  readonly by: readonly string[] | null;
  readonly expiresAt: number;
  readonly approvals: string[];
  approvedAt: number;
  status: "pending" | "applied" | "rejected" | "voided" | "expired";
  revision: number | null;
}

export class Promotions {
  readonly all: Pending[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  promote(actor: Actor, wish: Wish): Expected {
    const world = this.#world;
    if (wish.source === wish.target) refuse("same_environment");
    if (isSelective(wish) && wish.strategy === "merge") refuse("invalid_request");
    if (wish.resolve !== undefined && wish.strategy !== "merge") refuse("invalid_request");
    if (wish.force !== undefined && !actor.mayForce) refuse("forbidden");
    const { source, target } = this.#sides(wish);
    const isWhole = !isSelective(wish) && wish.strategy !== "merge";
    const platforms = isWhole ? [source.platform] : [source.platform, headOf(target).platform];
    const declared = platforms.flatMap(requirementsOf).filter(({ kind }) => kind === "secret");
    const config = headOf(target).config;
    const isSecret = (name: string) => Object.hasOwn(config.secrets, name) || declared.some((one) => one.name === name);
    const { vars, secrets } = sortVariables(wish.env_variables ?? {}, isSecret);
    const variables = { vars, secrets: world.secretsFrom(secrets) };
    const context = { automatic: wish.deployedAt !== undefined, approvedBy: [], force: wish.force };
    const plan = this.plan(wish, variables, context);
    if (wish.dryRun) return this.#told("planned", plan);
    if (wish.basis !== undefined && wish.basis !== plan.basis) refuse("plan_stale");
    refuseFailed(plan);
    const before = headOf(target);
    const isSame = plan.changes.length === 0 && same(plan.config, before.config);
    const joins = plan.kind === "merged" ? plan.relation === "diverged" : plan.kind === "full" && source.version !== before.version;
    if (isSame && !joins) return { ...this.#told("no_changes", plan), version: before.version };
    if (plan.checks.approvals !== "failed") return this.#apply(actor.name, plan);
    const { env_variables: _, force: __, dryRun: ___, deployedAt, basis: ____, ...order } = wish;
    const rule = approvalRule(world.rules(target));
    // Whatever became of it, an automatic promotion is put up once.
    const once = deployedAt === undefined ? null : `${deployedAt} ${plan.basis}`;
    if (once !== null && this.all.some((one) => one.once === once)) return this.#told("pending_approval", plan);
    this.all.push({
      id: "",
      once,
      order,
      variables,
      force: wish.force,
      basis: plan.basis,
      sourceRevision: source.number,
      targetRevision: before.number,
      requestedBy: actor.name,
      needed: rule.count,
      by: rule.by,
      expiresAt: world.now + rule.lifetime,
      approvals: [],
      approvedAt: 0,
      status: "pending",
      revision: null,
    });
    return this.#told("pending_approval", plan);
  }

  #sides(order: Order): { source: Revision; target: Environment } {
    const source = this.#world.readable(order.source);
    const target = this.#world.writable(order.target);
    const revision = order.version === undefined ? headOf(source) : this.#world.resolve(source, order.version);
    return { source: revision, target };
  }

  plan(order: Order, variables: Variables, context: Context): Plan {
    const { source, target } = this.#sides(order);
    const before = headOf(target);
    const base = same(source.platform, before.platform) ? null : mergeBaseOf(source, before);
    const relation = relationOf(source.platform, before.platform, base?.platform ?? {});
    const outcome = outcomeOf(order, source, before, base, relation);
    const config = this.#config(order, source, { platform: outcome.platform, config: before.config }, variables);
    const changes = changesBetween(before.platform, outcome.platform);
    const checks = this.#checks({ ...outcome, order, source, target, base, relation, config, changes }, context);
    const basis = JSON.stringify([source.env, source.number, target.name, before.number, this.#world.policyRevision]);
    return { ...outcome, source, target, relation, config, changes, checks, basis };
  }

  #config(order: Order, source: Revision, before: Pick<Revision, "platform" | "config">, { vars, secrets }: Variables): Config {
    const lacking = isSelective(order)
      ? []
      : Object.entries(source.config.flags).filter(([name]) => !Object.hasOwn(before.config.flags, name));
    const disabled = lacking.map(([name, flag]) => [name, { ...(flag as object), state: "DISABLED" }] as const);
    const flags = carried(source.config.flags, order.flags ?? []);
    const declared = requirementsOf(before.platform).filter(({ kind }) => kind === "secret");
    const isSecret = (name: string) => Object.hasOwn(before.config.secrets, name) || declared.some((one) => one.name === name);
    if (order.vars?.some(isSecret)) refuse("secret_stays_secret");
    const turned = Object.fromEntries(Object.keys(secrets).map((name) => [name, undefined]));
    return {
      vars: edited(before.config.vars, { ...carried(source.config.vars, order.vars ?? []), ...vars, ...turned }),
      flags: { ...before.config.flags, ...Object.fromEntries(disabled), ...flags },
      secrets: { ...before.config.secrets, ...secrets },
    };
  }

  #checks(
    facts: Pick<Plan, "source" | "target" | "relation" | "conflicts" | "config" | "changes" | "kind" | "platform"> & {
      order: Order;
      base: Revision | null;
    },
    context: Context,
  ): Checks {
    const { source, target, relation, order } = facts;
    const world = this.#world;
    const rules = world.rules(target);
    const stay = rules.soak === undefined ? 0 : longestStay(world.find(source.env), source.platform, world.now);
    const { count } = approvalRule(rules);
    const unbound = unboundIn(facts.platform, facts.config).length > 0;
    const copied = Object.values(facts.config.secrets).some((secret) => secret.copied && !secret.gone);
    const found: Checks = {
      pipeline_order: pipelineOrder(world, source.env, target),
      environment_protected: rules.protected === true ? "passed" : "skipped",
      freeze_window: rules.freeze === undefined || rules.freeze.length === 0 ? "skipped" : passes(!isFrozen(rules, world.now)),
      hold: target.heldAt === null ? "passed" : context.automatic ? "failed" : "warning",
      soak_time: rules.soak === undefined ? "skipped" : passes(stay >= milliseconds(rules.soak)),
      diverged: diverged(facts.conflicts, relation, order.strategy, lost(facts, facts.base)),
      config_complete: modeOf(rules.config_complete ?? "fail", !unbound),
      secrets_isolated: modeOf(rules.secrets_isolated ?? "warn", !copied),
      validation: "skipped",
      approvals: count === 0 ? "skipped" : passes(context.approvedBy.length >= count),
    };
    const { force } = context;
    for (const name of rules.forceable ?? []) {
      if (found[name] === "failed" && (force === "all" || force?.includes(name))) found[name] = "warning";
    }
    return found;
  }

  #apply(by: string, plan: Plan): Expected {
    const { source, target, kind, platform, config, changes } = plan;
    const before = headOf(target);
    const version = kind === "full" ? source.version : this.#world.nextLabel(before.version, bumpOf(changes));
    const result = this.#told("ready_for_deploy", plan);
    const made = this.#world.append(target, by, {
      action: "promote",
      platform,
      config,
      version,
      parents: [before, ...(kind === "selective" ? [] : [source])],
      sourceVersion: kind === "full" ? null : source.version,
    });
    target.heldAt = null;
    return { ...result, version, revision: made.number };
  }

  #told(status: string, plan: Plan): Expected {
    const { source, target, kind, relation, conflicts, checks } = plan;
    return {
      status,
      environment: target.name,
      source_env: source.env,
      source_revision: source.number,
      revision: headOf(target).number,
      version: source.version,
      relation,
      source_version: kind === "full" ? undefined : source.version,
      applicable: status === "planned" ? !Object.values(checks).includes("failed") : undefined,
      conflicts: conflicts.length === 0 ? undefined : conflicts,
      checks,
      diff_from_previous: diffOf(plan),
    };
  }

  approve(actor: Actor, id: string): Expected {
    const pending = this.#find(actor, id);
    if (pending.requestedBy === actor.name) refuse("self_approval");
    if (pending.by !== null && !pending.by.includes(actor.name)) refuse("forbidden");
    if (pending.approvals.includes(actor.name)) refuse("already_approved");
    const lost = this.lost(pending);
    if (lost !== null) {
      pending.status = lost;
      refuse("promotion_closed");
    }
    pending.approvals.push(actor.name);
    pending.approvedAt = this.#world.now;
    return this.#advance(actor.name, pending, pending.once !== null);
  }

  reject(actor: Actor, id: string): Expected {
    const pending = this.#find(actor, id);
    pending.status = "rejected";
    return { status: "rejected", promotion_id: id, environment: pending.order.target };
  }

  #find(actor: Actor, id: string): Pending {
    const pending = this.all.find((one) => one.id === id) ?? refuse("promotion_not_found");
    if (!actor.mayApprove) refuse("forbidden");
    return pending.status === "pending" ? pending : refuse("promotion_closed");
  }

  #advance(by: string, pending: Pending, automatic: boolean): Expected {
    const context = { automatic, approvedBy: pending.approvals, force: pending.force };
    const plan = this.plan(pending.order, pending.variables, context);
    if (Object.values(plan.checks).includes("failed")) return { ...this.#told("pending_approval", plan), promotion_id: pending.id };
    const result = this.#apply(by, plan);
    pending.status = "applied";
    pending.revision = headOf(plan.target).number;
    return { ...result, promotion_id: pending.id };
  }

  /** What a waiting promotion is in truth; `null` while it may go on. */
  lost(pending: Pending): "expired" | "voided" | null {
    if (pending.expiresAt <= this.#world.now) return "expired";
    try {
      const plan = this.plan(pending.order, pending.variables, { automatic: false, approvedBy: [], force: pending.force });
      return plan.basis === pending.basis ? null : "voided";
    } catch (error) {
      if (error instanceof Refusal) return "voided";
      throw error;
    }
  }

  /** The timer of a promotion went off. */
  settle(id: string): void {
    const pending = this.all.find((one) => one.id === id);
    if (pending?.status !== "pending") return;
    const lost = this.lost(pending);
    if (lost !== null) pending.status = lost;
    else if (pending.approvals.length >= pending.needed) {
      // What somebody held after the last approval, nobody has looked at since.
      const { heldAt } = this.#world.find(pending.order.target);
      this.#advance("engine", pending, pending.once !== null || (heldAt ?? 0) > pending.approvedAt);
    }
  }

  /** What was deployed in `source` goes where the policy lets it go by itself. */
  promoteAutomatically(source: string): void {
    const world = this.#world;
    const deployed = world.environments.get(source);
    if (deployed === undefined || syncStatusOf(deployed) !== "in_sync" || deployed.deployed === null) return;
    const deployedAt = deployed.deployed.at;
    const actor = { name: "auto-promotion", mayReveal: false, mayForce: false, mayApprove: false };
    for (const target of [...world.environments.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (target.status !== "active" || world.autoSource(target) !== source) continue;
      try {
        this.promote(actor, { source, target: target.name, deployedAt });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }
  }
}

export function isSelective({ only, except }: Order): boolean {
  return only !== undefined || except !== undefined;
}

function relationOf(source: Components, target: Components, origin: Components): Relation {
  if (same(source, target)) return "identical";
  if (same(target, origin)) return "source_ahead";
  return same(source, origin) ? "target_ahead" : "diverged";
}

function outcomeOf(
  order: Order,
  source: Revision,
  before: Revision,
  base: Revision | null,
  relation: Relation,
): Pick<Plan, "kind" | "platform" | "conflicts"> {
  if (order.strategy === "merge") return mergeOf(order, source, before, base, relation);
  const full = { kind: "full", platform: source.platform, conflicts: [] } as const;
  if (!isSelective(order)) return full;
  const names = [...Object.keys(source.platform), ...Object.keys(before.platform)];
  const patterns = [...(order.only ?? []), ...(order.except ?? [])];
  if (patterns.some((pattern) => !names.some((name) => matches(pattern, name)))) refuse("invalid_request");
  const changes = changesBetween(before.platform, source.platform);
  const chosen = changes.filter(
    ({ name }) => (order.only ?? ["*"]).some((one) => matches(one, name)) && !order.except?.some((one) => matches(one, name)),
  );
  if (chosen.length === changes.length) return full;
  const platform = edited(before.platform, Object.fromEntries(chosen.map(({ name, after }) => [name, after])));
  return { kind: "selective", platform, conflicts: [] };
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function mergeOf(
  order: Order,
  source: Revision,
  before: Revision,
  base: Revision | null,
  relation: Relation,
): Pick<Plan, "kind" | "platform" | "conflicts"> {
  const resolve = order.resolve ?? {};
  if (relation === "identical" || relation === "source_ahead") {
    if (Object.keys(resolve).length > 0) refuse("invalid_request");
    return { kind: "full", platform: source.platform, conflicts: [] };
  }
  if (base === null) refuse("unrelated_histories");
  const { outcome, conflicts, made } = mergePlatforms(base.platform, before.platform, source.platform, resolve);
  if (Object.keys(resolve).some((name) => !conflicts.includes(name))) refuse("invalid_request");
  const open = conflicts.filter((name) => !Object.hasOwn(resolve, name));
  if (open.length > 0) return { kind: "merged", platform: before.platform, conflicts: open };
  for (const name of made) if (outcome[name] !== undefined) checkComponent(name, outcome[name]);
  const platform = edited(outcome, {});
  return { kind: same(platform, source.platform) ? "full" : "merged", platform, conflicts: [] };
}

/** `conflicts`: before they are resolved; `made`: components that are neither side's alone. */
export function mergePlatforms(base: Components, ours: Components, theirs: Components, resolve: Readonly<Record<string, Json>>) {
  const outcome: Record<string, Json> = {};
  const conflicts: string[] = [];
  const made: string[] = [];
  for (const name of [...new Set([...Object.keys(base), ...Object.keys(ours), ...Object.keys(theirs)])].sort()) {
    const { body, conflict } = mergeBodies(base[name], ours[name], theirs[name]);
    if (conflict) conflicts.push(name);
    const resolution = conflict ? resolve[name] : undefined;
    const resolved = resolution === "theirs" ? theirs[name] : resolution === "ours" || resolution === undefined ? body : resolution;
    const settled = resolution === "ours" ? ours[name] : resolved;
    if (settled !== undefined) outcome[name] = settled;
    if (conflict ? resolution !== "ours" : !same(settled, ours[name]) && !same(settled, theirs[name])) made.push(name);
  }
  return { outcome, conflicts, made };
}

/** What the target changed since the base, and would be changed again. */
function lost({ kind, relation, target, changes }: Pick<Plan, "kind" | "relation" | "target" | "changes">, base: Revision | null): boolean {
  if (kind === "merged" || relation === "source_ahead") return false;
  const own = changesBetween(base?.platform ?? {}, headOf(target).platform).map(({ name }) => name);
  return changes.some(({ name }) => own.includes(name));
}

function diverged(conflicts: readonly string[], relation: Relation, strategy: Order["strategy"], loses: boolean) {
  if (relation === "identical") return "passed";
  if (conflicts.length > 0) return "failed";
  if (strategy === "merge" || !loses) return "passed";
  return strategy === "replace" ? "warning" : "failed";
}

function pipelineOrder(world: World, source: string, target: Environment): CheckResult["status"] {
  const { require_from } = world.rules(target);
  if (require_from !== undefined) return passes([require_from].flat().includes(source));
  const { pipeline = [] } = world.policy;
  const position = pipeline.indexOf(target.name);
  return position < 0 ? "skipped" : passes(pipeline[position - 1] === source);
}

function passes(good: boolean): "passed" | "failed" {
  return good ? "passed" : "failed";
}

function modeOf(mode: "fail" | "warn" | "off", good: boolean): CheckResult["status"] {
  if (mode === "off") return "skipped";
  return good ? "passed" : mode === "fail" ? "failed" : "warning";
}

/** @throws what the engine answers where a check other than the approvals failed. */
function refuseFailed({ checks, conflicts }: Plan): void {
  const failed = Object.entries(checks).filter(([name, status]) => status === "failed" && name !== "approvals");
  if (failed.length > 0) {
    throw new Refusal(conflicts.length > 0 ? "merge_conflict" : "checks_failed", {
      checks,
      conflicts: conflicts.length === 0 ? undefined : conflicts,
    });
  }
}

function carried<Value>(from: Readonly<Record<string, Value>>, names: readonly string[]): Record<string, Value> {
  return Object.fromEntries(names.map((name) => [name, from[name] ?? refuse("key_not_found")]));
}

function diffOf({ target, config, changes }: Plan): Expected {
  const { config: old } = headOf(target);
  const named = (list: readonly Change[], ...collections: string[]) =>
    list.flatMap(({ name }) => (collections.includes(name.split("/")[0] ?? "") ? [name.slice(name.indexOf("/") + 1)] : [])).sort();
  const changed = (kind: keyof Config) => changesBetween(old[kind], config[kind]).map(({ name }) => name);
  const added = changes.filter(({ before }) => before === undefined);
  const removed = changes.filter(({ after }) => after === undefined);
  const others = changes.filter(({ before, after }) => before !== undefined && after !== undefined);
  const required = newlyRequired(changes).filter(({ kind }) => kind !== "flag");
  const counted = (list: readonly Change[]) => ({ count: list.length, names: list.map(({ name }) => name) });
  return {
    entities_added: named(added, "entities"),
    logic_changed: named(changes, "flows", "logic").length,
    env_updated: [...new Set([...changed("vars"), ...changed("secrets"), ...required.map(({ name }) => name)])].sort(),
    components: { added: counted(added), changed: counted(others), removed: counted(removed) },
    flags_changed: changed("flags"),
  };
}
