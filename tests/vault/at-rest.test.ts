import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { asSeals, DATA_KEY, projectPartition } from "../../src/vault/documents.ts";
import { rotateMasterKey } from "../../src/vault/rotation.ts";
import { masterKey, unwrapDataKey } from "../../src/vault/sealing.ts";
import { entry, inFolder } from "./support.ts";

const NAMES = Array.from({ length: 50 }, (_, index) => `SECRET_${index}`);

/** In whatever form it might have been written down. */
function forms(bytes: Buffer): Buffer[] {
  const texts = [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")];
  // Base64 depends on where a text begins in its three-byte groups, so the middle of each alignment is looked for.
  const shifted = [1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .slice(4, -4),
  );
  return [
    bytes,
    Buffer.from(bytes.toString("latin1"), "utf16le"),
    ...[...texts, ...shifted].map((text) => Buffer.from(text.replace(/=+$/, ""))),
  ];
}

async function expectNowhere(folder: string, secrets: readonly Buffer[]): Promise<void> {
  const files = (await readdir(folder)).filter((name) => !name.endsWith(".key"));
  expect(files).toEqual(expect.arrayContaining(["env.db", "env.db-wal"]));
  for (const name of files) {
    const content = await readFile(join(folder, name));
    for (const secret of secrets) for (const form of forms(secret)) expect(content.includes(form), name).toBe(false);
  }
}

async function dataKeyOf(store: Store, project: string, master: Buffer): Promise<Buffer> {
  const [found = null] = await store.get(projectPartition(project), [DATA_KEY]);
  const key = masterKey(master);
  const opened = unwrapDataKey(key, project, asSeals(projectPartition(project), found).value![key.id]!);
  return opened!;
}

test("no value, data key or master key is anywhere in the SQLite file, its log or its neighbours", () =>
  inFolder(async (folder) => {
    const url = `sqlite:${join(folder, "env.db")}`;
    const store = await openStore(url);
    const vault = await openBuiltinVault({ store, storeUrl: url, masterKey: null });
    const values = NAMES.map(() => randomBytes(24).toString("hex"));
    for (const [index, name] of NAMES.entries()) await vault.put(entry({ name }), values[index]!);
    await vault.fingerprint("pf-777", values[0]!);
    const old = Buffer.from(await readFile(join(folder, "env.db.key"), "utf8"), "base64");
    const dataKey = await dataKeyOf(store, "pf-777", old);
    const secrets = [...values.map((value) => Buffer.from(value)), old, dataKey];
    await expectNowhere(folder, secrets);

    const next = randomBytes(32);
    await rotateMasterKey({ store, oldKey: masterKey(old), newKey: masterKey(next) });
    expect(await dataKeyOf(store, "pf-777", next)).toEqual(dataKey);
    await vault.delete(entry({ name: NAMES[0]! }));
    await expectNowhere(folder, [...secrets, next]);
    // The search finds what is there.
    await expect(expectNowhere(folder, [Buffer.from("pf-777")])).rejects.toThrow();
    await store.close();
  }));
