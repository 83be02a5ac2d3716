import { randomBytes } from "node:crypto";
import { AppError } from "./errors.ts";
import { fewAtOnce, resultsOf } from "./few-at-once.ts";
import { keys } from "./keys.ts";
import { aside, type Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import { quoted } from "./names.ts";
import type { Json, SecretEntry, Vault } from "./ports.ts";
import type { Transaction } from "./transaction.ts";

/** A reference as it stands under `secrets/<NAME>` in an environment's config: where the value is, and nothing else. */
export type SecretReference = { readonly vault: string };

/** What is known of one vault entry without its value, in the document `secret/<env>/<NAME>@<id>`. */
export interface SecretFacts {
  /** Equal for equal values of one project, and of no use to whoever lacks the vault's key. */
  readonly fingerprint: string;
  /** The entry `<env>/<NAME>@<id>` whose value was copied here, where nobody has replaced it since. */
  readonly copied_from: string | null;
  readonly created_at: string;
}

/** The document `intent/<id>`: vault entries that are being written for a commit that has not happened yet. */
export interface Intent {
  readonly env: string;
  readonly entries: readonly string[];
  readonly at: string;
  /** Its commit may not happen any more: the entries are being removed. */
  readonly abandoned?: true;
}

export interface SecretValue {
  readonly value: string;
  readonly copiedFrom?: string;
}

/** Secret values that are in the vault already and wait for the commit that refers to them. */
export interface StagedSecrets {
  /** Config edits, `secrets/<NAME>` → reference. */
  readonly references: ReadonlyMap<string, SecretReference>;
  /** Makes the references part of the commit. Fails where the sweeper has taken the intent away. */
  bind(tx: Transaction): Promise<void>;
  /** Takes back what was staged, after a commit that did not happen. */
  discard(): Promise<void>;
}

/** What is told of a value that its owner cannot get any more. */
export interface Lost {
  readonly reason: string;
  readonly fix: string;
}

const NOTHING_STAGED: StagedSecrets = { references: new Map(), bind: async () => {}, discard: async () => {} };

/**
 * Writes secrets so that no crash leaves a value without a record of it: an *intent* is committed first, then the vault
 * is written, then the change's own commit deletes the intent and adds the reference. What an intent still names after
 * `LIMITS.intentAgeMs` belongs to nobody, and the sweeper removes it.
 */
export class Secrets {
  readonly #ledger: Ledger;
  readonly #vault: Vault;

  constructor(ledger: Ledger, vault: Vault) {
    this.#ledger = ledger;
    this.#vault = vault;
  }

  async stage(caller: Caller, project: string, env: string, values: ReadonlyMap<string, SecretValue>): Promise<StagedSecrets> {
    if (values.size === 0) return NOTHING_STAGED;
    const staged = [...values].map(([name, secret]) => ({
      entry: { project, env, name, id: randomBytes(9).toString("base64url") },
      ...secret,
    }));
    const intent = randomBytes(12).toString("hex");
    await this.#ledger.write(project, aside(caller), async (tx) => {
      tx.put(keys.intent(intent), { env, entries: staged.map(({ entry }) => entryName(entry)), at: tx.now } satisfies Intent);
    });
    const discard = () =>
      this.#takeBack(
        aside(caller),
        project,
        intent,
        staged.map(({ entry }) => entry),
      );
    // All writes must have ended before any is taken back: one that ended later would outlive its intent.
    const kept = await fewAtOnce(staged, LIMITS.secretsAtOnce, (item) => this.#keep(item));
    const failed = kept.filter((outcome) => outcome.status === "rejected");
    if (failed[0] !== undefined) {
      // What a vault may still be about to write is the sweeper's, later: taken back now, it would come after all.
      const mayComeLate = failed.some(({ reason }) => reason instanceof AppError && reason.details?.vault_write === "unknown");
      if (!mayComeLate) await discard().catch(() => {}); // The sweeper does it later; what failed first is what the caller must hear.
      throw failed[0].reason;
    }
    const facts = kept.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    return {
      references: new Map(staged.map(({ entry }) => [`secrets/${entry.name}`, referenceTo(entry)])),
      bind: (tx) => bindStaged(tx, intent, facts),
      discard,
    };
  }

  /**
   * One commit with secrets of its own: they are in the vault before it, `work` refers to them in it, and they leave the vault again where
   * it does not happen.
   */
  async within<Result>(
    caller: Caller,
    project: string,
    env: string,
    values: ReadonlyMap<string, SecretValue>,
    work: (tx: Transaction, references: StagedSecrets["references"]) => Promise<Result>,
  ): Promise<Result> {
    const staged = await this.stage(caller, project, env, values);
    try {
      return await this.#ledger.write(project, caller, async (tx) => {
        const result = await work(tx, staged.references);
        await staged.bind(tx);
        return result;
      });
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  /** A keyed fingerprint of what a request carries, so that a plan can name it without holding it. */
  fingerprintOf(project: string, text: string): Promise<string> {
    return this.#vault.fingerprint(project, text);
  }

  /** The value behind a reference of this environment. @throws secret_unavailable where the vault no longer has it. */
  reveal(project: string, env: string, name: string, reference: Json): Promise<string> {
    return this.revealOwn(project, env, reference, {
      reason: `The value of secret ${quoted(name)} in ${quoted(env)} is gone from the vault.`,
      fix: `Set it anew: PATCH /env/${project}/${env}/config with {"secrets":{"${name}":"…"}}.`,
    });
  }

  /** The same of several, in their order. */
  async revealAll(project: string, env: string, references: readonly (readonly [name: string, reference: Json])[]): Promise<string[]> {
    const ask = ([name, reference]: readonly [string, Json]) => this.reveal(project, env, name, reference);
    return resultsOf(await fewAtOnce(references, LIMITS.secretsAtOnce, ask));
  }

  /** One of the engine's own, which no environment's config names: `lost` says whose it is. @throws secret_unavailable */
  async revealOwn(project: string, env: string, reference: Json, lost: Lost): Promise<string> {
    const value = await this.#vault.get(entryOf(project, env, reference));
    if (value !== null) return value;
    throw new AppError("secret_unavailable", { ...lost });
  }

  /** Whether the vault still has what each reference points at. */
  async exist(project: string, env: string, references: readonly Json[]): Promise<boolean[]> {
    const ask = async (reference: Json) => {
      const entry = entryOf(project, env, reference);
      return this.#vault.has === undefined ? (await this.#vault.get(entry)) !== null : this.#vault.has(entry);
    };
    return resultsOf(await fewAtOnce(references, LIMITS.secretsAtOnce, ask));
  }

  /**
   * Takes an intent and its vault entries away, unless its commit has happened meanwhile. The intent goes last, so that
   * a crash in between leaves it to the next sweep. `false` where there is no such intent any more.
   */
  async #discard(caller: Caller, project: string, id: string): Promise<boolean> {
    const intent = await this.#ledger.write(project, caller, async (tx) => {
      const found = await tx.get<Intent>(keys.intent(id));
      if (found !== null) tx.put(keys.intent(id), { ...found, abandoned: true } satisfies Intent);
      return found;
    });
    if (intent === null) return false;
    await this.#remove(intent.entries.map((entry) => parseEntry(project, `${intent.env}/${entry}`)));
    await this.#ledger.write(project, caller, async (tx) => tx.delete(keys.intent(id)));
    return true;
  }

  /**
   * Takes back what was staged. Where the intent is gone, either its commit happened, or the sweeper was faster, perhaps
   * faster than the vault: then entries exist that nobody else knows of.
   */
  async #takeBack(caller: Caller, project: string, intent: string, entries: readonly SecretEntry[]): Promise<void> {
    if (await this.#discard(caller, project, intent)) return;
    const bound = await this.#ledger.write(project, caller, (tx) =>
      tx.peek(entries.map((entry) => keys.secret(entry.env, entryName(entry)))),
    );
    await this.#remove(entries.filter((_, index) => !bound[index]));
  }

  async #remove(entries: readonly SecretEntry[]): Promise<void> {
    resultsOf(await fewAtOnce(entries, LIMITS.secretsAtOnce, (entry) => this.#vault.delete(entry)));
  }

  /** Gives up entries that were bound but will never be used: the sweeper removes them from the vault. */
  release(tx: Transaction, env: string, references: readonly Json[]): void {
    if (references.length === 0) return;
    const entries = references.map((reference) => vaultPath(reference).slice(env.length + 1));
    for (const reference of references) tx.delete(factsKey(reference));
    tx.put(keys.intent(randomBytes(12).toString("hex")), { env, entries, at: tx.now, abandoned: true } satisfies Intent);
  }

  /**
   * The sweeper's part: removes the intents of a project that are older than `before` (ISO time), all that can be.
   * @throws what the first one failed with that could not
   */
  async sweep(caller: Caller, project: string, intents: readonly { id: string; intent: Intent }[], before: string): Promise<number> {
    const old = intents.filter(({ intent }) => intent.abandoned || intent.at < before);
    const failures: unknown[] = [];
    for (const { id } of old) await this.#discard(caller, project, id).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    return old.length;
  }

  async #keep({
    entry,
    value,
    copiedFrom,
  }: { entry: SecretEntry } & SecretValue): Promise<{ entry: SecretEntry; facts: Omit<SecretFacts, "created_at"> }> {
    const fingerprint = await this.#vault.fingerprint(entry.project, value);
    await this.#vault.put(entry, value);
    return { entry, facts: { fingerprint, copied_from: copiedFrom ?? null } };
  }
}

async function bindStaged(
  tx: Transaction,
  intent: string,
  staged: readonly { entry: SecretEntry; facts: Omit<SecretFacts, "created_at"> }[],
): Promise<void> {
  const found = await tx.get<Intent>(keys.intent(intent));
  if (found === null || found.abandoned) {
    throw new AppError("write_conflict", {
      reason: "The write took so long that its secrets were swept away.",
      fix: "Send the request again.",
    });
  }
  tx.delete(keys.intent(intent));
  for (const { entry, facts } of staged) {
    tx.put(keys.secret(entry.env, entryName(entry)), { ...facts, created_at: tx.now } satisfies SecretFacts);
  }
}

function entryName(entry: SecretEntry): string {
  return `${entry.name}@${entry.id}`;
}

function referenceTo(entry: SecretEntry): SecretReference {
  return { vault: `${entry.env}/${entryName(entry)}` };
}

/** `<env>/<NAME>@<id>` of a reference. */
export function vaultPath(reference: Json): string {
  const path = (reference as SecretReference | null)?.vault;
  if (typeof path !== "string") throw new Error("a stored secret reference is corrupt");
  return path;
}

/** The document that tells about the entry behind a reference. */
export function factsKey(reference: Json): string {
  const path = vaultPath(reference);
  const slash = path.indexOf("/");
  return keys.secret(path.slice(0, slash), path.slice(slash + 1));
}

/** The entry that a document of `keys.secretsPrefix` tells about. */
export function entryOfFacts(project: string, key: string): SecretEntry {
  return parseEntry(project, key.slice(keys.secretsPrefix.length));
}

function parseEntry(project: string, path: string): SecretEntry {
  const slash = path.indexOf("/");
  const at = path.lastIndexOf("@");
  if (slash < 1 || at < slash) throw new Error("a stored secret reference is corrupt");
  return { project, env: path.slice(0, slash), name: path.slice(slash + 1, at), id: path.slice(at + 1) };
}

/** No environment reads another's vault entry, whatever its config says. */
function entryOf(project: string, env: string, reference: Json): SecretEntry {
  const entry = parseEntry(project, vaultPath(reference));
  if (entry.env !== env) throw new Error(`${env} refers to a vault entry of another environment`);
  return entry;
}
