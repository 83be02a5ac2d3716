import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { SecretEntry, Store, Vault } from "../ports.ts";
import { type BuiltinVault, openBuiltinVault } from "./builtin.ts";
import { Fingerprints, keyEntry } from "./fingerprints.ts";
import { checkHome, moveHome } from "./home.ts";
import { Kv2Entries, type Kv2Settings } from "./kv2.ts";
import { REAL_TIMERS, type Timers } from "./kv2-lease.ts";
import { PuraifyEntries } from "./puraify.ts";
import { asVaultError, asWriteError, type Connect, type Remote, type RemoteEntries, RemoteHealth, type VaultStatus } from "./remote.ts";
import { wellFormed } from "./values.ts";

/** Where secrets are kept: in the engine's own store, in the family's Vault engine, or in HashiCorp Vault or OpenBao. */
export type VaultSettings =
  | { readonly kind: "builtin"; readonly unused?: readonly string[] }
  | { readonly kind: "puraify"; readonly url: string; readonly token: string | null }
  | ({ readonly kind: "kv2"; readonly url: string } & Kv2Settings);

interface OpenVaultParts {
  readonly store: Store;
  /** `STORE_URL`, and `ENV_MANAGER_MASTER_KEY` or `null`: the built-in vault's. */
  readonly storeUrl: string;
  readonly masterKey: string | null;
  readonly connect: Connect;
  /** Told what an operator should do ahead of time, when that turns up. */
  readonly warn?: (notice: string) => void;
  /** Tests have their own. */
  readonly timers?: Timers;
}

export interface OpenVault extends Vault {
  readonly kind: VaultSettings["kind"];
  /** The entries of a vault elsewhere, past the checks here: for carrying its key to another one. `null` for the built-in one. */
  readonly entries: RemoteEntries | null;
  /** For the start-up log: what an operator should do. */
  readonly notices: readonly string[];
  status(): VaultStatus;
  /** Asks the vault for something small, and waits for a moment, so that `status` knows. Never throws. */
  look(): Promise<VaultStatus>;
  /** What is asked afterwards is refused with `shutting_down`. */
  close(): Promise<void>;
}

/**
 * Opens a vault. One elsewhere may be away, now or later: it is not waited for, `status` says so, and what needs it is refused.
 *
 * @throws AppError `vault_unavailable` where the store's secrets are in another kind of vault, or the built-in one's key is not at hand; `target_not_allowed` or `invalid_request`
 *   for settings that no vault can have
 */
export async function openVault(settings: VaultSettings, parts: OpenVaultParts): Promise<OpenVault> {
  await checkHome(parts.store, settings.kind);
  const vault = await reachVault(settings, parts);
  await moveHome(parts.store, settings.kind);
  return vault;
}

/** As `openVault`, for moving secrets: wherever those of the store are now. */
export async function reachVault(settings: VaultSettings, parts: OpenVaultParts): Promise<OpenVault> {
  if (settings.kind === "builtin") return new LocalVault(await openBuiltinVault(parts), settings.unused);
  const { url } = settings;
  const connect = (name: string): Remote => parts.connect(name, url);
  if (settings.kind === "puraify") {
    const remote = connect("Vault");
    return new RemoteVault("puraify", remote, new PuraifyEntries(remote, settings.token), parts.store);
  }
  const remote = connect("KV vault");
  const { timers = REAL_TIMERS, warn = () => {} } = parts;
  return new RemoteVault("kv2", remote, new Kv2Entries(settings, { remote, aside: connect("KV vault"), timers, warn }), parts.store);
}

/** A vault elsewhere, whichever protocol it speaks. */
class RemoteVault implements OpenVault {
  readonly kind: VaultSettings["kind"];
  readonly notices = [];
  readonly has?: (entry: SecretEntry) => Promise<boolean>;
  readonly entries: RemoteEntries;
  readonly #health: RemoteHealth;
  readonly #fingerprints: Fingerprints;
  #looking: Promise<void> | null = null;
  #closed = false;

  constructor(kind: VaultSettings["kind"], remote: Remote, entries: RemoteEntries, store: Store) {
    this.kind = kind;
    this.entries = entries;
    this.#health = new RemoteHealth(remote);
    this.#fingerprints = new Fingerprints(entries, store);
    if (entries.has !== undefined) this.has = (entry) => this.#ask(async () => (await entries.has?.(entry)) === true);
  }

  put(entry: SecretEntry, value: string): Promise<void> {
    return this.#ask(async () => {
      wellFormed(value);
      await this.entries.put(entry, value);
    }, asWriteError);
  }

  get(entry: SecretEntry): Promise<string | null> {
    return this.#ask(() => this.entries.get(entry));
  }

  delete(entry: SecretEntry): Promise<void> {
    return this.#ask(() => this.entries.delete(entry));
  }

  fingerprint(project: string, value: string): Promise<string> {
    return this.#ask(async () => this.#fingerprints.of(project, wellFormed(value)));
  }

  status(): VaultStatus {
    const notice = this.entries.notice();
    return { ...this.#health.status(), ...(notice !== null && { notice }) };
  }

  async look(): Promise<VaultStatus> {
    this.#looking ??= this.#askForLittle().finally(() => {
      this.#looking = null;
    });
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<"silent">((resolve) => {
      timer = setTimeout(() => resolve("silent"), LIMITS.vaultLookMs);
    });
    const looked = await Promise.race([this.#looking, silence]);
    clearTimeout(timer);
    const seen = this.status();
    if (looked !== "silent" || seen.status !== "ok") return seen;
    return { status: "degraded", since: new Date().toISOString(), last_error: `The vault has not answered for ${LIMITS.vaultLookMs} ms.` };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#fingerprints.forget();
    await this.entries.close();
  }

  async #askForLittle(): Promise<void> {
    await this.get(keyEntry("none")).catch(() => {}); // `status` tells.
  }

  async #ask<Result>(work: () => Promise<Result>, asError = asVaultError): Promise<Result> {
    if (this.#closed) throw new AppError("shutting_down");
    return this.#health.watch(work, asError);
  }
}

/** It lies in the store: how that does is how it does. */
class LocalVault implements OpenVault {
  readonly kind = "builtin";
  readonly entries = null;
  readonly notices: readonly string[];
  readonly #vault: BuiltinVault;
  #since: string | null = null;

  constructor(vault: BuiltinVault, unused: readonly string[] = []) {
    this.#vault = vault;
    this.notices = [
      ...(vault.rotationUnfinished ? ["a rotation of the vault's master key is unfinished: run `npm run vault:rotate` again"] : []),
      ...(unused.length > 0 ? [unusedNotice(unused)] : []),
    ];
  }

  put(entry: SecretEntry, value: string): Promise<void> {
    return this.#vault.put(entry, value);
  }

  get(entry: SecretEntry): Promise<string | null> {
    return this.#vault.get(entry);
  }

  has(entry: SecretEntry): Promise<boolean> {
    return this.#vault.has(entry);
  }

  delete(entry: SecretEntry): Promise<void> {
    return this.#vault.delete(entry);
  }

  fingerprint(project: string, value: string): Promise<string> {
    return this.#vault.fingerprint(project, value);
  }

  status(): VaultStatus {
    return { status: "ok", since: this.#since };
  }

  async look(): Promise<VaultStatus> {
    this.#since ??= new Date().toISOString();
    return this.status();
  }

  async close(): Promise<void> {
    this.#vault.close();
  }
}

/** Many a shell has a VAULT_TOKEN for something else: that is no reason not to start. */
function unusedNotice(names: readonly string[]): string {
  return (
    `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} set, and VAULT_URL is not: secrets go into the engine's own store. ` +
    "Set VAULT_URL to use a vault elsewhere, or VAULT_KIND=builtin where the store is meant"
  );
}
