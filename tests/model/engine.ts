import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mayDoAll } from "../../src/callers.ts";
import type { Domain } from "../../src/domain.ts";
import type { Backend, Store, Vault } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { MemoryBackend } from "../../src/storage/memory.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { type BuiltinVault, openBuiltinVault } from "../../src/vault/builtin.ts";
import { domainOn, TestClock } from "../domain/support.ts";

export const STORES = ["memory", "sqlite"] as const;
export type StoreKind = (typeof STORES)[number];

/** Who looks, and changes nothing. */
export const READER = mayDoAll("reader", "look");

const MASTER_KEY = Buffer.alloc(32, 7).toString("base64");

/** The engine without its HTTP, on a store whose clock stands where the test puts it. */
export class Engine {
  readonly clock = new TestClock();
  readonly failures: unknown[] = [];
  readonly #backend: () => Promise<Backend>;
  readonly #dispose: () => void;
  #parts: { readonly store: Store; readonly vault: BuiltinVault; readonly domain: Domain } | null = null;

  private constructor(kind: StoreKind) {
    if (kind === "memory") {
      // What it holds outlives its `close`, which here stands for a restart.
      const memory = new MemoryBackend(this.clock.read);
      this.#backend = async () => memory;
      this.#dispose = () => {};
    } else {
      const directory = mkdtempSync(join(tmpdir(), "env-model-"));
      this.#backend = () => openSqlite(`sqlite:${join(directory, "env.db")}`, { clock: this.clock.read });
      this.#dispose = () => rmSync(directory, { recursive: true, force: true });
    }
  }

  static async open(kind: StoreKind): Promise<Engine> {
    const engine = new Engine(kind);
    await engine.#start();
    return engine;
  }

  get store(): Store {
    return this.#opened.store;
  }

  get vault(): Vault {
    return this.#opened.vault;
  }

  get domain(): Domain {
    return this.#opened.domain;
  }

  /** As after a restart: on what the store has kept. */
  async reopen(): Promise<void> {
    await this.#stop();
    await this.#start();
  }

  async close(): Promise<void> {
    await this.#stop();
    this.#dispose();
  }

  get #opened() {
    if (this.#parts === null) throw new Error("the engine is closed");
    return this.#parts;
  }

  async #start(): Promise<void> {
    const store = checked(await this.#backend());
    const vault = await openBuiltinVault({ store, storeUrl: "memory:", masterKey: MASTER_KEY });
    this.#parts = { store, vault, domain: domainOn(store, vault, this.failures) };
  }

  async #stop(): Promise<void> {
    const { store, vault } = this.#opened;
    this.#parts = null;
    vault.close();
    await store.close();
  }
}
