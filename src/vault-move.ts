import { auditKeyEntries } from "./audit-signing.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { SecretEntry, Store, Vault } from "./ports.ts";
import { documentPages } from "./scan.ts";
import { entryOfFacts, type Intent, type SecretFacts, Secrets } from "./secrets.ts";
import { ENGINE } from "./sweeper.ts";

/** Later than any intent: what is unfinished while no engine runs stays so. */
const ALWAYS = "9999";

export type MovePhase = "sweeping" | "copying" | "comparing" | "removing";

export interface MoveOptions {
  readonly store: Store;
  readonly from: Vault;
  readonly to: Vault;
  /** Called before fingerprints are made anew: `to` must be able to make them from then on. */
  readonly prepare: () => Promise<void>;
  /** Called when everything is in `to` and fits it. */
  readonly moved: () => Promise<void>;
  /** Whether the entries leave `from` at the end. */
  readonly remove: boolean;
  /** Whether entries that are in neither vault are left as they are. */
  readonly skipMissing: boolean;
  /** Called after each step, with the entries done in this phase. */
  readonly onProgress?: (phase: MovePhase, entries: number) => void;
}

interface MoveResult {
  readonly projects: number;
  readonly entries: number;
  /** In neither vault, as `<project> <env>/<NAME>@<id>`. Where there are any and they are not skipped, nothing was switched. */
  readonly missing: readonly string[];
}

/**
 * Copies every vault entry that anything refers to into another vault, while no engine runs. Each is read back before it counts.
 * References stay as they are: they name an entry, not a vault. Fingerprints are made anew with the other vault's key, after
 * everything was copied, since only those of one key can be compared.
 *
 * Every step may be repeated: killed anywhere, the next call goes on, and until `moved` the old vault is whole.
 */
export async function moveSecrets(options: MoveOptions): Promise<MoveResult> {
  const move = new Move(options);
  const projects = await projectsOf(options.store);
  for (const project of projects) await move.sweep(project);
  for (const project of projects) await move.copy(project);
  await move.copyAuditKeys();
  const result = { projects: projects.length, entries: move.copied, missing: move.missing };
  if (move.missing.length > 0 && !options.skipMissing) return result;
  await options.prepare();
  for (const project of projects) await move.compareAnew(project);
  await options.moved();
  if (!options.remove) return result;
  for (const project of projects) await move.remove(project);
  await move.removeAuditKeys();
  return result;
}

class Move {
  readonly missing: string[] = [];
  copied = 0;
  readonly #options: MoveOptions;
  readonly #ledger: Ledger;
  #counted: { readonly phase: MovePhase; entries: number } = { phase: "sweeping", entries: 0 };

  constructor(options: MoveOptions) {
    this.#options = options;
    this.#ledger = new Ledger(options.store);
  }

  /** Takes away what a crash left half written: nothing refers to it, so nothing would copy it. */
  async sweep(project: string): Promise<void> {
    const { store, from } = this.#options;
    for (;;) {
      const found = await store.list(project, { prefix: keys.intentPrefix, limit: LIMITS.pageItems });
      const intents = found.map(({ key, value }) => ({ id: key.slice(keys.intentPrefix.length), intent: value as unknown as Intent }));
      await new Secrets(this.#ledger, from).sweep(ENGINE, project, intents, ALWAYS);
      this.#report("sweeping", intents.length);
      if (found.length < LIMITS.pageItems) return;
    }
  }

  async copy(project: string): Promise<void> {
    for await (const facts of this.#facts(project, LIMITS.vaultMoveAtOnce)) {
      await Promise.all(facts.map(({ entry }) => this.#copyOne(entry)));
      this.#report("copying", facts.length);
    }
  }

  /** What audit exports are signed with belongs to no project. */
  async copyAuditKeys(): Promise<void> {
    for (const entry of await auditKeyEntries(this.#options.store)) await this.#copyOne(entry);
  }

  /** Also where both vaults may have one key: who was killed before cannot say what was done with which. */
  async compareAnew(project: string): Promise<void> {
    const { to } = this.#options;
    for await (const facts of this.#facts(project, LIMITS.vaultMoveFacts)) {
      const values = await Promise.all(facts.map(({ entry }) => to.get(entry)));
      const prints = await Promise.all(values.map((value) => (value === null ? null : to.fingerprint(project, value))));
      await this.#ledger.write(project, ENGINE, async (tx) => {
        const known = await tx.getAll<SecretFacts>(facts.map(({ key }) => key));
        facts.forEach(({ key }, index) => {
          const [before, fingerprint] = [known[index], prints[index]];
          if (before && fingerprint && before.fingerprint !== fingerprint) tx.put(key, { ...before, fingerprint } satisfies SecretFacts);
        });
      });
      this.#report("comparing", facts.length);
    }
  }

  /** Only what the other vault has is taken away here. */
  async remove(project: string): Promise<void> {
    for await (const facts of this.#facts(project, LIMITS.vaultMoveAtOnce)) {
      await Promise.all(facts.map(({ entry }) => this.#removeOne(entry)));
      this.#report("removing", facts.length);
    }
  }

  async removeAuditKeys(): Promise<void> {
    for (const entry of await auditKeyEntries(this.#options.store)) await this.#removeOne(entry);
  }

  async #removeOne(entry: SecretEntry): Promise<void> {
    const { from, to } = this.#options;
    if ((await to.get(entry)) !== null) await from.delete(entry);
  }

  async #copyOne(entry: SecretEntry): Promise<void> {
    const { from, to } = this.#options;
    const [value, there] = await Promise.all([from.get(entry), to.get(entry)]);
    if (value === null && there === null) this.missing.push(nameOf(entry));
    else this.copied++;
    // Removed by an earlier run, or copied by one.
    if (value === null || value === there) return;
    await to.put(entry, value);
    if ((await to.get(entry)) !== value) throw new Error(`The other vault does not give back ${nameOf(entry)} as it was put.`);
  }

  /** Every entry that a config, a revision or a promotion that waits refers to has facts; those that were given up have none. */
  async *#facts(project: string, limit: number): AsyncGenerator<readonly { readonly key: string; readonly entry: SecretEntry }[]> {
    for await (const page of documentPages(this.#options.store, project, keys.secretsPrefix, limit)) {
      yield page.map(({ key }) => ({ key, entry: entryOfFacts(project, key) }));
    }
  }

  #report(phase: MovePhase, entries: number): void {
    if (this.#counted.phase !== phase) this.#counted = { phase, entries: 0 };
    this.#counted.entries += entries;
    this.#options.onProgress?.(phase, this.#counted.entries);
  }
}

async function projectsOf(store: Store): Promise<string[]> {
  const projects: string[] = [];
  for await (const page of documentPages(store, SYSTEM_PARTITION, systemKeys.projectPrefix)) {
    for (const { key } of page) projects.push(key.slice(systemKeys.projectPrefix.length));
  }
  return projects;
}

function nameOf({ project, env, name, id }: SecretEntry): string {
  return `${project} ${env}/${name}@${id}`;
}
