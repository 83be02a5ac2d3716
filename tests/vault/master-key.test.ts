import { existsSync } from "node:fs";
import { chmod, readdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { KEYCHECK, VAULT_PARTITION } from "../../src/vault/documents.ts";
import { parseMasterKey } from "../../src/vault/master-key.ts";
import { entry, inFolder, memoryStore, newKey, openWith, readDocument, writeDocument } from "./support.ts";

async function refusal(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.catch((thrown: unknown) => thrown);
  if (!(error instanceof AppError)) throw new Error(`expected a refusal, got ${inspect(error)}`);
  expect(error.code).toBe("vault_unavailable");
  expect(error.fix).toBeTruthy();
  return error;
}

/** An SQLite store in a folder of its own, opened anew for every step, as an engine's starts would. */
function onSqlite(
  use: (on: { url: string; keyFile: string; start: (masterKey: string | null, then?: Step) => Promise<void> }) => Promise<void>,
) {
  return inFolder(async (folder) => {
    const url = `sqlite:${join(folder, "env.db")}`;
    const start = async (masterKey: string | null, then: Step = async () => {}) => {
      const store = await openStore(url);
      try {
        await then(await openBuiltinVault({ store, storeUrl: url, masterKey }), store);
      } finally {
        await store.close();
      }
    };
    await use({ url, keyFile: join(folder, "env.db.key"), start });
  });
}
type Step = (vault: Awaited<ReturnType<typeof openBuiltinVault>>, store: Store) => Promise<void>;

describe("ENV_MANAGER_MASTER_KEY", () => {
  test("is 32 bytes as base64 or base64url, padded or not, and all of these are the same key", () => {
    const bytes = Buffer.alloc(32, 0xfb);
    const texts = [
      bytes.toString("base64"),
      bytes.toString("base64url"),
      bytes.toString("base64").replace("=", ""),
      ` ${bytes.toString("base64")}\n`,
    ];
    expect(new Set(texts.map((text) => parseMasterKey(text, "test").id)).size).toBe(1);
  });

  test("is refused where it is anything else, with how to make one and without showing it", () => {
    const good = Buffer.alloc(32, 0xfb).toString("base64");
    const bad = [
      "secret-password",
      good.slice(1),
      `${good.slice(0, 43)}A=`,
      "a".repeat(64),
      Buffer.alloc(31).toString("base64"),
      Buffer.alloc(33).toString("base64"),
    ];
    for (const text of [...bad, `${good.slice(0, 20)}!${good.slice(20)}`, `-${good.slice(1)}`, `${good.slice(0, 42)}t`, "=".repeat(44)]) {
      try {
        parseMasterKey(text, "ENV_MANAGER_MASTER_KEY");
        expect.unreachable(text);
      } catch (error) {
        expect(error).toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining("openssl rand -base64 32") });
        expect(inspect(error)).not.toContain(text);
      }
    }
  });

  test("must be the one that the store was first started with", async () => {
    const store = await memoryStore();
    const [first, second] = [newKey(), newKey()];
    await (await openWith(store, first)).put(entry(), "value");
    const error = await refusal(openWith(store, second));
    expect(error.message).toMatch(/ENV_MANAGER_MASTER_KEY.*is not the one/);
    expect(inspect(error)).not.toContain(second.text);
    expect(await (await openWith(store, first)).get(entry())).toBe("value");
  });

  test("is settled by one of two engines that start at once with different keys", async () => {
    const store = await memoryStore();
    const starts = await Promise.allSettled([openWith(store, newKey()), openWith(store, newKey())]);
    expect(starts.map((start) => start.status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("must be given on a shared store", async () => {
    const store = await memoryStore();
    const error = await refusal(openBuiltinVault({ store, storeUrl: "postgres://user:pw@db/env", masterKey: null }));
    expect(error.message).toContain("ENV_MANAGER_MASTER_KEY is not set");
    expect(inspect(error)).not.toContain("user:pw");
  });

  test("must be the store's own where that is sealed: nobody is told to make another one", async () => {
    const store = await memoryStore();
    await openWith(store, newKey());
    const error = await refusal(openBuiltinVault({ store, storeUrl: "postgres://user:pw@db/env", masterKey: null }));
    expect(error.message).toContain("sealed by a key");
    expect(error.fix).not.toContain("openssl");
  });

  test("may be left out on a store in memory", async () => {
    const vault = await openBuiltinVault({ store: await memoryStore(), storeUrl: "memory:", masterKey: null });
    await vault.put(entry(), "value");
    expect(await vault.get(entry())).toBe("value");
    expect(vault.keyOrigin).toBe("memory");
  });

  test("is not trusted where the keycheck was changed", async () => {
    const store = await memoryStore();
    const key = newKey();
    await openWith(store, key);
    const keycheck = await readDocument(store, VAULT_PARTITION, KEYCHECK);
    const other = await readDocument(await withVault(newKey()), VAULT_PARTITION, KEYCHECK);
    await writeDocument(store, VAULT_PARTITION, KEYCHECK, { [key.key.id]: Object.values(other)[0]! });
    expect((await refusal(openWith(store, key))).message).toContain("damaged");
    await writeDocument(store, VAULT_PARTITION, KEYCHECK, {});
    expect((await refusal(openWith(store, key))).message).toContain("damaged");
    await writeDocument(store, VAULT_PARTITION, KEYCHECK, keycheck);
    await openWith(store, key);
  });
});

async function withVault(key: ReturnType<typeof newKey>): Promise<Store> {
  const store = await memoryStore();
  await openWith(store, key);
  return store;
}

describe("the key file beside an SQLite database", () => {
  test("is made at first start with mode 0600, alone, and used from then on", () =>
    onSqlite(async ({ keyFile, start }) => {
      await start(null, async (vault) => {
        expect(vault.keyOrigin).toBe(keyFile);
        await vault.put(entry(), "value");
      });
      expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
      expect(Buffer.from(await readFile(keyFile, "utf8"), "base64")).toHaveLength(32);
      expect((await readdir(join(keyFile, ".."))).filter((name) => name.includes("key"))).toEqual(["env.db.key"]);
      await start(null, async (vault) => expect(await vault.get(entry())).toBe("value"));
    }));

  test("is not made where the key is given", () =>
    onSqlite(async ({ keyFile, start }) => {
      await start(newKey().text);
      expect(existsSync(keyFile)).toBe(false);
    }));

  test("is refused while others than its owner may read it, with the command that mends it", () =>
    onSqlite(async ({ keyFile, start }) => {
      await start(null);
      for (const mode of [0o640, 0o604, 0o620, 0o644]) {
        await chmod(keyFile, mode);
        expect((await refusal(start(null))).fix).toContain(`chmod 600 "${keyFile}"`);
      }
      await chmod(keyFile, 0o600);
      await start(null);
    }));

  test("is asked for where it is gone, never silently replaced", () =>
    onSqlite(async ({ keyFile, start }) => {
      await start(null, (vault) => vault.put(entry(), "value"));
      const text = await readFile(keyFile, "utf8");
      await unlink(keyFile);
      expect((await refusal(start(null))).message).toContain(`${keyFile} is gone`);
      expect(existsSync(keyFile)).toBe(false);
      await start(text.trim(), async (vault) => expect(await vault.get(entry())).toBe("value"));
    }));

  test("is refused where it holds another key or no key", () =>
    onSqlite(async ({ keyFile, start }) => {
      await start(null);
      for (const content of [newKey().text, "", "not a key", "x".repeat(100_000)]) {
        await writeFile(keyFile, content);
        const error = await refusal(start(null));
        expect(error.message).toContain(keyFile);
        if (content !== "") expect(inspect(error)).not.toContain(content);
      }
    }));

  test("is made anew after a kill in the middle of making it", () =>
    onSqlite(async ({ keyFile, start }) => {
      await writeFile(`${keyFile}.tmp`, "half a k", { mode: 0o600 });
      await start(null);
      await start(null);
      expect(existsSync(`${keyFile}.tmp`)).toBe(false);
    }));

  test("is used where a kill came between making it and the store's first commit", () =>
    onSqlite(async ({ keyFile, start }) => {
      const key = newKey();
      await writeFile(keyFile, key.text, { mode: 0o600 });
      await start(null);
      await start(key.text);
    }));
});
