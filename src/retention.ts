import { randomBytes } from "node:crypto";
import type { PendingPromotion } from "./approvals.ts";
import { type Documents, documentsOf, resolveRevision } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord, Caller, Environment, Revision } from "./model.ts";
import type { Json, Store } from "./ports.ts";
import { documentPages, storedMaps } from "./scan.ts";
import { type Intent, type SecretFacts, type Secrets, vaultPath } from "./secrets.ts";
import type { Maps } from "./snapshots.ts";
import { type Decide, revisionsNamed, Watermark } from "./watermark.ts";

const SECRETS = "secrets/";

/** The document `gc/secrets/<env>`. */
export interface CollectedSecrets {
  /** Secrets that only older revisions than this one refer to may be gone. */
  readonly revision: number;
}

/** Vault entries of one environment, `<NAME>@<id>` → when they were bound. */
interface Known {
  readonly env: string;
  readonly entries: ReadonlyMap<string, string>;
}

/**
 * Gives up vault entries that no rollback may ask for any more. Kept is what the head refers to, what any of the newest
 * LIMITS.rollbackRevisions revisions refers to, what any revision refers to that was head within
 * LIMITS.rollbackWindowMs, and what a pending promotion carries. Of an environment that cannot be brought back
 * nothing is kept: an archived one after LIMITS.archiveRetentionMs, and a preview after its grace time. Its head and
 * its revisions stay, since labels, lineages and the audit log name them.
 *
 * An entry goes in the steps in which a write that failed takes back its secrets: one commit deletes the facts and puts an
 * abandoned intent; then the vault is told; then the intent goes. After a crash the sweeper finds the intent. That commit is made
 * under a `Watermark`: a rollback that brings the reference back comes before it and stops it, or loses its race to it, runs
 * again, and finds the facts gone (`CollectedSecrets` says up to where; a rollback asks for the facts in its transaction).
 */
export class Retention {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #secrets: Secrets;
  readonly #caller: Caller;

  constructor(store: Store, ledger: Ledger, secrets: Secrets, caller: Caller) {
    this.#store = store;
    this.#ledger = ledger;
    this.#secrets = secrets;
    this.#caller = caller;
  }

  async collect(project: string): Promise<{ secrets: number; environments: number }> {
    const environments = await this.#clearArchived(project);
    let secrets = 0;
    let pending: ReadonlySet<string> | null = null;
    for await (const known of this.#known(project)) {
      const watermark = await Watermark.at(this.#store, project);
      const release = watermark === null ? null : await this.#plan(project, known);
      if (watermark === null || release === null) continue;
      // Its facts are younger than those of any candidate where one is put up after this look.
      pending ??= await this.#pending(project);
      for (const path of pending) release.candidates.delete(path.slice(known.env.length + 1));
      secrets += await this.#release(project, watermark, release);
    }
    return { secrets, environments };
  }

  /** From now on they cannot be brought back, so that their secrets may go. */
  async #clearArchived(project: string): Promise<number> {
    const before = new Date((await this.#store.now()).getTime() - LIMITS.archiveRetentionMs).toISOString();
    const over = (head: Environment | null) => head?.status === "archived" && head.cleared_at === null && head.updated_at <= before;
    let cleared = 0;
    for await (const page of documentPages(this.#store, project, keys.environmentPrefix)) {
      for (const { key, value } of page) {
        if (!over(value as unknown as Environment)) continue;
        cleared += await this.#ledger.write(project, this.#caller, async (tx) => {
          const head = await tx.get<Environment>(key);
          if (head === null || !over(head)) return 0;
          tx.put(key, { ...head, cleared_at: tx.now } satisfies Environment);
          await tx.audit({ action: "collect", environment: head.env, version: head.version, revision: head.revision });
          return 1;
        });
      }
    }
    return cleared;
  }

  /** The facts that there are, by environment. */
  async *#known(project: string): AsyncGenerator<Known> {
    let env: string | null = null;
    let entries = new Map<string, string>();
    for await (const page of documentPages(this.#store, project, keys.secretsPrefix)) {
      for (const { key, value } of page) {
        const [, owner = "", entry = ""] = /^([^/]*)\/(.*)$/.exec(key.slice(keys.secretsPrefix.length)) ?? [];
        if (owner !== env) {
          if (env !== null) yield { env, entries };
          env = owner;
          entries = new Map();
        }
        entries.set(entry, (value as unknown as SecretFacts).created_at);
      }
    }
    if (env !== null) yield { env, entries };
  }

  /** What may go of one environment's entries as far as its own history is concerned; `null` where nothing may. */
  async #plan(project: string, { env, entries }: Known): Promise<Release | null> {
    const documents = documentsOf(this.#store, project);
    const [head, collected] = await documents.getAll<Environment & CollectedSecrets>([keys.environment(env), keys.gcSecrets(env)]);
    if (!head) return null;
    if (head.cleared_at !== null) return { env, cleared: true, keepFrom: head.revision + 1, candidates: new Set(entries.keys()) };
    const windowStart = new Date((await this.#store.now()).getTime() - LIMITS.rollbackWindowMs).toISOString();
    // What was bound within the window is referred to by a revision within the window.
    const candidates = new Set([...entries].filter(([, bound]) => bound < windowStart).map(([entry]) => entry));
    if (candidates.size === 0) return null;
    const oldest = await oldestInWindow(documents, head, windowStart);
    if (oldest <= 1) return null;
    const keepFrom = Math.max(oldest, collected?.revision ?? 1);
    await this.#spareReferred(project, head, keepFrom, candidates);
    return candidates.size === 0 ? null : { env, cleared: false, keepFrom, candidates };
  }

  /**
   * Takes from `candidates` what the head or any revision from `keepFrom` on refers to. Goes back from the head by what
   * differs between neighbours, and stops when nothing is left to be found.
   */
  async #spareReferred(project: string, head: Environment, keepFrom: number, candidates: Set<string>): Promise<void> {
    const maps = storedMaps(this.#store, project);
    const spare = (references: readonly (Json | undefined)[]) => {
      for (const reference of references) if (reference !== undefined) candidates.delete(entryOf(reference));
    };
    const current = await maps.entries(head.config, { prefix: SECRETS, limit: LIMITS.configEntries });
    spare(current.map(({ value }) => value));
    let config = head.config;
    for (let before = head.revision; before > keepFrom && candidates.size > 0; ) {
      const range = {
        prefix: keys.revisionPrefix(head.env),
        from: keys.revision(head.env, keepFrom),
        limit: LIMITS.pageItems,
        reverse: true,
      };
      const page = await this.#store.list(project, { ...range, before: keys.revision(head.env, before) });
      for (const { value } of page.length > 0 ? page : [{ value: null }]) {
        const revision = value as unknown as Revision | null;
        // It may have referred to anything.
        if (revision?.revision !== before - 1) throw new Error(`revision ${before - 1} of ${head.env} in ${project} is missing`);
        before = revision.revision;
        if (revision.config === config) continue;
        const changes = await maps.diff(revision.config, config, { prefix: SECRETS });
        spare(await maps.values(changes.map(({ left }) => left)));
        config = revision.config;
      }
    }
  }

  /** What promotions that wait for approval carry, as `<env>/<NAME>@<id>`. */
  async #pending(project: string): Promise<ReadonlySet<string>> {
    const carried = new Set<string>();
    for await (const page of documentPages(this.#store, project, keys.promotionPrefix)) {
      for (const { value } of page) {
        const { status, references } = value as unknown as PendingPromotion;
        if (status === "pending") for (const reference of Object.values(references)) carried.add(vaultPath(reference));
      }
    }
    return carried;
  }

  async #release(project: string, watermark: Watermark, { env, cleared, keepFrom, candidates }: Release): Promise<number> {
    const maps = storedMaps(this.#store, project);
    const documents = documentsOf(this.#store, project);
    let released = 0;
    const mind = async (records: readonly AuditRecord[]) => {
      const named = revisionsNamed(records, env);
      // Somebody has begun anew under this name: another run looks at it again.
      if (cleared && named.length > 0) candidates.clear();
      const revisions = await documents.getAll<Revision>(named.map(({ revision }) => keys.revision(env, revision)));
      for (const revision of revisions) if (revision !== null) await spareNamed(maps, revision, candidates);
    };
    while (candidates.size > 0) {
      const id = randomBytes(12).toString("hex");
      const given: { intent: Intent | null } = { intent: null };
      const decide: Decide = async () => {
        const entries = [...candidates].slice(0, LIMITS.garbageSecrets);
        if (entries.length === 0) return null;
        const intent: Intent = { env, entries, at: (await this.#store.now()).toISOString(), abandoned: true };
        const [before] = await documents.getAll<CollectedSecrets>([keys.gcSecrets(env)]);
        const floor: CollectedSecrets = { revision: Math.max(keepFrom, before?.revision ?? 1) };
        given.intent = intent;
        return {
          puts: [
            { key: keys.intent(id), value: { ...intent } },
            { key: keys.gcSecrets(env), value: { ...floor } },
          ],
          deletes: entries.map((entry) => keys.secret(env, entry)),
        };
      };
      if (!(await watermark.commit(mind, decide)) || given.intent === null) break;
      await this.#secrets.sweep(this.#caller, project, [{ id, intent: given.intent }], "");
      for (const entry of given.intent.entries) candidates.delete(entry);
      released += given.intent.entries.length;
    }
    return released;
  }
}

interface Release {
  readonly env: string;
  /** The environment cannot be brought back: none of its revisions matters any more. */
  readonly cleared: boolean;
  /** The oldest revision whose secrets stay. */
  readonly keepFrom: number;
  /** `<NAME>@<id>` */
  readonly candidates: Set<string>;
}

/** The oldest revision that a rollback may still ask for: what was head when the window began, or one of the newest. */
async function oldestInWindow(documents: Documents, head: Environment, windowStart: string): Promise<number> {
  const amongNewest = head.revision - LIMITS.rollbackRevisions + 1;
  if (amongNewest <= 1 || head.created_at > windowStart) return 1;
  return Math.min(amongNewest, (await resolveRevision(documents, head, windowStart)).revision);
}

/** Takes from `candidates` what one config refers to. */
async function spareNamed(maps: Maps, { config }: Revision, candidates: Set<string>): Promise<void> {
  const names = new Set([...candidates].map((entry) => SECRETS + entry.slice(0, entry.lastIndexOf("@"))));
  for (const reference of await maps.lookup(config, [...names])) if (reference !== undefined) candidates.delete(entryOf(reference));
}

/** `<NAME>@<id>` of a reference: its environment is the one whose config holds it. */
function entryOf(reference: Json): string {
  const path = vaultPath(reference);
  return path.slice(path.indexOf("/") + 1);
}
