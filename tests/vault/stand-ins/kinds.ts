import { afterAll, afterEach, beforeAll } from "vitest";
import { Sibling, type SiblingBounds } from "../../../src/engines/sibling.ts";
import type { Store } from "../../../src/ports.ts";
import type { Timers } from "../../../src/vault/kv2-lease.ts";
import { type OpenVault, openVault, type VaultSettings } from "../../../src/vault/open.ts";
import type { Connect } from "../../../src/vault/remote.ts";
import { memoryStore, vaultEntries } from "../../domain/support.ts";
import { newKey } from "../support.ts";
import { StandIn } from "./start.ts";

export type Kind = VaultSettings["kind"];

/** Patient enough for a machine under load; what fails at once is tried once more. */
export const BOUNDS: SiblingBounds = { attempts: 2, firstPauseMs: 1, failures: 1_000, pauseMs: 60_000, timeoutMs: 10_000 };
/** For what is not answered. Nothing that must succeed at once goes this way. */
export const IMPATIENT: SiblingBounds = { ...BOUNDS, timeoutMs: 300 };
/** For a request that must arrive, and whose answer is not waited for. */
export const LEAVING: SiblingBounds = { ...BOUNDS, attempts: 1, timeoutMs: 2_000 };

export function connecting(bounds: SiblingBounds = BOUNDS): Connect {
  return (name, url) => new Sibling(name, url, bounds);
}

/** One kind of vault, with its stand-in where it is one elsewhere. Everything that was opened is closed after each test. */
export class VaultKind {
  readonly kind: Kind;
  #standIn: StandIn | null = null;
  readonly #key = newKey();
  readonly #opened: OpenVault[] = [];

  constructor(kind: Kind) {
    this.kind = kind;
  }

  get standIn(): StandIn {
    if (this.#standIn === null) throw new Error("The built-in vault has no stand-in.");
    return this.#standIn;
  }

  async start(): Promise<void> {
    if (this.kind !== "builtin") this.#standIn = await StandIn.start(this.kind);
  }

  async reset(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((vault) => vault.close()));
    await this.#standIn?.clear();
  }

  async stop(): Promise<void> {
    await this.#standIn?.stop();
  }

  settings(): VaultSettings {
    if (this.kind === "builtin") return { kind: "builtin" };
    const { url } = this.standIn;
    if (this.kind === "puraify") return { kind: "puraify", url, token: null };
    return { kind: "kv2", url, mount: "secret", prefix: "environment-manager", namespace: null, credentials: { token: "root-token" } };
  }

  async open(
    store: Store = memoryStore(),
    connect: Connect = connecting(),
    settings = this.settings(),
    parts: { readonly timers?: Timers; readonly warn?: (notice: string) => void } = {},
  ): Promise<OpenVault> {
    const vault = await openVault(settings, {
      store,
      storeUrl: "memory:",
      masterKey: this.#key.text,
      connect,
      ...parts,
    });
    this.#opened.push(vault);
    return vault;
  }

  /** The entries of a project that exist, as `<env>/<NAME>@<id>`. */
  async entries(store: Store, project: string): Promise<string[]> {
    if (this.kind === "builtin") return vaultEntries(store, project);
    const all = await this.standIn.entries();
    return all.filter((path) => path.startsWith(`${project}/`)).map((path) => path.slice(project.length + 1));
  }
}

export function useKind(name: Kind): VaultKind {
  const kind = new VaultKind(name);
  beforeAll(() => kind.start());
  afterEach(() => kind.reset());
  afterAll(() => kind.stop());
  return kind;
}
