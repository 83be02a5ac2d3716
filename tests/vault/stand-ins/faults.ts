import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { memoryStore } from "../../domain/support.ts";
import { entry } from "../support.ts";
import { BOUNDS, connecting, IMPATIENT, LEAVING, useKind } from "./kinds.ts";
import type { Fault } from "./stand-in.ts";

const AT_ONCE: readonly Fault[] = ["status-500", "garbage", "wrong-shape", "foreign-404", "half", "redirect", "huge", "hang-up"];
const VALUE = "v4lue-that-nobody-may-see";

function shown(error: unknown): string {
  const parts = error instanceof AppError ? [error.message, error.fix, JSON.stringify(error.details), error.stack] : [];
  return [...parts, inspect(error, { depth: 10, showHidden: true })].join("\n");
}

/** What every vault elsewhere promises while it, or the way to it, is broken. */
export function describeFaults(name: "puraify" | "kv2"): void {
  describe(`a vault that is broken: ${name}`, () => {
    const kind = useKind(name);

    test.each([...AT_ONCE, "silent"] as const)("is told from an entry that is missing, and recovers (%s)", async (fault) => {
      const store = memoryStore();
      const vault = await kind.open(store, connecting(fault === "silent" ? IMPATIENT : BOUNDS));
      const patient = await kind.open(store);
      await patient.put(entry(), VALUE);
      await kind.standIn.fail({ fault });
      const calls = [
        () => vault.get(entry()),
        () => vault.get(entry({ id: "missing" })),
        () => vault.put(entry({ id: "2" }), VALUE),
        () => vault.delete(entry()),
        () => vault.fingerprint("pf-777", VALUE),
      ];
      for (const call of calls) {
        const error = await call().then(
          (result) => expect.fail(`${call} answered ${inspect(result)}`),
          (thrown: unknown) => thrown,
        );
        expect(error).toMatchObject({
          code: "vault_unavailable",
          message: expect.stringMatching(/[Vv]ault/),
          fix: expect.stringMatching(/\S/),
        });
        expect(shown(error)).not.toContain(VALUE);
        expect(shown(error)).not.toContain("half a te");
      }
      expect(vault.status()).toMatchObject({ status: "degraded", since: expect.stringMatching(/^\d{4}-/), last_error: expect.any(String) });
      await kind.standIn.heal();
      for (const back of fault === "silent" ? [patient] : [vault, patient]) {
        expect(await back.get(entry({ id: "missing" }))).toBeNull();
        await back.put(entry({ id: "3" }), VALUE);
        expect(await back.get(entry({ id: "3" }))).toBe(VALUE);
        expect(back.status()).toMatchObject({ status: "ok" });
      }
    });

    test.each(["POST", "GET", "DELETE"])("is asked again where an answer was lost (%s)", async (method) => {
      const vault = await kind.open(memoryStore(), connecting({ ...IMPATIENT, attempts: 10 }));
      await vault.fingerprint("pf-777", VALUE);
      for (const fault of ["lost", "hang-up", "status-500"] as const) {
        await kind.standIn.fail({ fault, method, path: name === "kv2" ? "environment-manager" : "", times: 1 });
        await vault.put(entry({ id: fault }), VALUE);
        expect(await vault.get(entry({ id: fault }))).toBe(VALUE);
        await vault.delete(entry({ id: fault }));
        expect(await vault.get(entry({ id: fault }))).toBeNull();
      }
      expect(await kind.standIn.entries()).toEqual([]);
    });

    test("says of a write that failed on its way that it may come late", async () => {
      const vault = await kind.open();
      const hurried = await kind.open(memoryStore(), connecting(LEAVING));
      await kind.standIn.fail({ fault: "late", method: "POST" });
      await expect(hurried.put(entry(), VALUE)).rejects.toMatchObject({ code: "vault_unavailable", details: { vault_write: "unknown" } });
      await kind.standIn.heal();
      expect(await vault.get(entry())).toBeNull();
      await kind.standIn.release();
      expect(await vault.get(entry())).toBe(VALUE);
    });

    test("is left alone for a while after several failures in a row, and then asked again", async () => {
      const away = await kind.open(memoryStore(), connecting({ ...BOUNDS, failures: 2 }));
      await kind.standIn.fail({ fault: "status-500" });
      await expect(away.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
      expect(away.status()).toMatchObject({ status: "down" });
      const before = (await kind.standIn.seen()).filter(({ path }) => !path.includes("seal-status")).length;
      await expect(away.get(entry())).rejects.toMatchObject({ code: "vault_unavailable", message: expect.stringContaining("left alone") });
      expect((await kind.standIn.seen()).filter(({ path }) => !path.includes("seal-status")).length).toBe(before);
      await kind.standIn.heal();
      const back = await kind.open(memoryStore(), connecting({ ...BOUNDS, failures: 2, pauseMs: 0 }));
      await kind.standIn.fail({ fault: "status-500", times: 2 });
      await expect(back.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
      expect(await back.get(entry())).toBeNull();
      expect(back.status()).toMatchObject({ status: "ok" });
    });

    test("may be away when it is opened, and says so when it is looked at", async () => {
      const settings = { ...kind.settings(), url: "http://127.0.0.1:1" } as ReturnType<typeof kind.settings>;
      const vault = await kind.open(memoryStore(), connecting(), settings);
      expect(vault.status()).toMatchObject({ status: "ok", since: null });
      expect(await vault.look()).toMatchObject({ status: "degraded", last_error: expect.stringContaining("cannot be reached") });
      expect(await (await kind.open()).look()).toMatchObject({ status: "ok", since: expect.any(String) });
    });

    test("that does not answer keeps nobody waiting who looks at it", async () => {
      const vault = await kind.open();
      await kind.standIn.fail({ fault: "late" });
      expect(await vault.look()).toMatchObject({ status: "degraded", last_error: expect.stringContaining("not answered") });
      await kind.standIn.heal();
      await kind.standIn.release();
      expect(await vault.get(entry())).toBeNull();
      expect(await vault.look()).toMatchObject({ status: "ok" });
    });

    test("names no secret to whoever looks at it, which anybody may", async () => {
      const vault = await kind.open();
      expect(await vault.get(entry())).toBeNull();
      await kind.standIn.fail({ fault: "wrong-shape" });
      await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
      await kind.standIn.fail({ fault: "late" });
      const { last_error } = await vault.look();
      expect(last_error).toContain("unexpected body");
      expect(last_error).not.toMatch(/API_KEY|staging/);
      await kind.standIn.heal();
      await kind.standIn.release();
    });

    test("that lacks the key of the store's fingerprints is another vault, and not the store's", async () => {
      const store = memoryStore();
      await (await kind.open(store)).fingerprint("pf-777", VALUE);
      await kind.standIn.clear();
      const other = await kind.open(store);
      await expect(other.fingerprint("pf-777", VALUE)).rejects.toMatchObject({
        code: "vault_unavailable",
        fix: expect.stringContaining("vault:move"),
      });
      expect(await kind.standIn.everyEntry()).toEqual([]);
    });
  });
}
