import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../domain/support.ts";
import { type Kind, useKind } from "./stand-ins/kinds.ts";
import { entry } from "./support.ts";

/** What every vault promises, whichever it is. */
export function describeVault(name: Kind): void {
  describe(`any vault: ${name}`, () => {
    const kind = useKind(name);

    test("gives back what was put, also to an engine that opens it later", async () => {
      const store = memoryStore();
      const vault = await kind.open(store);
      const values = ["s3cret", " spaced\t", "grüße 😀", "line\nbreak\0nul", '"}\\{', "%2F%00", "x".repeat(64 * 1024)];
      for (const [index, value] of values.entries()) await vault.put(entry({ id: `id${index}` }), value);
      const later = await kind.open(store);
      for (const [index, value] of values.entries()) {
        expect(await later.get(entry({ id: `id${index}` }))).toBe(value);
        expect(await later.has?.(entry({ id: `id${index}` }))).not.toBe(false);
      }
    });

    test("keeps a blank value as it is, or refuses it as one that it cannot keep", async () => {
      const vault = await kind.open();
      for (const [index, value] of ["", " "].entries()) {
        const refused = await vault.put(entry({ id: `${index}` }), value).catch((error: unknown) => error);
        if (refused === undefined) expect(await vault.get(entry({ id: `${index}` }))).toBe(value);
        else expect(refused).toMatchObject({ code: "invalid_request", fix: expect.any(String) });
      }
    });

    test("answers null for what does not exist, in a project that it knows and in one that it does not", async () => {
      const vault = await kind.open();
      await vault.put(entry(), "value");
      for (const other of [{ id: "other" }, { name: "OTHER" }, { env: "other" }, { project: "other" }]) {
        expect(await vault.get(entry(other))).toBeNull();
        expect(await vault.has?.(entry(other))).not.toBe(true);
      }
    });

    test("deletes one entry and no other, and deleting it again succeeds", async () => {
      const vault = await kind.open();
      await vault.put(entry(), "value");
      await vault.put(entry({ id: "other" }), "stays");
      await vault.delete(entry());
      await vault.delete(entry());
      await vault.delete(entry({ project: "unknown" }));
      expect(await vault.get(entry())).toBeNull();
      expect(await vault.has?.(entry())).not.toBe(true);
      expect(await vault.get(entry({ id: "other" }))).toBe("stays");
    });

    test("takes the same put twice, and at once", async () => {
      const vault = await kind.open();
      await vault.put(entry(), "value");
      await Promise.all([vault.put(entry(), "value"), vault.put(entry(), "value")]);
      expect(await vault.get(entry())).toBe("value");
    });

    test("tells entries apart whose names are alike", async () => {
      const vault = await kind.open();
      const names = ["A", "a", "A.", "A..", "A.B", "A_B", "A-B", "A~2EB", "a.b.c", "_", "data", "metadata"];
      const entries = [
        ...names.map((each) => entry({ name: each })),
        entry({ env: "a", name: "b" }),
        entry({ env: "b", name: "a" }),
        entry({ project: "pf-777-a" }),
        entry({ id: "-_-" }),
      ];
      for (const [index, each] of entries.entries()) await vault.put(each, `value ${index}`);
      for (const [index, each] of entries.entries()) expect(await vault.get(each)).toBe(`value ${index}`);
      for (const each of entries) await vault.delete(each);
      for (const each of entries) expect(await vault.get(each)).toBeNull();
    });

    test("keeps hundreds that are put at once", async () => {
      const store = memoryStore();
      const vault = await kind.open(store);
      const ids = Array.from({ length: 200 }, (_, index) => `${index}`);
      await Promise.all(ids.map((id) => vault.put(entry({ id }), `value ${id}`)));
      expect(await Promise.all(ids.map((id) => vault.get(entry({ id }))))).toEqual(ids.map((id) => `value ${id}`));
      expect((await kind.entries(store, "pf-777")).length).toBe(200);
    });

    test("refuses text that UTF-8 cannot hold", async () => {
      const vault = await kind.open();
      await expect(vault.put(entry(), "half \ud800 pair")).rejects.toMatchObject({ code: "invalid_request" });
      await expect(vault.fingerprint("pf-777", "half \ud800 pair")).rejects.toMatchObject({ code: "invalid_request" });
      expect(await vault.get(entry())).toBeNull();
    });

    test("fingerprints equal values of one project alike, everything else differently, and so after a restart", async () => {
      const store = memoryStore();
      const vault = await kind.open(store);
      const print = await vault.fingerprint("pf-777", "value");
      expect(print).toMatch(/^[0-9a-f]{64}$/);
      expect(await vault.fingerprint("pf-777", "value")).toBe(print);
      expect(await (await kind.open(store)).fingerprint("pf-777", "value")).toBe(print);
      const others = [vault.fingerprint("pf-777", "value2"), vault.fingerprint("pf-778", "value"), vault.fingerprint("pf-777", "")];
      others.push((await kind.open(memoryStore())).fingerprint("pf-777", "value"));
      for (const other of await Promise.all(others)) expect(other).not.toBe(print);
    });

    test("fingerprints alike in all engines of a store, however many start at once", async () => {
      const store = memoryStore();
      const vaults = await Promise.all(Array.from({ length: 8 }, () => kind.open(store)));
      const prints = await Promise.all(
        vaults.flatMap((vault) => [vault.fingerprint("pf-777", "same"), vault.fingerprint("pf-777", "same")]),
      );
      expect(new Set(prints).size).toBe(1);
    });

    test("does nothing once closed, and shows no value and no credential when it is printed", async () => {
      const vault = await kind.open();
      const value = randomBytes(16).toString("hex");
      await vault.put(entry(), value);
      await vault.fingerprint("pf-777", value);
      expect(vault.status().status).toBe("ok");
      const shown = JSON.stringify(vault) + JSON.stringify(vault.status());
      for (const secret of [value, "root-token"]) expect(shown).not.toContain(secret);
      expect(inspect(vault, { depth: 3 })).not.toContain("root-token");
      await vault.close();
      const calls = [vault.put(entry(), "x"), vault.get(entry()), vault.delete(entry()), vault.fingerprint("pf-777", value)];
      for (const call of calls) await expect(call).rejects.toMatchObject({ code: "shutting_down" });
    });
  });
}
