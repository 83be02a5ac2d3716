import { createHash } from "node:crypto";
import { diffFromPrevious, type SnapshotChanges } from "./changes.ts";
import { checkConfigSize, checkEdits } from "./config-store.ts";
import { flagEntries } from "./flag-entries.ts";
import { freezeAt } from "./freeze.ts";
import { type Documents, writableHead } from "./heads.ts";
import { keys } from "./keys.ts";
import { type ComponentConflict, mergePlatforms, parseResolutions, type Resolution } from "./merge.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { CheckResult, DiffFromPrevious, Environment, Snapshot } from "./model.ts";
import { checkComponent } from "./names.ts";
import { refuseUnused } from "./plan.ts";
import { policyFor, policyOf } from "./policy.ts";
import type { Hash, Json, JsonObject } from "./ports.ts";
import { baseOf, EMPTY, type Pulled, type PullStart } from "./pull-base.ts";
import { runPullChecks } from "./pull-checks.ts";
import { newlyRequired, requirementsOf, unbound } from "./requirements.ts";
import type { EditableMaps, Maps } from "./snapshots.ts";
import { checkNewComponent, checkPlatformSize } from "./state.ts";
import { type Unasked, type Verdicts, validationOf } from "./validation.ts";
import { checkVar } from "./variables.ts";

/** What a commit holds, or changed since another: what travels, and the config of its environment. Of secrets it has names alone. */
interface CommitContent {
  readonly set?: JsonObject | undefined;
  readonly remove?: readonly string[] | undefined;
  readonly vars?: JsonObject | undefined;
  readonly flags?: JsonObject | undefined;
  readonly evaluators?: JsonObject | undefined;
  readonly flag_metadata?: JsonObject | undefined;
  /** `vars/K`, `flags/K`, `evaluators/K` or `flag_metadata/K`. */
  readonly unset?: readonly string[] | undefined;
  /** Secrets that the commit refers to. */
  readonly secrets?: readonly string[] | undefined;
}

/** What a pull is asked to bring in: everything that its plan depends on. */
export interface PullOrder extends CommitContent, PullStart {
  readonly project: string;
  /** How conflicts are settled, by component; of config by `config:vars/NAME`. */
  readonly resolve?: JsonObject | undefined;
}

interface PullContext {
  readonly now: string;
  readonly automatic: boolean;
  readonly verdicts: Verdicts | Unasked;
}

export interface PreparedPull {
  readonly plan_id: string;
  readonly head: Environment;
  readonly before: Pulled | null;
  /** What the commit holds. */
  readonly theirs: Snapshot;
  /** What the environment would have. */
  readonly snapshot: Snapshot;
  /** Whether it takes a history that was rewritten since the commit before, or another folder. */
  readonly rewritten: boolean;
  readonly changes: SnapshotChanges;
  readonly checks: readonly CheckResult[];
  readonly applicable: boolean;
  /** Whether the environment stays as it is where this is applied. */
  readonly changesNothing: boolean;
  readonly conflicts: readonly ComponentConflict[];
  readonly diff: DiffFromPrevious;
  /** Secrets that the commit refers to and the environment lacks. */
  readonly secretsUnbound: readonly string[];
}

/** Begins the name of a config entry among conflicts: no collection can be called so. */
const CONFIG = "config:";
const VARS = "vars/";

/** Merges what a commit changed with what the environment changed, and asks the checks. Reads only: what `maps` computes stays in it. */
export async function preparePull(documents: Documents, maps: EditableMaps, order: PullOrder, context: PullContext): Promise<PreparedPull> {
  const head = await writableHead(documents, order.env, context.now);
  const [pulled] = await documents.getAll<Pulled>([keys.pulled(order.env)]);
  const before = pulled ?? null;
  const { policy, revision: policyRevision } = await policyOf(documents);
  const targetPolicy = policyFor(policy, head.env, head.type);
  const { base, rewritten } = await baseOf(documents, maps, order, head, before);
  const theirs = await contentOf(maps, order.from === undefined ? EMPTY : base, order);
  const merged = await mergeBoth(maps, head, base, theirs, order.resolve ?? {});
  const { snapshot, conflicts } = merged;
  await checkEdits(maps, head, merged.configEdits);
  await checkPlatformSize(maps, snapshot.platform, head.platform);
  await checkConfigSize(maps, snapshot.config, head.config);
  const changes = { platform: await maps.diff(head.platform, snapshot.platform), config: await maps.diff(head.config, snapshot.config) };
  const requirements = await requirementsOf(maps, snapshot.platform);
  const canAsk = typeof context.verdicts !== "string" && targetPolicy.validation !== "off" && conflicts.length === 0;
  const checks = runPullChecks({
    project: order.project,
    target: head,
    targetPolicy,
    automatic: context.automatic,
    components: changes.platform.length,
    conflicts,
    requirements,
    unbound: await unbound(maps, requirements, snapshot.config),
    freeze: freezeAt(targetPolicy.freeze, new Date(context.now)),
    validation:
      typeof context.verdicts === "string"
        ? context.verdicts
        : canAsk
          ? await validationOf(documents, maps, context.verdicts, head, snapshot.platform)
          : "not_now",
  });
  const required = await newlyRequired(maps, changes.platform);
  return {
    plan_id: planId(order, head, before, theirs, policyRevision),
    head,
    before,
    theirs,
    snapshot,
    rewritten,
    changes,
    checks,
    applicable: !checks.some(({ status }) => status === "failed"),
    changesNothing: conflicts.length + changes.platform.length + changes.config.length === 0,
    conflicts,
    diff: diffFromPrevious(
      changes,
      required.filter(({ kind }) => kind !== "flag").map(({ name }) => name),
    ),
    secretsUnbound: await lacking(maps, snapshot.config, order.secrets ?? []),
  };
}

async function contentOf(maps: EditableMaps, base: Snapshot, content: CommitContent): Promise<Snapshot> {
  const components = new Map<string, Json | undefined>();
  for (const name of content.remove ?? []) {
    checkComponent(name);
    components.set(name, undefined);
  }
  for (const [name, value] of Object.entries(content.set ?? {})) {
    checkNewComponent(name, value);
    components.set(name, value);
  }
  const config = new Map<string, Json | undefined>((content.unset ?? []).map((entry) => [entry, undefined]));
  for (const [name, value] of Object.entries(content.vars ?? {})) {
    checkVar(name, value);
    config.set(VARS + name, value);
  }
  for (const [entry, value] of flagEntries(content)) config.set(entry, value);
  return { platform: (await maps.edit(base.platform, components)).root, config: (await maps.edit(base.config, config)).root };
}

interface Merged {
  readonly snapshot: Snapshot;
  readonly configEdits: ReadonlyMap<string, Json | undefined>;
  readonly conflicts: readonly ComponentConflict[];
}

/** With conflicts the snapshot is the environment's own: nothing will be applied. */
async function mergeBoth(maps: EditableMaps, ours: Snapshot, base: Snapshot, theirs: Snapshot, resolve: JsonObject): Promise<Merged> {
  const all = [...parseResolutions(resolve)];
  const ofConfig = all
    .filter(([name]) => name.startsWith(CONFIG))
    .map(([name, how]): [string, Resolution] => [name.slice(CONFIG.length), how]);
  const ofPlatform = new Map(all.filter(([name]) => !name.startsWith(CONFIG)));
  const platform = await mergeRoots(maps, base.platform, ours.platform, theirs.platform, ofPlatform);
  const config = await mergeRoots(maps, base.config, ours.config, theirs.config, new Map(ofConfig));
  refuseUnused([...platform.unused, ...config.unused.map((name) => CONFIG + name)]);
  for (const [name, body] of platform.settled) checkNewComponent(name, body);
  for (const [entry, body] of config.settled) if (entry.startsWith(VARS)) checkVar(entry.slice(VARS.length), body);
  const conflicts = [
    ...platform.conflicts,
    ...config.conflicts.map((conflict) => ({ ...conflict, component: CONFIG + conflict.component })),
  ];
  if (conflicts.length > 0) return { snapshot: ours, configEdits: new Map(), conflicts };
  const taken = await maps.values(config.fromTheirs.map(({ right }) => right));
  const configEdits = new Map([...config.edits, ...config.fromTheirs.map(({ key }, index) => [key, taken[index]] as const)]);
  return { snapshot: { platform: platform.root, config: config.root }, configEdits, conflicts };
}

async function mergeRoots(maps: EditableMaps, base: Hash, ours: Hash, theirs: Hash, resolve: ReadonlyMap<string, Resolution>) {
  const merge = await mergePlatforms(maps, { base, ours, theirs }, resolve);
  // Two valid bodies may merge to one that is not.
  const settled = [...merge.merged, ...merge.resolved].flatMap((name): [string, Json][] => {
    const body = merge.edits.get(name);
    return body === undefined ? [] : [[name, body]];
  });
  const { edits, fromTheirs, conflicts, unusedResolutions: unused } = merge;
  const root = ours === base ? theirs : (await maps.edit(ours, edits, fromTheirs)).root;
  return { root, edits, fromTheirs, conflicts, unused, settled };
}

async function lacking(maps: Maps, config: Hash, names: readonly string[]): Promise<string[]> {
  const bound = await maps.has(
    config,
    names.map((name) => `secrets/${name}`),
  );
  return names.filter((_, index) => !bound[index]);
}

/** Names what was planned: the commit's content, the environment, the policy and the choices; neither time nor outcomes. */
function planId(order: PullOrder, head: Environment, before: Pulled | null, theirs: Snapshot, policy: number): string {
  const { project, env, commit, path = "", from, base_revision, rewritten, resolve = {} } = order;
  const covered = {
    project,
    env,
    commit: commit.id,
    content: [theirs.platform, theirs.config],
    head: head.revision,
    before: before && [before.commit, before.path, before.platform, before.config],
    policy,
    resolve,
    choices: [path, from ?? null, base_revision ?? null, rewritten ?? false],
  };
  return createHash("sha256").update("env-pull\0").update(canonicalJson(covered)).digest("hex").slice(0, 40);
}
