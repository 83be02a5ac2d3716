import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { SecretEntry } from "../../src/ports.ts";
import { entryKey, projectPartition } from "../../src/vault/documents.ts";
import { entry, memoryStore, newKey, openWith, readDocument, writeDocument } from "./support.ts";

async function fresh() {
  const store = await memoryStore();
  const key = newKey();
  return { store, key, vault: await openWith(store, key) };
}

describe("the built-in vault", () => {
  test("gives back what was put, also after it was opened again", async () => {
    const { store, key, vault } = await fresh();
    const values = ["s3cret", "", "grüße 😀", "line\nbreak\0nul", "x".repeat(64 * 1024)];
    for (const [index, value] of values.entries()) await vault.put(entry({ id: `id${index}` }), value);
    const reopened = await openWith(store, key);
    for (const [index, value] of values.entries()) expect(await reopened.get(entry({ id: `id${index}` }))).toBe(value);
  });

  test("answers null for an entry that does not exist, in a project with secrets and in one without", async () => {
    const { vault } = await fresh();
    await vault.put(entry(), "value");
    expect(await vault.get(entry({ id: "other" }))).toBeNull();
    expect(await vault.get(entry({ project: "unknown" }))).toBeNull();
  });

  test("deletes an entry, and deleting it again succeeds", async () => {
    const { vault } = await fresh();
    await vault.put(entry(), "value");
    await vault.delete(entry());
    await vault.delete(entry());
    await vault.delete(entry({ project: "unknown" }));
    expect(await vault.get(entry())).toBeNull();
  });

  test("takes the same put twice, and refuses another value for the same entry without telling either", async () => {
    const { vault } = await fresh();
    await vault.put(entry(), "first-value");
    await vault.put(entry(), "first-value");
    const refused = await vault.put(entry(), "second-value").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Error);
    expect(inspect(refused)).not.toMatch(/first-value|second-value/);
    expect(await vault.get(entry())).toBe("first-value");
  });

  test("refuses text that UTF-8 cannot hold", async () => {
    const { vault } = await fresh();
    await expect(vault.put(entry(), "half \ud800 pair")).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("seals every value under a fresh nonce", async () => {
    const { store, vault } = await fresh();
    const nonces = new Set<unknown>();
    const ciphertexts = new Set<unknown>();
    for (let index = 0; index < 200; index += 1) {
      await vault.put(entry({ id: `${index}` }), "the same value");
      const document = await readDocument(store, projectPartition("pf-777"), entryKey(entry({ id: `${index}` })));
      nonces.add(document.nonce);
      ciphertexts.add(document.ciphertext);
    }
    expect(nonces.size).toBe(200);
    expect(ciphertexts.size).toBe(200);
  });

  test("refuses a ciphertext that was moved to another entry, environment, name or project", async () => {
    const { store, vault } = await fresh();
    await vault.put(entry(), "stays where it is");
    await vault.put(entry({ project: "other" }), "makes the other project's key");
    const sealed = await readDocument(store, projectPartition("pf-777"), entryKey(entry()));
    const elsewhere: SecretEntry[] = [
      entry({ id: "ffff" }),
      entry({ env: "production" }),
      entry({ name: "OTHER" }),
      entry({ project: "other" }),
    ];
    for (const target of elsewhere) {
      await writeDocument(store, projectPartition(target.project), entryKey(target), sealed);
      await expect(vault.get(target)).rejects.toMatchObject({ code: "vault_unavailable" });
    }
    expect(await vault.get(entry())).toBe("stays where it is");
  });

  test("refuses a value of which any single bit was flipped", async () => {
    const { store, vault } = await fresh();
    await vault.put(entry(), "ok");
    const partition = projectPartition("pf-777");
    const sealed = await readDocument(store, partition, entryKey(entry()));
    for (const part of ["nonce", "ciphertext", "tag"] as const) {
      const bytes = Buffer.from(String(sealed[part]), "base64");
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        await writeDocument(store, partition, entryKey(entry()), { ...sealed, [part]: flipped.toString("base64") });
        await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
      }
    }
  });

  test("refuses a shortened tag, a missing part and a document that is no sealed value", async () => {
    const { store, vault } = await fresh();
    await vault.put(entry(), "ok");
    const partition = projectPartition("pf-777");
    const sealed = await readDocument(store, partition, entryKey(entry()));
    const short = Buffer.from(String(sealed.tag), "base64").subarray(0, 4).toString("base64");
    for (const document of [{ ...sealed, tag: short }, { ...sealed, tag: "" }, { nonce: "x" }, {}]) {
      await writeDocument(store, partition, entryKey(entry()), document);
      await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
    }
  });

  test("keeps projects apart: one's data key opens nothing of another", async () => {
    const { store, key, vault } = await fresh();
    await vault.put(entry({ project: "one" }), "one's");
    await vault.put(entry({ project: "two" }), "two's");
    const own = await readDocument(store, projectPartition("one"), "key");
    await writeDocument(store, projectPartition("two"), "key", own);
    const reopened = await openWith(store, key);
    await expect(reopened.get(entry({ project: "two" }))).rejects.toMatchObject({ code: "vault_unavailable" });
    expect(await reopened.get(entry({ project: "one" }))).toBe("one's");
  });

  test("fingerprints equal values of one project alike, and everything else differently", async () => {
    const { store, key, vault } = await fresh();
    const print = await vault.fingerprint("pf-777", "value");
    expect(print).toMatch(/^[0-9a-f]{64}$/);
    expect(await vault.fingerprint("pf-777", "value")).toBe(print);
    expect(await (await openWith(store, key)).fingerprint("pf-777", "value")).toBe(print);
    expect(await vault.fingerprint("pf-777", "value2")).not.toBe(print);
    expect(await vault.fingerprint("pf-778", "value")).not.toBe(print);
    expect(await (await fresh()).vault.fingerprint("pf-777", "value")).not.toBe(print);
  });

  test("gives a project one data key, however many race for its first use", async () => {
    const { store, key } = await fresh();
    const vaults = await Promise.all(Array.from({ length: 4 }, () => openWith(store, key)));
    const puts = Array.from({ length: 40 }, (_, index) => vaults[index % 4]!.put(entry({ id: `${index}` }), `value ${index}`));
    const prints = await Promise.all(vaults.map((vault) => vault.fingerprint("pf-777", "same")));
    await Promise.all(puts);
    expect(new Set(prints).size).toBe(1);
    const reader = await openWith(store, key);
    for (let index = 0; index < 40; index += 1) expect(await reader.get(entry({ id: `${index}` }))).toBe(`value ${index}`);
  });

  test("reads more projects than it keeps keys for", async () => {
    const { vault } = await fresh();
    for (let index = 0; index < 1_050; index += 1) await vault.put(entry({ project: `p${index}` }), `value ${index}`);
    for (const index of [0, 49, 50, 1_049]) expect(await vault.get(entry({ project: `p${index}` }))).toBe(`value ${index}`);
  });

  test("shows no key when it is printed, and does nothing once closed", async () => {
    const { key, vault } = await fresh();
    await vault.put(entry(), "value");
    const shown =
      inspect(vault, { depth: 10, showHidden: true }) + JSON.stringify(vault) + inspect(key.key, { depth: 10, showHidden: true });
    for (const encoding of ["hex", "base64"] as const) expect(shown).not.toContain(key.bytes.toString(encoding));
    vault.close();
    for (const call of [vault.put(entry(), "x"), vault.get(entry()), vault.delete(entry()), vault.fingerprint("pf-777", "x")]) {
      await expect(call).rejects.toMatchObject({ code: "shutting_down" });
    }
  });
});
