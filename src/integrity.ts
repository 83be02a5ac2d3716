import type { PendingPromotion } from "./approvals.ts";
import { Audit } from "./audit.ts";
import { documentsOf } from "./heads.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { EMPTY_ROOT, snapshotId } from "./merkle/index.ts";
import type { Environment, Label, Revision, RevisionRef } from "./model.ts";
import { ObjectCheck } from "./object-check.ts";
import type { Hash, Json, Key, Store } from "./ports.ts";
import type { CollectedSecrets } from "./retention.ts";
import { documentPages, storedMaps } from "./scan.ts";
import { factsKey, vaultPath } from "./secrets.ts";
import type { Maps } from "./snapshots.ts";
import type { Project } from "./transaction.ts";

/** What was looked at, and how much of it was not as it must be. */
export interface IntegrityCounts {
  environments: number;
  revisions: number;
  versions: number;
  objects: number;
  faults: number;
}

interface IntegrityOptions {
  /** Told of each fault, in a sentence that names the thing and what is wrong with it. */
  readonly onFault: (project: string, what: string) => void;
  /** Told now and then how far the check of a project has come. */
  readonly onProgress?: (project: string, counts: Readonly<IntegrityCounts>) => void;
  /** Told when a project is through. */
  readonly onProject?: (project: string, counts: Readonly<IntegrityCounts>) => void;
}

/**
 * Proves that every head, revision and version of every project still resolves, and that all audit logs verify. Changes nothing. Beside engines that write, what
 * they write meanwhile may look like a fault; a second run tells.
 */
export async function checkStore(store: Store, options: IntegrityOptions): Promise<IntegrityCounts & { readonly projects: number }> {
  const total = { projects: 0, environments: 0, revisions: 0, versions: 0, objects: 0, faults: 0 };
  const { valid, reason } = await new Audit(store).verifyAccess(null);
  if (!valid) {
    total.faults++;
    options.onFault(SYSTEM_PARTITION, `the audit log of access does not verify: ${reason}`);
  }
  for await (const page of documentPages(store, SYSTEM_PARTITION, systemKeys.projectPrefix)) {
    for (const { key } of page) {
      const counts = await checkProjectIntegrity(store, key.slice(systemKeys.projectPrefix.length), options);
      if (counts === null) continue;
      total.projects++;
      for (const name of ["environments", "revisions", "versions", "objects", "faults"] as const) total[name] += counts[name];
    }
  }
  return total;
}

/** `null` where there is no such project: a crash may leave its name alone. */
export async function checkProjectIntegrity(store: Store, project: string, options: IntegrityOptions): Promise<IntegrityCounts | null> {
  const [known] = await documentsOf(store, project).getAll<Project>([keys.project]);
  if (!known) return null;
  const check = new ProjectCheck(store, project, options);
  await check.run();
  options.onProject?.(project, check.counts);
  return check.counts;
}

class ProjectCheck {
  readonly counts: IntegrityCounts = { environments: 0, revisions: 0, versions: 0, objects: 0, faults: 0 };
  readonly #store: Store;
  readonly #project: string;
  readonly #options: IntegrityOptions;
  readonly #objects: ObjectCheck;
  readonly #heads = new Map<string, Environment>();
  readonly #labels = new Map<string, Label>();

  constructor(store: Store, project: string, options: IntegrityOptions) {
    this.#store = store;
    this.#project = project;
    this.#options = options;
    this.#objects = new ObjectCheck(store, project, (what) => this.#fault(what));
  }

  async run(): Promise<void> {
    await this.#audit();
    await this.#readHeads();
    await this.#readLabels();
    await this.#checkRevisions();
    await this.#checkLabels();
    await this.#checkPointers(keys.linkPrefix, (text, version) => text === version);
    await this.#checkPointers(keys.seriesPrefix, (text, version) => version.startsWith(`v${text}.`));
    await this.#checkPromotions();
  }

  #fault(what: string): void {
    this.counts.faults++;
    this.#options.onFault(this.#project, what);
  }

  async #audit(): Promise<void> {
    const { valid, reason } = await new Audit(this.#store).verify(this.#project, null);
    if (!valid) this.#fault(`the audit log does not verify: ${reason}`);
  }

  async #readHeads(): Promise<void> {
    for await (const page of documentPages(this.#store, this.#project, keys.environmentPrefix)) {
      for (const { key, value } of page) {
        const head = value as unknown as Environment;
        if (keys.environment(head.env) === key) this.#heads.set(head.env, head);
        else this.#fault(`the document ${key} is the head of ${head.env}`);
      }
    }
    this.counts.environments = this.#heads.size;
  }

  async #readLabels(): Promise<void> {
    for await (const page of documentPages(this.#store, this.#project, keys.labelPrefix)) {
      for (const { key, value } of page) {
        const label = value as unknown as Label;
        if (keys.label(label.version) === key) this.#labels.set(label.version, label);
        else this.#fault(`the document ${key} is that of version ${label.version}`);
      }
    }
    this.counts.versions = this.#labels.size;
  }

  /** One pass over all revisions: those of one environment lie together, by number. */
  async #checkRevisions(): Promise<void> {
    const begun = new Set<string>();
    let history: History | undefined;
    for await (const page of documentPages(this.#store, this.#project, keys.revisionsPrefix)) {
      for (const { key, value } of page) {
        const revision = value as unknown as Revision;
        const env = key.slice(keys.revisionsPrefix.length, key.lastIndexOf("/"));
        if (history?.env !== env) {
          await this.#end(history);
          history = await this.#begin(env);
          begun.add(env);
        }
        if (key === keys.revision(revision.env, revision.revision)) await this.#checkRevision(history, revision);
        else this.#fault(`the document ${key} is ${nameOf(revision)}`);
      }
      this.counts.objects = this.#objects.count;
      this.#options.onProgress?.(this.#project, this.counts);
    }
    await this.#end(history);
    for (const env of this.#heads.keys()) if (!begun.has(env)) await this.#end(await this.#begin(env));
  }

  async #begin(env: string): Promise<History> {
    const [collected] = await documentsOf(this.#store, this.#project).getAll<CollectedSecrets>([keys.gcSecrets(env)]);
    return new History(env, collected?.revision ?? 1);
  }

  async #checkRevision(history: History, revision: Revision): Promise<void> {
    this.counts.revisions++;
    const { env, platform, config, version } = revision;
    const name = nameOf(revision);
    this.#tellMissing(env, history.next, revision.revision - 1);
    history.next = revision.revision + 1;
    if (revision.snapshot !== snapshotId(platform, config)) this.#fault(`${name} does not have the snapshot that its roots make`);
    const label = this.#labels.get(version);
    if (label === undefined) this.#fault(`${name} has version ${version}, which does not exist`);
    else if (label.platform !== platform) this.#fault(`${name} has version ${version}, but not that version's platform`);
    await this.#checkAncestors(revision);
    await this.#objects.tree(platform, `the platform of ${name}`);
    await this.#objects.tree(config, `the config of ${name}`);
    await this.#secretsOf(history, revision);
    history.last = revision;
  }

  async #checkAncestors(revision: Revision): Promise<void> {
    const lines = revision.lineage.map(([line, reached]) => ({ env: line.slice(0, line.lastIndexOf("~")), revision: reached }));
    const wanted: readonly RevisionRef[] = [...revision.parents, ...(revision.source ? [revision.source] : []), ...lines];
    // What a head says to exist is looked for when its own environment's turn comes.
    const doubtful = wanted.filter(({ env, revision: number }) => number < 1 || number > (this.#heads.get(env)?.revision ?? 0));
    if (doubtful.length === 0) return;
    const found = await documentsOf(this.#store, this.#project).getAll<Revision>(
      doubtful.map((ref) => keys.revision(ref.env, ref.revision)),
    );
    doubtful.forEach((ref, index) => {
      if (!found[index]) this.#fault(`${nameOf(revision)} descends from ${nameOf(ref)}, which does not exist`);
    });
  }

  /** References point into their own environment, always; and their facts are there, where nobody collected them. */
  async #secretsOf(history: History, revision: Revision): Promise<void> {
    // A preview that was made anew after its end: what it had before may have left the vault.
    const renewed = history.last?.action === "expire" && revision.action !== "restore";
    if (renewed) history.facts.clear();
    const first = (history.last?.revision ?? 0) < history.collected && revision.revision >= history.collected;
    const whole = renewed || first;
    const before = whole ? EMPTY_ROOT : (history.last?.config ?? EMPTY_ROOT);
    if (before === revision.config) return;
    for (const { name, reference } of await this.#references(before, revision)) {
      const what = `the secret ${name} of ${nameOf(revision)}`;
      const path = pathOf(reference);
      if (path === null || !path.startsWith(`${revision.env}/`)) this.#fault(`${what} refers to no vault entry of its environment`);
      else if (revision.revision >= history.collected) history.facts.set(factsKey(reference), what);
    }
  }

  async #references(before: Hash, { config, env, revision }: Revision): Promise<readonly { name: string; reference: Json }[]> {
    const maps: Maps = storedMaps(this.#store, this.#project);
    try {
      const changes = (await maps.diff(before, config, { prefix: "secrets/" })).filter(({ right }) => right !== null);
      const values = await maps.values(changes.map(({ right }) => right));
      return changes.map(({ key }, index) => ({ name: key.slice("secrets/".length), reference: values[index] ?? null }));
    } catch (error) {
      // That an object is missing or damaged has been told.
      if (this.#objects.faults === 0) this.#fault(`the secrets of ${nameOf({ env, revision })} cannot be read: ${String(error)}`);
      return [];
    }
  }

  async #end(history: History | undefined): Promise<void> {
    if (history === undefined) return;
    const { env, last } = history;
    const head = this.#heads.get(env);
    if (head === undefined) return this.#fault(`${env} has revisions, and no head`);
    this.#tellMissing(env, history.next, head.revision);
    if (last?.revision === head.revision && !sameState(head, last))
      this.#fault(`the head of ${env} is not its newest revision ${head.revision}`);
    if (history.next - 1 > head.revision) await this.#checkHead(env, history.next - 1);
    if (head.cleared_at === null) await this.#checkFacts(history.facts);
    this.counts.objects = this.#objects.count;
    this.#options.onProgress?.(this.#project, this.counts);
  }

  #tellMissing(env: string, from: number, to: number): void {
    if (from === to) this.#fault(`revision ${from} of ${env} is missing`);
    else if (from < to) this.#fault(`revisions ${from} to ${to} of ${env} are missing`);
  }

  /** A revision beyond the head may be newer than our look at the head. */
  async #checkHead(env: string, newest: number): Promise<void> {
    const [head] = await documentsOf(this.#store, this.#project).getAll<Environment>([keys.environment(env)]);
    if ((head?.revision ?? 0) < newest) this.#fault(`${env} has a revision ${newest}, and its head is revision ${head?.revision ?? 0}`);
  }

  async #checkFacts(facts: ReadonlyMap<Key, string>): Promise<void> {
    const wanted = [...facts.keys()];
    const found = await documentsOf(this.#store, this.#project).getAll(wanted);
    wanted.forEach((key, index) => {
      if (!found[index]) this.#fault(`${facts.get(key)} refers to a vault entry of which nothing is known`);
    });
  }

  async #checkLabels(): Promise<void> {
    const labels = [...this.#labels.values()];
    const revisions = await documentsOf(this.#store, this.#project).getAll<Revision>(
      labels.map((label) => keys.revision(label.env, label.revision)),
    );
    for (const [index, label] of labels.entries()) {
      const revision = revisions[index];
      const name = `version ${label.version}`;
      if (!revision) this.#fault(`${name} points to ${nameOf(label)}, which does not exist`);
      else if (revision.version !== label.version) this.#fault(`${name} points to ${nameOf(label)}, which has version ${revision.version}`);
      await this.#objects.tree(label.platform, `the platform of ${name}`);
    }
    this.counts.objects = this.#objects.count;
  }

  /** Links and series: `<env>/<version or its beginning>` → the newest revision that had it. */
  async #checkPointers(prefix: string, fits: (text: string, version: string) => boolean): Promise<void> {
    for await (const page of documentPages(this.#store, this.#project, prefix)) {
      const pointers = page.map(({ key, value }) => {
        const rest = key.slice(prefix.length);
        const slash = rest.indexOf("/");
        return { key, env: rest.slice(0, slash), text: rest.slice(slash + 1), revision: (value as { readonly revision: number }).revision };
      });
      const revisions = await documentsOf(this.#store, this.#project).getAll<Revision>(
        pointers.map((at) => keys.revision(at.env, at.revision)),
      );
      pointers.forEach((pointer, index) => {
        const revision = revisions[index];
        if (!revision) this.#fault(`${pointer.key} points to ${nameOf(pointer)}, which does not exist`);
        else if (!fits(pointer.text, revision.version))
          this.#fault(`${pointer.key} points to ${nameOf(pointer)}, which has version ${revision.version}`);
      });
    }
  }

  async #checkPromotions(): Promise<void> {
    for await (const page of documentPages(this.#store, this.#project, keys.promotionPrefix)) {
      const facts = new Map<Key, string>();
      for (const { value } of page) {
        const { id, status, order, references } = value as unknown as PendingPromotion;
        for (const [name, reference] of status === "pending" ? Object.entries(references) : []) {
          const what = `the secret ${name.slice("secrets/".length)} of the promotion ${id}`;
          if (pathOf(reference)?.startsWith(`${order.target}/`) === true) facts.set(factsKey(reference), what);
          else this.#fault(`${what} refers to no vault entry of its environment`);
        }
      }
      await this.#checkFacts(facts);
    }
  }
}

/** How far the revisions of one environment have been looked at. */
class History {
  readonly env: string;
  /** The secrets of older revisions may have been collected. */
  readonly collected: number;
  next = 1;
  last: Revision | null = null;
  /** Documents that must be there → whose secret they are about. */
  readonly facts = new Map<Key, string>();

  constructor(env: string, collected: number) {
    this.env = env;
    this.collected = collected;
  }
}

function nameOf({ env, revision }: RevisionRef): string {
  return `revision ${revision} of ${env}`;
}

function sameState(head: Environment, revision: Revision): boolean {
  return head.platform === revision.platform && head.config === revision.config && head.version === revision.version;
}

function pathOf(reference: Json): string | null {
  try {
    return vaultPath(reference);
  } catch {
    return null;
  }
}
