import { createHash } from "node:crypto";
import { AppError } from "../../src/errors.ts";
import { documentsOf, resolveRevision } from "../../src/heads.ts";
import { checkProjectIntegrity } from "../../src/integrity.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { canonicalJson } from "../../src/merkle/index.ts";
import type { AuditRecord, Environment as Head, Label, Revision as StoredRevision } from "../../src/model.ts";
import type { Hash, Json } from "../../src/ports.ts";
import { Snapshots } from "../../src/snapshots.ts";
import { projectPartition } from "../../src/vault/documents.ts";
import { caller, documents, jsonOf, PROJECT, Project, vaultEntries } from "../domain/support.ts";
import { READER } from "./engine.ts";
import type { Pending } from "./promotions.ts";
import {
  type Components,
  type Config,
  changesBetween,
  type Environment,
  headOf,
  isBound,
  type Revision,
  requirementsOf,
  same,
  syncStatusOf,
  unboundIn,
} from "./reference.ts";
import { MARK } from "./steps.ts";
import type { Trial } from "./trial.ts";
import { type Actor, type Expected, iso, type World } from "./world.ts";

/** Where engine and model must agree at any moment, and what must hold whatever was done. */

/** What was seen before and may never change. */
export class History {
  readonly revisions = new Map<string, string>();
  readonly roots = new Map<string, Hash>();
  /** Snapshot ids by content, and contents by snapshot id. */
  readonly snapshots = new Map<string, Hash>();
  readonly contents = new Map<Hash, string>();
}

export async function checkEverything(trial: Trial, history: History, { thorough, seed }: { thorough: boolean; seed: number }) {
  if (trial.engine.failures.length > 0) throw trial.engine.failures[0];
  let turn = seed;
  for (const environment of trial.world.environments.values()) {
    await checkHead(trial, environment);
    await checkContent(trial, environment, turn++);
    await checkLog(trial, environment, history);
    await checkNaming(trial, environment, thorough, turn);
  }
  await checkProject(trial);
  await checkPromotions(trial);
  await checkTimers(trial);
  await checkLabels(trial, history);
  await checkAudit(trial);
  if (thorough) {
    await checkReferences(trial);
    await checkNoSecretIsTold(trial);
    const faults: string[] = [];
    await checkProjectIntegrity(trial.engine.store, PROJECT, { onFault: (_, what) => faults.push(what) });
    agree("what a check of the store finds", faults, []);
  }
}

function agree(what: string, actual: unknown, expected: unknown): void {
  if (same(plain(actual), plain(expected))) return;
  throw new Error(
    `In ${what}, the engine has ${JSON.stringify(plain(actual), null, 1)}\nand the model ${JSON.stringify(plain(expected), null, 1)}`,
  );
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

async function codeOf(promise: Promise<unknown>): Promise<string | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

function projectOf({ engine }: Trial): Project {
  return new Project(engine.domain, { as: caller("ann") });
}

async function checkHead(trial: Trial, environment: Environment): Promise<void> {
  const view = await projectOf(trial).view(environment.name);
  const head = headOf(environment);
  const missing = unboundIn(head.platform, head.config);
  agree(
    `the view of ${environment.name}`,
    {
      ...view,
      hold: view.hold !== null,
      cleared_at: view.cleared_at !== null,
      deployment: view.deployment && [view.deployment.status, view.deployment.revision],
      deployed: view.deployed && [view.deployed.status, view.deployed.revision],
      unbound: [...view.unbound].sort(),
      // Told elsewhere.
      snapshot: undefined,
      url: undefined,
      source_ref: undefined,
      updated_by: undefined,
      created_by: undefined,
    },
    {
      project_id: PROJECT,
      env: environment.name,
      type: environment.type,
      status: environment.status === "active" && trial.world.isExpired(environment) ? "expired" : environment.status,
      created_at: iso(environment.revisions[0]?.at ?? null),
      base_from: environment.base,
      revision: head.number,
      version: head.version,
      updated_at: iso(head.at),
      hold: environment.heldAt !== null,
      deployment: environment.deployment && [environment.deployment.status, environment.deployment.revision.number],
      deployed: environment.deployed && [environment.deployed.status, environment.deployed.revision.number],
      expires_at: iso(environment.expiresAt),
      cleared_at: environment.cleared,
      sync_status: syncStatusOf(environment),
      protected: trial.world.rules(environment).protected === true,
      config_complete: missing.length === 0,
      unbound: missing.map(({ kind, name }) => `${kind}s/${name}`).sort(),
    },
  );
}

/** The head, and one older revision. */
async function checkContent(trial: Trial, environment: Environment, turn: number): Promise<void> {
  const env = environment.name;
  const project = projectOf(trial);
  if (trial.world.isExpired(environment)) {
    agree(`a read of ${env}`, await codeOf(project.state(env)), "environment_expired");
    agree(`a read of ${env}`, await codeOf(project.config(env)), "environment_expired");
    agree(`a read of ${env}`, await codeOf(project.runtime(env)), "environment_expired");
    return;
  }
  const revisions = [undefined, 1 + (turn % environment.revisions.length)];
  for (const at of revisions) await checkRuntime(trial, await checkStored(trial, environment, at), at);
  const active = await trial.engine.domain.deployments.active(PROJECT, env, {});
  const head = headOf(environment);
  agree(
    `what should run in ${env}`,
    [active.body.version, active.body.revision, active.body.status],
    [head.version, head.number, syncStatusOf(environment)],
  );
}

/** State and config as they are read: of the head, or of the revision `at`. */
export async function checkStored({ engine }: Trial, environment: Environment, at: number | undefined): Promise<Revision> {
  const { name: env, revisions } = environment;
  const revision = (at === undefined ? headOf(environment) : revisions[at - 1]) as Revision;
  const about = `${env}@${at ?? "head"}`;
  const state = await jsonOf<{ state: Record<string, Components> }>((await engine.domain.state.read(PROJECT, env, { at })).pieces());
  agree(`the state of ${about}`, flat(state.state), revision.platform);
  const config = await (await engine.domain.config.read(PROJECT, env, { at })).load();
  const defaults = defaultsOf(revision);
  const hasDefaults = Object.keys(defaults.vars).length + Object.keys(defaults.flags).length > 0;
  agree(`the config of ${about}`, config, {
    project_id: PROJECT,
    env,
    version: revision.version,
    revision: revision.number,
    vars: revision.config.vars,
    flags: revision.config.flags,
    secrets: Object.fromEntries(Object.keys(revision.config.secrets).map((name) => [name, { set: true }])),
    ...(hasDefaults && { defaults }),
  });
  return revision;
}

async function checkRuntime(trial: Trial, revision: Revision, at: number | undefined): Promise<void> {
  const { config, env } = revision;
  const runtime = trial.engine.domain.config.runtime(caller("ann"), PROJECT, env, { at });
  if (Object.values(config.secrets).some(({ gone }) => gone)) {
    // What was given up may be in the vault for a moment longer.
    await codeOf(runtime);
    return;
  }
  const defaults = defaultsOf(revision);
  // What flags are for somebody is said, and tested, elsewhere: the model knows definitions alone.
  const { flag_values: _, ...bound } = await runtime;
  agree(`the runtime of ${env}@${at ?? "head"}`, bound, {
    project_id: PROJECT,
    env,
    version: revision.version,
    revision: revision.number,
    vars: { ...defaults.vars, ...config.vars },
    secrets: Object.fromEntries(Object.entries(config.secrets).map(([name, { value }]) => [name, value])),
    flags: { ...defaults.flags, ...config.flags },
  });
}

/** What the platform has for what is not bound. */
function defaultsOf({ platform, config }: Revision) {
  const defaults = requirementsOf(platform).filter((one) => one.default !== undefined && !isBound(one, config));
  const of = (wanted: string) => defaults.filter(({ kind }) => kind === wanted);
  return {
    vars: Object.fromEntries(of("var").map((one) => [one.name, String(one.default)])),
    flags: Object.fromEntries(
      of("flag").map((one) => [
        one.name,
        { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: one.default === true ? "on" : "off" },
      ]),
    ),
  };
}

/** Revisions are contiguous, as foretold, and never rewritten; equal content has one id, different content has not. */
async function checkLog(trial: Trial, { name: env, revisions }: Environment, history: History): Promise<void> {
  const { store } = trial.engine;
  const stored = (await documents(store, PROJECT, keys.revisionPrefix(env))).map(({ value }) => value as unknown as StoredRevision);
  agree(
    `the revisions of ${env}`,
    stored.map((one) => ({
      revision: one.revision,
      version: one.version,
      action: one.action,
      created_by: one.created_by,
      timestamp: one.timestamp,
      parents: one.parents,
      source_version: one.source_version ?? null,
    })),
    revisions.map((one) => ({
      revision: one.number,
      version: one.version,
      action: one.action,
      created_by: one.by,
      timestamp: iso(one.at),
      parents: one.parents.map((parent) => ({ env: parent.env, revision: parent.number })),
      source_version: one.sourceVersion,
    })),
  );
  for (const [index, one] of stored.entries()) {
    const name = `${env}@${one.revision}`;
    const digest = createHash("sha256")
      .update(canonicalJson(one as unknown as Json))
      .digest("hex");
    if ((history.revisions.get(name) ?? digest) !== digest) throw new Error(`The revision ${name} was rewritten.`);
    history.revisions.set(name, digest);
    checkIdentity(history, one, contentOf(revisions[index] as Revision));
  }
  const [head] = await documentsOf(store, PROJECT).getAll<Head>([keys.environment(env)]);
  const last = stored.at(-1);
  agree(`the head of ${env}`, [head?.platform, head?.config, head?.version], [last?.platform, last?.config, last?.version]);
}

function checkIdentity({ snapshots, contents }: History, { snapshot, env, revision }: StoredRevision, content: string): void {
  if ((snapshots.get(content) ?? snapshot) !== snapshot) throw new Error(`${env}@${revision} has another snapshot id than equal content.`);
  if ((contents.get(snapshot) ?? content) !== content) throw new Error(`${env}@${revision} has the snapshot id of other content.`);
  snapshots.set(content, snapshot);
  contents.set(snapshot, content);
}

function contentOf({ platform, config }: Revision): string {
  const secrets = Object.fromEntries(Object.entries(config.secrets).map(([name, { id }]) => [name, id]));
  return canonicalJson({ platform, vars: config.vars, flags: config.flags, secrets } as unknown as Json);
}

/** Labels, beginnings of labels and times lead to the newest revision that fits. */
async function checkNaming({ engine, world }: Trial, environment: Environment, thorough: boolean, turn: number): Promise<void> {
  const { name: env, revisions } = environment;
  const source = documentsOf(engine.store, PROJECT);
  const [head] = await source.getAll<Head>([keys.environment(env)]);
  const labels = revisions.map(({ version }) => version);
  const prefixes = labels.flatMap((label) => [label, label.replace(/\.\d+$/, ""), label.replace(/\..*$/, "")]);
  const times = revisions.flatMap(({ at }) => [iso(at), iso(at + 1)]);
  const names = [...new Set([...prefixes, ...times])] as string[];
  const looked = thorough ? names : names.filter((_, index) => (index + turn) % 4 === 0);
  for (const name of looked) {
    const { revision } = await resolveRevision(source, head as Head, name);
    agree(`${env}@${name}`, revision, world.resolve(environment, name).number);
  }
  agree(
    `${env} before all`,
    await codeOf(resolveRevision(source, head as Head, iso((revisions[0]?.at ?? 0) - 1) ?? "")),
    "revision_not_found",
  );
}

async function checkProject({ engine, world }: Trial): Promise<void> {
  const { items } = await engine.domain.environments.list(READER, PROJECT, { limit: 1_000, cursor: null });
  agree(
    "the registry",
    items.map(({ env }) => env),
    [...world.environments.keys()].sort(),
  );
  const { policy, revision } = await engine.domain.policies.read(PROJECT);
  agree("the policy", [policy, revision], [world.policy, world.policyRevision]);
}

async function checkPromotions({ engine, promotions }: Trial): Promise<void> {
  const { items } = await engine.domain.pending.list(READER, PROJECT, { limit: 1_000, cursor: null });
  const told = (id: string, status: string, approvals: readonly string[], revision: number | null, missing: number) => ({
    id,
    status,
    approvals,
    revision,
    missing,
  });
  const seen = (one: Pending) => (one.status === "pending" ? (promotions.lost(one) ?? "pending") : one.status);
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  agree(
    "the promotions",
    items
      .map(({ id, status, approvals, revision, missing }) =>
        told(
          id,
          status,
          approvals.map(({ by }) => by),
          revision,
          missing,
        ),
      )
      .sort(byId),
    promotions.all
      .map((one) =>
        told(one.id, seen(one), one.approvals, one.revision, seen(one) === "pending" ? Math.max(0, one.needed - one.approvals.length) : 0),
      )
      .sort(byId),
  );
}

/** A timer may be one too many, never one too few. */
async function checkTimers({ engine, world, promotions }: Trial): Promise<void> {
  const entries = await documents(engine.store, SYSTEM_PARTITION, systemKeys.duePrefix);
  const needed = (at: number, what: string) => {
    const last = systemKeys.due(iso(at) ?? "", PROJECT, what);
    // One that comes early sets another.
    const isSet = entries.some(({ key, value }) => key <= last && (value as { what: string }).what === what);
    if (!isSet) throw new Error(`No timer is set for ${what} at ${iso(at)}.`);
  };
  for (const environment of world.environments.values()) {
    const { name, status, expiresAt, cleared } = environment;
    if (status === "active" && expiresAt !== null) needed(expiresAt, `env:${name}`);
    if (status === "expired" && !cleared) needed(world.graceEnd(environment), `env:${name}`);
  }
  for (const { id, status, expiresAt } of promotions.all) if (status === "pending") needed(expiresAt, `promotion:${id}`);
}

/** Each label names one platform root, for ever, and is listed once. */
async function checkLabels({ engine, world }: Trial, history: History): Promise<void> {
  const labels = (await documents(engine.store, PROJECT, keys.labelPrefix)).map(({ value }) => value as unknown as Label);
  agree("the versions", labels.map(({ version }) => version).sort(), [...world.labels.keys()].sort());
  const listed = await engine.domain.versions.versions(READER, PROJECT, { limit: 1_000, cursor: null });
  agree("the list of versions", listed.items.map(({ version }) => version).reverse(), [...world.labels.keys()]);
  for (const { version, platform } of labels) {
    if ((history.roots.get(version) ?? platform) !== platform)
      throw new Error(`The version ${version} names another platform than before.`);
    history.roots.set(version, platform);
  }
  const revisions = (await documents(engine.store, PROJECT, keys.revisionsPrefix)).map(({ value }) => value as unknown as StoredRevision);
  for (const { env, revision, version, platform } of revisions) {
    if (history.roots.get(version) !== platform) throw new Error(`${env}@${revision} is ${version}, but has not its platform.`);
  }
}

const REVISION_ACTIONS = new Set(["create", "update", "config", "promote", "rollback", "expire", "restore", "archive"]);

/** The log verifies, and tells of each revision once, in its order. */
async function checkAudit({ engine, world }: Trial): Promise<void> {
  const verified = await engine.domain.audit.verify(PROJECT, null);
  if (!verified.valid) throw new Error(`The audit log does not verify: ${verified.reason}`);
  const records = (await documents(engine.store, PROJECT, keys.auditPrefix)).map(({ value }) => value as unknown as AuditRecord);
  const told = (env: string, { revision, version, action }: { revision: number | null; version: string | null; action: string }) =>
    `${env}@${revision} ${version} ${action}`;
  for (const { name, revisions } of world.environments.values()) {
    agree(
      `the audit records of ${name}`,
      records.filter(({ environment, action }) => environment === name && REVISION_ACTIONS.has(action)).map((record) => told(name, record)),
      revisions.map(({ number, version, action }) => told(name, { revision: number, version, action })),
    );
  }
}

/** No environment refers to another's entries; nothing is kept that nobody refers to. */
async function checkReferences({ engine }: Trial): Promise<void> {
  const { store } = engine;
  const maps = new Snapshots(store).read(PROJECT);
  const referred = new Set<string>();
  const revisions = (await documents(store, PROJECT, keys.revisionsPrefix)).map(({ value }) => value as unknown as StoredRevision);
  for (const { env, revision, config } of revisions) {
    for (const { key, value } of await maps.entries(config, { prefix: "secrets/", limit: 1_000 })) {
      const path = (value as { vault: string }).vault;
      const own = path.startsWith(`${env}/${key.slice("secrets/".length)}@`) && Object.keys(value as object).length === 1;
      if (!own) throw new Error(`${env}@${revision} refers to ${path} as ${key}.`);
      referred.add(path);
    }
  }
  for (const { value } of await documents(store, PROJECT, keys.promotionPrefix)) {
    const { status, references } = value as { status: string; references: Record<string, { vault: string }> };
    if (status === "pending") for (const { vault } of Object.values(references)) referred.add(vault);
  }
  const facts = (await documents(store, PROJECT, keys.secretsPrefix)).map(({ key }) => key.slice(keys.secretsPrefix.length));
  agree("what is known of vault entries that nobody refers to", facts.filter((path) => !referred.has(path)), []); // biome-ignore format: one line
  agree("the entries of the vault", (await vaultEntries(store)).sort(), facts.sort());
  agree("unfinished intents", (await documents(store, PROJECT, keys.intentPrefix)).length, 0);
}

async function checkNoSecretIsTold({ engine: { store } }: Trial): Promise<void> {
  for (const partition of [PROJECT, SYSTEM_PARTITION, projectPartition(PROJECT)]) {
    for (const { key, value } of await documents(store, partition)) {
      if (canonicalJson(value).includes(MARK)) throw new Error(`The document ${key} of ${partition} holds a secret.`);
    }
  }
  const hashes = (await store.objects.list(PROJECT, null, 10_000)).map(({ hash }) => hash);
  for (const [index, data] of (await store.objects.get(PROJECT, hashes)).entries()) {
    if (data !== null && Buffer.from(data).includes(MARK)) throw new Error(`The object ${hashes[index]} holds a secret.`);
  }
}

function flat(state: Readonly<Record<string, Components>>): Components {
  const named = ([collection, members]: [string, Components]) =>
    Object.entries(members).map(([name, body]) => [`${collection}/${name}`, body] as const);
  return Object.fromEntries(Object.entries(state).flatMap(named));
}

/** A comparison, component by component. @throws as the engine does */
export function compared(world: World, actor: Actor, left: string, right: string): Expected {
  const from = sideOf(world, left);
  const to = sideOf(world, right);
  const shown = ({ env, version, number, at }: Revision) => ({ env, version, revision: number, timestamp: iso(at) });
  return {
    left_at: shown(from),
    right_at: shown(to),
    components: differences(from.platform, to.platform, true),
    vars: differences(from.config.vars, to.config.vars, true),
    flags: differences(from.config.flags, to.config.flags, true),
    secrets: secretDifferences(from.config, to.config, actor.mayReveal),
  };
}

function sideOf(world: World, side: string): Revision {
  const [env = "", reference] = side.split("@");
  const environment = world.readable(env);
  return reference === undefined ? headOf(environment) : world.resolve(environment, reference);
}

function differences(left: Readonly<Record<string, unknown>>, right: Readonly<Record<string, unknown>>, bodies: boolean) {
  const changes = changesBetween(left, right);
  const different = changes.filter(({ before, after }) => before !== undefined && after !== undefined);
  return {
    only_left: changes.filter(({ after }) => after === undefined).map(({ name }) => name),
    only_right: changes.filter(({ before }) => before === undefined).map(({ name }) => name),
    different: different.map(({ name, before, after }) => ({ name, ...(bodies && { left: before, right: after }) })),
    same_count: Object.keys(left).length - changes.filter(({ before }) => before !== undefined).length,
  };
}

/** Values are told apart, never shown, and only to those who may see both. */
function secretDifferences(left: Config, right: Config, mayReveal: boolean) {
  const found = differences(left.secrets, right.secrets, false);
  const names = found.different.map(({ name }) => name);
  if (names.length === 0) return found;
  if (!mayReveal) return { ...found, different: [], undisclosed: names };
  const isSame = (name: string) => {
    const [one, other] = [left.secrets[name], right.secrets[name]];
    return one !== undefined && other !== undefined && !one.gone && !other.gone && one.value === other.value;
  };
  const different = names.filter((name) => !isSame(name));
  return { ...found, different: different.map((name) => ({ name })), same_count: found.same_count + names.length - different.length };
}
