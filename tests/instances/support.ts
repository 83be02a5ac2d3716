import { randomBytes } from "node:crypto";
import { AppError } from "../../src/errors.ts";
import type { Backend, Store, Vault } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { MemoryBackend } from "../../src/storage/memory.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { TestClock, wrapped } from "../domain/support.ts";

/** A store that several engines share, as far as they can tell: each has its own way to it, and each way can be cut. */
export interface SharedStore {
  readonly clock: TestClock;
  readonly store: Store;
  readonly vault: Vault;
  /** One engine's way to the store. */
  connect(): Link;
}

export interface Link {
  readonly store: Store;
  /** Times that the newest revisions were asked for. */
  checks(): number;
  /** Every call fails from now on, as where the store's server is gone. */
  cut(): void;
  /** Calls are not answered from now on, as over a connection that is half open. */
  hang(): void;
  mend(): void;
}

export interface LinkOptions {
  /** Whether this engine is told of changes. */
  readonly told?: boolean;
}

export async function sharedStore({ told = true }: LinkOptions = {}): Promise<SharedStore> {
  const clock = new TestClock();
  const backend: Backend = new MemoryBackend(clock.read);
  const store = checked(backend);
  const vault = await openBuiltinVault({ store, storeUrl: "memory:", masterKey: randomBytes(32).toString("base64") });
  return { clock, store, vault, connect: () => link(store, told) };
}

function link(store: Store, told: boolean): Link {
  let state: "up" | "cut" | "hanging" = "up";
  let checks = 0;
  const waiting: (() => void)[] = [];
  const through = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    if (state === "hanging") await new Promise<void>((resolve) => waiting.push(resolve));
    if (state === "cut") throw new AppError("store_unavailable");
    return call();
  };
  return {
    store: wrapped(store, {
      get: (partition, keys) => through(() => store.get(partition, keys)),
      list: (partition, range) => through(() => store.list(partition, range)),
      revision: (partitions) => {
        checks++;
        return through(() => store.revision(partitions));
      },
      commit: (partition, change) => through(() => store.commit(partition, change)),
      objects: {
        get: (partition, hashes) => through(() => store.objects.get(partition, hashes)),
        put: (partition, objects) => through(() => store.objects.put(partition, objects)),
        list: (partition, after, limit) => through(() => store.objects.list(partition, after, limit)),
      },
      watch: (handlers) => (told ? store.watch(handlers) : { close() {} }),
      now: () => through(() => store.now()),
    }),
    checks: () => checks,
    cut: () => {
      state = "cut";
    },
    hang: () => {
      state = "hanging";
    },
    mend: () => {
      state = "up";
      for (const go of waiting.splice(0)) go();
    },
  };
}
