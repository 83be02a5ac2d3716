import { diffFromPrevious, type SnapshotChanges } from "./changes.ts";
import { type Facts, type Relation, runChecks } from "./checks.ts";
import { checkConfigSize } from "./config-store.ts";
import { AppError } from "./errors.ts";
import { checkFlags, EVALUATORS, referencesOf } from "./flag-entries.ts";
import { disabled } from "./flags.ts";
import { freezeAt } from "./freeze.ts";
import { type Documents, findRevision, readableHead, revisionOfVersion, writableHead } from "./heads.ts";
import { LIMITS } from "./limits.ts";
import { type ComponentConflict, mergePlatforms, parseResolutions } from "./merge.ts";
import type { EntryChange } from "./merkle/index.ts";
import type { CheckName, CheckResult, DiffFromPrevious, Environment, Revision, Snapshot, VariableInput } from "./model.ts";
import { quoted } from "./names.ts";
import { planIdOf } from "./plan-id.ts";
import { type EffectivePolicy, policyFor, policyOf } from "./policy.ts";
import type { Hash, Json, JsonObject } from "./ports.ts";
import { mergeBase, relate } from "./relation.ts";
import { newlyRequired, requirementsOf, secretNames, unbound } from "./requirements.ts";
import { longestStay } from "./revisions.ts";
import { factsKey, type SecretFacts } from "./secrets.ts";
import { danglingReferences, isSelective, select } from "./selection.ts";
import type { EditableMaps, Maps } from "./snapshots.ts";
import { checkNewComponent, checkPlatformSize } from "./state.ts";
import { type Unasked, type ValidationFacts, type Verdicts, validationOf } from "./validation.ts";
import { staysSecret } from "./variables.ts";

/** What a promotion is asked to do: everything that its plan depends on. */
export interface PromotionOrder {
  readonly project: string;
  readonly source: string;
  readonly target: string;
  /** An older version of the source, or a prefix of one; its head where left out. */
  readonly version?: string | undefined;
  readonly strategy?: "replace" | "merge" | undefined;
  /** How components in conflict are settled: "ours" is the target's, "theirs" the source's, anything else a body. */
  readonly resolve?: JsonObject | undefined;
  readonly only?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
  /** Flags and vars whose source definitions travel along. */
  readonly flags?: readonly string[] | undefined;
  readonly vars?: readonly string[] | undefined;
  /** Bound in the target along with the promotion. */
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
}

/** The request's variables, sorted; secrets as references, or as `null` where the vault has not been written yet. */
export interface BoundVariables {
  readonly vars: ReadonlyMap<string, string>;
  readonly references: ReadonlyMap<string, Json>;
  /** A keyed fingerprint of what the request gave: part of the plan's id. */
  readonly fingerprint: string | null;
}

/** What is known of the moment and of who asks: never part of a plan's id. */
export interface PlanContext {
  readonly now: string;
  readonly automatic: boolean;
  readonly approvedBy: readonly string[];
  /** Whoever asked for it. */
  readonly requestedBy: string;
  /** Checks to skip where the policy lets an admin skip them. */
  readonly force: Force | null;
  /** Says what the Validation engine finds; or why it is not asked. */
  readonly verdicts: Verdicts | Unasked;
}

export interface Force {
  /** `null`: all that may be skipped. */
  readonly checks: readonly CheckName[] | null;
  readonly by: string;
  readonly reason: string;
}

/** What a promotion would do, and what stands in its way. */
export interface Plan {
  readonly plan_id: string;
  readonly version: string;
  readonly source: { readonly env: string; readonly revision: number };
  readonly target: { readonly env: string; readonly revision: number };
  readonly relation: Relation;
  readonly checks: readonly CheckResult[];
  /** Whether it would be applied: no check failed. */
  readonly applicable: boolean;
  /** Whether the target stays as it is where this is applied. */
  readonly changes_nothing: boolean;
  readonly diff_from_previous: DiffFromPrevious;
  readonly conflicts: readonly ComponentConflict[];
  readonly warnings: readonly string[];
}

/** `full` carries the source's platform as it is; the others make one of their own, under a label of its own. */
type PromotionKind = "full" | "selective" | "merged";

export interface PreparedPlan {
  readonly plan: Plan;
  readonly kind: PromotionKind;
  readonly source: Revision;
  readonly target: Environment;
  readonly targetRevision: Revision;
  readonly platform: Hash;
  readonly config: Hash;
  readonly changes: SnapshotChanges;
}

/** Gathers the facts and makes the plan. Reads only: what `maps` computes stays in it, or in its transaction. */
export async function preparePlan(
  documents: Documents,
  maps: EditableMaps,
  order: PromotionOrder,
  variables: BoundVariables,
  context: PlanContext,
): Promise<PreparedPlan> {
  const { source, sourceHead, target } = await findSides(documents, order, context.now);
  const targetRevision = await findRevision(documents, target, target.revision);
  const { policy, revision: policyRevision } = await policyOf(documents);
  const base = source.platform === target.platform ? null : await mergeBase(documents, source, targetRevision);
  const relation = relate(source, targetRevision, base);
  const outcome = await platformOutcome(maps, order, { source, target, base, relation });
  const edits = await configEdits(maps, order, source, { platform: outcome.platform, config: target.config }, variables);
  await checkCarriedFlags(maps, target, edits);
  const { root: config, changes: configChanges } = await maps.edit(target.config, edits);
  if (configChanges.length > 0) await checkConfigSize(maps, config, target.config);
  const changes = { platform: await maps.diff(target.platform, outcome.platform), config: configChanges };
  const isNothing = outcome.conflicts.length === 0 && changesNothing({ changes, source, target, kind: outcome.kind }, relation);
  const requirements = await requirementsOf(maps, outcome.platform);
  const targetPolicy = policyFor(policy, target.env, target.type);
  const facts: Facts = {
    project: order.project,
    source,
    target,
    policy,
    targetPolicy,
    automatic: context.automatic,
    changesNothing: isNothing,
    relation,
    base: base && { env: base.env, revision: base.revision },
    lost: outcome.kind === "merged" || relation === "source_ahead" ? [] : await lostChanges(maps, base, target, changes.platform),
    strategy: order.strategy ?? null,
    conflicts: outcome.conflicts,
    requirements,
    unbound: await unbound(maps, requirements, config),
    copiedSecrets: await copiedSecrets(documents, maps, config),
    freeze: freezeAt(targetPolicy.freeze, new Date(context.now)),
    soakedMs: targetPolicy.soak === undefined ? 0 : await longestStay(documents, sourceHead, source.platform, context.now),
    validation: await validationFacts(documents, maps, context.verdicts, targetPolicy, target, outcome),
    approvedBy: context.approvedBy,
    requestedBy: context.requestedBy,
  };
  const checks = forced(runChecks(facts), targetPolicy.forceable, context.force);
  const required = await newlyRequired(maps, changes.platform);
  const plan: Plan = {
    plan_id: planId(order, source, target, policyRevision, variables.fingerprint),
    version: source.version,
    source: { env: source.env, revision: source.revision },
    target: { env: target.env, revision: target.revision },
    relation,
    checks,
    applicable: !checks.some(({ status }) => status === "failed"),
    changes_nothing: isNothing,
    diff_from_previous: diffFromPrevious(
      changes,
      required.filter(({ kind }) => kind !== "flag").map(({ name }) => name),
    ),
    conflicts: outcome.conflicts,
    warnings:
      outcome.kind === "selective" ? await danglingReferences(maps, changes.platform, outcome.platform, source.platform, config) : [],
  };
  return { plan, kind: outcome.kind, source, target, targetRevision, platform: outcome.platform, config, changes };
}

/**
 * The same content under another label is a change: the target runs that version from now on. So is a merge of two histories that had
 * parted, whatever comes of it: what was settled would be asked again by the next one.
 */
function changesNothing(
  { changes, source, target, kind }: Pick<PreparedPlan, "changes" | "source" | "target" | "kind">,
  relation: Relation,
): boolean {
  if (changes.platform.length + changes.config.length > 0) return false;
  return kind === "full" ? source.version === target.version : kind === "selective" || relation !== "diverged";
}

/** With conflicts there is no candidate yet whose flows could be looked at. */
async function validationFacts(
  documents: Documents,
  maps: Maps,
  verdicts: PlanContext["verdicts"],
  { validation }: EffectivePolicy,
  target: Environment,
  { platform, conflicts }: Outcome,
): Promise<ValidationFacts | Unasked> {
  if (typeof verdicts === "string") return verdicts;
  if (validation === "off" || conflicts.length > 0) return "not_now";
  return validationOf(documents, maps, verdicts, target, platform);
}

export async function findSides(
  documents: Documents,
  order: PromotionOrder,
  now: string,
): Promise<{ source: Revision; sourceHead: Environment; target: Environment }> {
  const sourceHead = await readableHead(documents, order.source, async () => now);
  const target = await writableHead(documents, order.target, now);
  const number = order.version === undefined ? sourceHead.revision : await revisionOfVersion(documents, sourceHead, order.version);
  return { source: await findRevision(documents, sourceHead, number), sourceHead, target };
}

interface Outcome {
  readonly platform: Hash;
  readonly kind: PromotionKind;
  readonly conflicts: readonly ComponentConflict[];
}

interface Sides {
  readonly source: Revision;
  readonly target: Environment;
  readonly base: Revision | null;
  readonly relation: Relation;
}

/** The platform that the target would have. With conflicts that is the target's own: nothing will be applied. */
async function platformOutcome(maps: EditableMaps, order: PromotionOrder, sides: Sides): Promise<Outcome> {
  const { source, target } = sides;
  if (order.strategy === "merge") return mergedOutcome(maps, order, sides);
  if (!isSelective(order)) return { platform: source.platform, kind: "full", conflicts: [] };
  const changes = await maps.diff(target.platform, source.platform);
  const chosen = await select(maps, [source.platform, target.platform], changes, order);
  if (chosen.length === changes.length) return { platform: source.platform, kind: "full", conflicts: [] };
  const { root } = await maps.edit(target.platform, new Map(), chosen);
  await checkPlatformSize(maps, root, target.platform);
  return { platform: root, kind: "selective", conflicts: [] };
}

async function mergedOutcome(maps: EditableMaps, order: PromotionOrder, { source, target, base, relation }: Sides): Promise<Outcome> {
  const resolutions = parseResolutions(order.resolve ?? {});
  if (relation === "identical" || relation === "source_ahead") {
    refuseUnused([...resolutions.keys()]);
    return { platform: source.platform, kind: "full", conflicts: [] };
  }
  if (base === null) {
    throw new AppError("unrelated_histories", {
      reason: `${quoted(source.env)} and ${quoted(target.env)} have no common ancestor, so there is nothing to merge against.`,
      fix: 'Use "strategy":"replace" once; from then on they have one.',
    });
  }
  const merge = await mergePlatforms(maps, { base: base.platform, ours: target.platform, theirs: source.platform }, resolutions);
  refuseUnused(merge.unusedResolutions);
  if (merge.conflicts.length > 0) return { platform: target.platform, kind: "merged", conflicts: merge.conflicts };
  // Two valid bodies may merge to one that is not.
  for (const name of [...merge.merged, ...merge.resolved]) {
    const body = merge.edits.get(name);
    if (body !== undefined) checkNewComponent(name, body);
  }
  const { root } = await maps.edit(target.platform, merge.edits, merge.fromTheirs);
  await checkPlatformSize(maps, root, target.platform);
  return { platform: root, kind: root === source.platform ? "full" : "merged", conflicts: [] };
}

export function refuseUnused(names: readonly string[]): void {
  if (names.length === 0) return;
  throw new AppError("invalid_request", {
    reason: `There is no conflict to resolve in ${names.slice(0, 10).map(quoted).join(", ")}.`,
    fix: "Give resolutions for the components that the plan's `conflicts` name, and no others.",
  });
}

/** What the target changed on its own and would lose. A change that the source made alike is not lost. */
async function lostChanges(maps: Maps, base: Revision | null, target: Environment, changes: readonly EntryChange[]): Promise<string[]> {
  if (base === null) return changes.filter(({ left }) => left !== null).map(({ key }) => key);
  const own = new Set((await maps.diff(base.platform, target.platform)).map(({ key }) => key));
  return changes.filter(({ key }) => own.has(key)).map(({ key }) => key);
}

/**
 * The target keeps its config. Flags that it lacks come switched off with a whole platform; named flags and vars come as
 * the source has them, with what their rules refer to where the target lacks it; the request's variables are bound.
 */
async function configEdits(
  maps: Maps,
  order: PromotionOrder,
  source: Revision,
  target: Snapshot,
  { vars, references }: BoundVariables,
): Promise<ReadonlyMap<string, Json | undefined>> {
  const whole = !isSelective(order);
  const lacking = whole ? (await maps.diff(target.config, source.config, { prefix: "flags/" })).filter(({ left }) => left === null) : [];
  const definitions = await maps.values(lacking.map(({ right }) => right));
  const flags = [
    ...lacking.map(({ key }, index): [string, Json] => [key, disabled(definitions[index] ?? null)]),
    ...(await carried(maps, source, "flags/", order.flags ?? [])),
  ];
  return new Map<string, Json | undefined>([
    ...(await referredTo(maps, source, target, flags)),
    ...flags,
    ...(await carried(maps, source, "vars/", await notSecret(maps, target, order.vars ?? []))),
    ...[...vars].map(([name, value]) => [`vars/${name}`, value] as const),
    // What becomes a secret is no var any more.
    ...[...references.keys()].map((key) => [`vars/${key.slice("secrets/".length)}`, undefined] as const),
    ...references,
  ]);
}

/** The evaluators that carried flags refer to, and that the target has none of that name of. */
async function referredTo(
  maps: Maps,
  source: Revision,
  target: Snapshot,
  flags: readonly (readonly [string, Json])[],
): Promise<[string, Json][]> {
  const entries = [...new Set(flags.flatMap(([, definition]) => [...referencesOf(definition)]))].map((name) => EVALUATORS + name);
  if (entries.length === 0) return [];
  const [known, rules] = await Promise.all([maps.has(target.config, entries), maps.lookup(source.config, entries)]);
  return entries.flatMap((entry, index): [string, Json][] => {
    const rule = rules[index];
    return known[index] || rule === undefined ? [] : [[entry, rule]];
  });
}

/** What works in the source need not work beside what the target has: its own evaluators mean other rules, and its own flags take their time. */
async function checkCarriedFlags(maps: Maps, target: Environment, edits: ReadonlyMap<string, Json | undefined>): Promise<void> {
  try {
    await checkFlags(maps, target.config, edits);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "invalid_flag") throw error;
    throw new AppError("invalid_flag", {
      reason: `What ${quoted(target.env)} would get does not go with the flags and evaluators that it has: ${error.message}`,
      fix: `Leave the flag out of \`flags\`, give ${quoted(target.env)} a flag of its own under that name, or change what it has there.`,
      details: { ...error.details },
    });
  }
}

async function carried(maps: Maps, source: Revision, prefix: "flags/" | "vars/", names: readonly string[]): Promise<[string, Json][]> {
  const values = await maps.lookup(
    source.config,
    names.map((name) => prefix + name),
  );
  return names.map((name, index) => {
    const value = values[index];
    if (value !== undefined) return [prefix + name, value];
    throw new AppError("key_not_found", {
      reason: `${quoted(source.env)} has no ${prefix.slice(0, -2)} ${quoted(name)} to carry.`,
      fix: `GET …/${source.env}/config lists what it has.`,
    });
  });
}

async function notSecret(maps: Maps, sides: Snapshot, names: readonly string[]): Promise<readonly string[]> {
  const secrets = await secretNames(maps, sides, names);
  const offender = names.find((name) => secrets.has(name));
  if (offender !== undefined) throw staysSecret(offender);
  return names;
}

async function copiedSecrets(documents: Documents, maps: Maps, config: Hash): Promise<string[]> {
  const entries = await maps.entries(config, { prefix: "secrets/", limit: LIMITS.configEntries });
  const bound = entries.filter(({ value }) => value !== null);
  const facts = await documents.getAll<SecretFacts>(bound.map(({ value }) => factsKey(value)));
  return bound.filter((_, index) => (facts[index]?.copied_from ?? null) !== null).map(({ key }) => key.slice("secrets/".length));
}

/**
 * A failed check that the policy calls forceable, and that the force covers, becomes a warning that says who skipped it. One that
 * the force covers and the policy does not says so, so that nobody takes the force for lost.
 */
function forced(checks: readonly CheckResult[], forceable: readonly CheckName[], force: Force | null): CheckResult[] {
  if (force === null) return [...checks];
  return checks.map((check): CheckResult => {
    if (check.status !== "failed" || !(force.checks?.includes(check.name) ?? true)) return check;
    if (!forceable.includes(check.name)) return { ...check, reason: `${check.reason} The policy does not let it be skipped.` };
    const reason = `${check.reason} Skipped by ${force.by}: ${force.reason}.`;
    return { ...check, status: "warning", reason, details: { ...check.details, forced: true } };
  });
}

/**
 * Names what was planned: both sides, the policy and the order, its values by keyed hash. Neither time nor outcomes are
 * part of it: applying evaluates the checks again.
 */
export function planId(
  order: PromotionOrder,
  source: Revision,
  target: Environment,
  policyRevision: number,
  fingerprint: string | null,
): string {
  const { project, source: _, target: __, version: ___, env_variables: ____, ...choices } = order;
  const covered = {
    project,
    source: [source.env, source.revision, source.snapshot],
    target: [target.env, target.revision],
    policy: policyRevision,
    env_variables: fingerprint,
    ...(JSON.parse(JSON.stringify(choices)) as JsonObject),
  };
  return planIdOf("env-plan", covered);
}
