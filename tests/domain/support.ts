import { randomBytes } from "node:crypto";
import { EVERYTHING, type Grant } from "../../src/access.ts";
import { mayDoAll } from "../../src/callers.ts";
import type { Compared } from "../../src/comparison.ts";
import type { ConfigPatch } from "../../src/config-store.ts";
import type { CreateRequest } from "../../src/creation.ts";
import { createDomain, type Domain, type DomainParts } from "../../src/domain.ts";
import { AppError } from "../../src/errors.ts";
import { keys } from "../../src/keys.ts";
import type { AuditRecord, Caller, Environment, Labelling, Revision } from "../../src/model.ts";
import type { Entry, Json, JsonObject, Key, SecretEntry, Store, Vault } from "../../src/ports.ts";
import type { PromoteRequest } from "../../src/promotion.ts";
import { Snapshots } from "../../src/snapshots.ts";
import { checked } from "../../src/storage/checked.ts";
import { MemoryBackend } from "../../src/storage/memory.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { projectPartition } from "../../src/vault/documents.ts";
import type { RollbackRequest } from "../../src/versions.ts";

export const PROJECT = "pf-777";

let requests = 0;

/** Somebody who may reveal the secrets of the environments named, or of all of them. */
export function caller(actor: string, mayReveal: readonly string[] | "all" = "all"): Caller {
  const everything = mayDoAll(actor, `request-${++requests}`);
  if (mayReveal === "all") return everything;
  const grants: Grant[] = everything.grants.map((grant) => ({ ...grant, rights: [] }));
  if (mayReveal.length > 0) grants.push({ role: "reader", projects: ["*"], envs: mayReveal, rights: ["secrets:reveal"] });
  return { ...everything, grants };
}

/** A sibling engine. */
export function engineCaller(actor: string): Caller {
  return { ...mayDoAll(actor, `request-${++requests}`), grants: [{ ...EVERYTHING, role: "engine" }] };
}

/** A store's clock: stands still, or goes on by `step` milliseconds each time that it is read. */
export class TestClock {
  time = Date.parse("2026-01-01T00:00:00.000Z");
  readonly step: number;

  constructor(step = 0) {
    this.step = step;
  }

  readonly read = (): number => {
    this.time += this.step;
    return this.time;
  };
}

export function memoryStore(clock?: TestClock): Store {
  return checked(new MemoryBackend(clock?.read));
}

export function openVault(store: Store): Promise<Vault> {
  return openBuiltinVault({ store, storeUrl: "memory:", masterKey: randomBytes(32).toString("base64") });
}

export interface World {
  readonly store: Store;
  readonly vault: Vault;
  readonly domain: Domain;
  readonly project: Project;
  /** What work in the background reported as failed. */
  readonly failures: unknown[];
}

/** An engine without its HTTP: a real store, the real vault, the domain. The vault keeps its entries in `vaultStore`. */
export async function openWorld({ vaultStore, ...parts }: Partial<DomainParts> & { readonly vaultStore?: Store } = {}): Promise<World> {
  const store = parts.store ?? memoryStore();
  const vault = parts.vault ?? (await openVault(vaultStore ?? store));
  const failures: unknown[] = [];
  const domain = domainOn(store, vault, failures, parts);
  return { store, vault, domain, project: new Project(domain), failures };
}

/** One more engine on the same store: its own queues, its own cache. */
export function domainOn(store: Store, vault: Vault, failures: unknown[] = [], parts: Partial<DomainParts> = {}): Domain {
  return createDomain({
    validator: null,
    builder: null,
    clock: { now: () => new Date() },
    previewUrlTemplate: "https://preview.test/{project_id}/{env}",
    failed: (error) => failures.push(error),
    ...parts,
    store,
    vault,
  });
}

type Wishes<Request, Given extends keyof Request> = Partial<Omit<Request, Given>>;

/** The operations of one project, with what tests seldom vary filled in. */
export class Project {
  readonly domain: Domain;
  readonly id: string;
  readonly caller: Caller;

  constructor(domain: Domain, { id = PROJECT, as = caller("ann") }: { id?: string; as?: Caller } = {}) {
    this.domain = domain;
    this.id = id;
    this.caller = as;
  }

  as(other: Caller): Project {
    return new Project(this.domain, { id: this.id, as: other });
  }

  create(env: string, wishes: Wishes<CreateRequest, "project" | "env"> = {}) {
    return this.domain.creation.create(this.caller, { project: this.id, env, base: null, ...wishes });
  }

  set(env: string, components: JsonObject, labelling: Labelling = {}) {
    return this.domain.state.patch(this.caller, { project: this.id, env, set: components, ifMatch: null, ...labelling });
  }

  remove(env: string, ...names: string[]) {
    return this.domain.state.patch(this.caller, { project: this.id, env, remove: names, ifMatch: null });
  }

  configure(env: string, patch: Wishes<ConfigPatch, "project" | "env">) {
    return this.domain.config.patch(this.caller, { project: this.id, env, ifMatch: null, ...patch });
  }

  promote(source: string, target: string, wishes: Wishes<PromoteRequest, "project" | "source" | "target"> = {}) {
    return this.domain.promotions.promote(this.caller, { project: this.id, source, target, ...wishes });
  }

  plan(source: string, target: string, wishes: Wishes<PromoteRequest, "project" | "source" | "target"> = {}) {
    return this.promote(source, target, { ...wishes, dry_run: true });
  }

  rollback(env: string, to: string | number, wishes: Wishes<RollbackRequest, "project" | "env" | "to"> = {}) {
    return this.domain.versions.rollback(this.caller, { project: this.id, env, to, ...wishes });
  }

  policy(policy: Json) {
    return this.domain.policies.replace(this.caller, this.id, policy, null);
  }

  view(env: string) {
    return this.domain.environments.view(this.id, env);
  }

  async compare(left: string, right: string, bodies = false): Promise<Compared> {
    const read = await this.domain.comparison.compare(this.caller, this.id, left, right, { bodies });
    return jsonOf(read.pieces());
  }

  /** The whole platform state. */
  async state(env: string): Promise<JsonObject> {
    const read = await this.domain.state.read(this.id, env, {});
    return (await jsonOf<{ readonly state: JsonObject }>(read.pieces())).state;
  }

  async config(env: string) {
    const read = await this.domain.config.read(this.id, env, {});
    return (await read.load()) as { readonly vars: JsonObject; readonly secrets: JsonObject; readonly flags: JsonObject };
  }

  runtime(env: string) {
    return this.domain.config.runtime(this.caller, this.id, env, {});
  }

  /** The values of an environment's secrets, by name. */
  async secrets(env: string): Promise<Readonly<Record<string, string>>> {
    return (await this.domain.config.reveal(this.caller, { project: this.id, env })).secrets;
  }

  async revisions(env: string) {
    return (await this.domain.versions.revisions(this.id, env, { limit: 1_000, cursor: null })).items;
  }

  async revisionNumber(env: string): Promise<number> {
    return (await this.view(env)).revision;
  }
}

/** The `AppError` that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error(`An AppError was expected, not ${error instanceof Error ? error.stack : String(error)}.`);
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await errorOf(promise)).code;
}

/** What the pieces of a JSON text say together. */
export async function jsonOf<Value>(pieces: AsyncIterable<string>): Promise<Value> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return JSON.parse(text) as Value;
}

/** The store with some of its methods replaced: for counting, and for faults. */
export function wrapped(store: Store, replaced: Partial<Store>): Store {
  return {
    get: (partition, wanted) => store.get(partition, wanted),
    list: (partition, range) => store.list(partition, range),
    revision: (partitions) => store.revision(partitions),
    commit: (partition, change) => store.commit(partition, change),
    objects: store.objects,
    watch: (handlers) => store.watch(handlers),
    now: () => store.now(),
    ...(store.turn !== undefined && { turn: (partition) => (store.turn as NonNullable<Store["turn"]>)(partition) }),
    close: () => store.close(),
    ...replaced,
  };
}

export interface Counts {
  commits: number;
  keysRead: number;
  puts: number;
  objectsLoaded: number;
  objectBytesWritten: number;
}

/** The store, and what was asked of it since `counts` was last reset. `partition`: commits elsewhere are not counted. */
export function counting(store: Store, partition = PROJECT): { readonly store: Store; readonly counts: Counts; reset(): void } {
  const zero: Counts = { commits: 0, keysRead: 0, puts: 0, objectsLoaded: 0, objectBytesWritten: 0 };
  const counts = { ...zero };
  const written = (objects: readonly { readonly data: Uint8Array }[]) => {
    for (const { data } of objects) counts.objectBytesWritten += data.byteLength;
  };
  return {
    counts,
    reset: () => void Object.assign(counts, zero),
    store: wrapped(store, {
      get: (where, wanted) => {
        if (where === partition) counts.keysRead += wanted.length;
        return store.get(where, wanted);
      },
      commit: (where, change) => {
        if (where === partition) {
          counts.commits++;
          counts.puts += change.puts.length;
          written(change.objects);
        }
        return store.commit(where, change);
      },
      objects: {
        get: (where, hashes) => {
          counts.objectsLoaded += hashes.length;
          return store.objects.get(where, hashes);
        },
        put: (where, objects) => {
          written(objects);
          return store.objects.put(where, objects);
        },
        list: (where, after, limit) => store.objects.list(where, after, limit),
      },
    }),
  };
}

/** Every document of a partition. */
export async function documents(store: Store, partition = PROJECT, prefix = ""): Promise<Entry[]> {
  const all: Entry[] = [];
  for (let after: Key | undefined; ; after = all.at(-1)?.key) {
    const page = await store.list(partition, { prefix, limit: 1_000, ...(after !== undefined && { after }) });
    all.push(...page);
    if (page.length < 1_000) return all;
  }
}

export async function document<Value>(store: Store, key: Key, partition = PROJECT): Promise<Value> {
  const [found] = await store.get(partition, [key]);
  if (!found) throw new Error(`${partition} has no document ${key}`);
  return found.value as Value;
}

export function headOf(store: Store, env: string): Promise<Environment> {
  return document<Environment>(store, keys.environment(env));
}

/** An environment's revisions as they are stored, oldest first. */
export async function storedRevisions(store: Store, env: string): Promise<Revision[]> {
  return (await documents(store, PROJECT, keys.revisionPrefix(env))).map(({ value }) => value as unknown as Revision);
}

/** The audit log as it is stored, oldest first. */
export async function auditRecords(store: Store): Promise<AuditRecord[]> {
  return (await documents(store, PROJECT, keys.auditPrefix)).map(({ value }) => value as unknown as AuditRecord);
}

/** Writes past the domain, as whoever tampers with the database does. */
export async function tamper(store: Store, change: { put?: Readonly<Record<Key, Json>>; remove?: readonly Key[] }): Promise<void> {
  const puts = Object.entries(change.put ?? {}).map(([key, value]) => ({ key, value }));
  await store.commit(PROJECT, { checks: [], puts, deletes: change.remove ?? [], objects: [], objectDeletes: [] });
}

/** The vault entries that exist, as `<env>/<NAME>@<id>`. */
export async function vaultEntries(store: Store, project = PROJECT): Promise<string[]> {
  const prefix = "entry/";
  return (await documents(store, projectPartition(project), prefix)).map(({ key }) => key.slice(prefix.length));
}

/** The vault entries that some revision of some environment refers to. */
export async function referredEntries(store: Store): Promise<Set<string>> {
  const referred = new Set<string>();
  for (const { value } of await documents(store, PROJECT, keys.environmentPrefix)) {
    const { env, revision } = value as unknown as Environment;
    for (let at = 1; at <= revision; at++) for (const path of await referencesOf(store, env, at)) referred.add(path);
  }
  return referred;
}

/** The secret references of one revision, as `<env>/<NAME>@<id>`: read from the objects, since no route shows them. */
export async function referencesOf(store: Store, env: string, at: number): Promise<string[]> {
  const { config } = await document<Revision>(store, keys.revision(env, at));
  const entries = await new Snapshots(store).read(PROJECT).entries(config, { prefix: "secrets/", limit: 1_000 });
  return entries.map(({ value }) => (value as { readonly vault: string }).vault);
}

export type VaultCall = { readonly call: "put" | "get" | "delete" | "fingerprint"; readonly entry?: SecretEntry };

/** The vault with `before` asked ahead of each call: it may wait, or throw instead. */
export function watchedVault(vault: Vault, before: (call: VaultCall) => Promise<void> | void): Vault {
  return {
    put: async (entry, value) => {
      await before({ call: "put", entry });
      return vault.put(entry, value);
    },
    get: async (entry) => {
      await before({ call: "get", entry });
      return vault.get(entry);
    },
    delete: async (entry) => {
      await before({ call: "delete", entry });
      return vault.delete(entry);
    },
    fingerprint: async (project, value) => {
      await before({ call: "fingerprint" });
      return vault.fingerprint(project, value);
    },
  };
}

/** A gate that opens once: who waits at it goes on then. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
