import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Sibling } from "../../src/engines/sibling.ts";
import type { Store } from "../../src/ports.ts";
import { loadSettings } from "../../src/settings.ts";
import { moveHome } from "../../src/vault/home.ts";
import { openVault } from "../../src/vault/open.ts";
import { memoryStore } from "../domain/support.ts";
import { BOUNDS } from "./stand-ins/kinds.ts";
import { entry, newKey } from "./support.ts";

const KEY = newKey().text;

/** Read where no `.env` lies. */
const settings = (values: Readonly<Record<string, string>>) => loadSettings(values, join(tmpdir(), "nowhere", "at", "all")).vault;

function open(store: Store, values: Readonly<Record<string, string>> = {}, masterKey: string | null = KEY) {
  const connect = (name: string, url: string) => new Sibling(name, url, BOUNDS);
  return openVault(settings(values), { store, storeUrl: "redis://store", masterKey, connect });
}

describe("the settings", () => {
  test("name the built-in vault, the family's where there is an address, and KV version 2 where it is asked for", () => {
    const url = "http://127.0.0.1:8200";
    expect(settings({})).toEqual({ kind: "builtin" });
    expect(settings({ VAULT_URL: url })).toEqual({ kind: "puraify", url, token: null });
    expect(settings({ VAULT_URL: url, VAULT_KIND: "builtin" })).toEqual({ kind: "builtin" });
    expect(settings({ VAULT_URL: url, VAULT_KIND: "KV2", VAULT_TOKEN: "t" })).toEqual({
      ...{ kind: "kv2", url, mount: "secret", prefix: "environment-manager", namespace: null },
      credentials: { token: "t" },
    });
    const more = { VAULT_ROLE_ID: "r", VAULT_SECRET_ID: "s", VAULT_NAMESPACE: "ns1/", VAULT_MOUNT: "kv/team", VAULT_PREFIX: "a/b" };
    expect(settings({ VAULT_URL: url, VAULT_KIND: "kv2", ...more })).toEqual({
      ...{ kind: "kv2", url, mount: "kv/team", prefix: "a/b", namespace: "ns1/" },
      credentials: { roleId: "r", secretId: "s" },
    });
  });

  test("that only a vault elsewhere has are told of where none is named: secrets go into the engine's own store, which may not be meant", async () => {
    const ofVault = async (values: Readonly<Record<string, string>>) => {
      const vault = await open(memoryStore(), values);
      await vault.close();
      return vault.notices;
    };
    const [notice, ...more] = await ofVault({ VAULT_TOKEN: "t0ken", VAULT_MOUNT: "kv" });
    expect(more).toEqual([]);
    expect(notice).toMatch(/^VAULT_TOKEN and VAULT_MOUNT are set, and VAULT_URL is not: .*VAULT_URL.*VAULT_KIND=builtin/);
    expect(notice).not.toContain("t0ken");
    expect(await ofVault({ VAULT_TOKEN: "t" })).toEqual([expect.stringContaining("VAULT_TOKEN is set, and")]);
    expect(await ofVault({ VAULT_TOKEN: "t", VAULT_KIND: "builtin" })).toEqual([]);
    expect(await ofVault({})).toEqual([]);
  });

  test.each([
    [{ VAULT_KIND: "vault" }, "VAULT_KIND"],
    [{ VAULT_KIND: "puraify" }, "VAULT_URL"],
    [{ VAULT_KIND: "kv2", VAULT_TOKEN: "s3cret" }, "VAULT_URL"],
    [{ VAULT_URL: "http://v?x=s3cret" }, "VAULT_URL"],
    [{ VAULT_URL: "http://v/#s3cret" }, "VAULT_URL"],
    [{ VAULT_KIND: "kv2", VAULT_URL: "http://v" }, "VAULT_TOKEN"],
    [{ VAULT_KIND: "kv2", VAULT_URL: "http://v", VAULT_ROLE_ID: "s3cret" }, "VAULT_SECRET_ID"],
    [{ VAULT_KIND: "kv2", VAULT_URL: "http://v", VAULT_TOKEN: "s3cret", VAULT_ROLE_ID: "s3cret" }, "VAULT_TOKEN"],
  ])("that cannot be used are refused without showing them (%j)", (values, name) => {
    expect(() => settings(values as Record<string, string>)).toThrow(name);
    expect(() => settings(values as Record<string, string>)).not.toThrow("s3cret");
  });
});

describe("a store whose secrets are in another kind of vault", () => {
  const remote = { VAULT_URL: "http://127.0.0.1:1" };

  test("is not opened with this one, and the way out is told", async () => {
    const store = memoryStore();
    await (await open(store)).put(entry(), "value");
    await expect(open(store, remote)).rejects.toMatchObject({
      code: "vault_unavailable",
      fix: expect.stringContaining("vault:move -- --to puraify"),
    });
    await moveHome(store, "puraify");
    await store.commit("_vault", {
      checks: [],
      puts: [{ key: "fingerprints", value: { entry: "a" } }],
      deletes: [],
      objects: [],
      objectDeletes: [],
    });
    await expect(open(store)).rejects.toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining("VAULT_KIND=puraify") });
    await (await open(store, remote)).close();
  });

  test("may be opened with any as long as it has none, also where the first try failed", async () => {
    const store = memoryStore();
    await expect(open(store, {}, null)).rejects.toMatchObject({ code: "vault_unavailable" });
    await (await open(store, remote)).close();
    await (await open(store)).close();
    await (await open(store, { ...remote, VAULT_KIND: "kv2", VAULT_TOKEN: "t" })).close();
    const vault = await open(store);
    await vault.put(entry(), "value");
    expect(vault.status()).toMatchObject({ status: "ok" });
    await expect(open(store, remote)).rejects.toMatchObject({ code: "vault_unavailable" });
  });
});
