import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { entryPath } from "../../src/vault/kv2-paths.ts";
import { memoryStore } from "../domain/support.ts";
import { describeVault } from "./conformance.ts";
import { describeSecrets } from "./stand-ins/domain.ts";
import { describeFaults } from "./stand-ins/faults.ts";
import { useKind } from "./stand-ins/kinds.ts";
import { entry } from "./support.ts";

describeVault("kv2");
describeFaults("kv2");
describeSecrets("kv2");

const kind = useKind("kv2");
const PATH = "environment-manager/pf-777/staging/API_KEY/0a1b";

async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(() => null).catch((thrown: unknown) => thrown);
  if (error instanceof AppError) return error;
  throw new Error(`An AppError was expected, not ${String(error)}.`);
}

/** Method and path of each request but the questions for the mount, and for how long the token lasts. */
async function requests(): Promise<string[]> {
  const seen = await kind.standIn.seen();
  return seen.filter(({ path }) => !/\/internal\/|\/lookup-self$/.test(path)).map(({ method, path }) => `${method} ${path}`);
}

describe("requests have the form of the documentation:", () => {
  test("one path for each entry, created and never overwritten, deleted with all that is known of it", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "value");
    await vault.get(entry());
    await vault.has?.(entry());
    await vault.delete(entry());
    expect(await requests()).toEqual([
      `POST /v1/secret/data/${PATH}`,
      `GET /v1/secret/data/${PATH}`,
      `GET /v1/secret/subkeys/${PATH}`,
      `DELETE /v1/secret/metadata/${PATH}`,
    ]);
    const [mount, put] = (await kind.standIn.seen()).filter(({ path }) => !path.endsWith("/lookup-self"));
    expect(mount).toMatchObject({ method: "GET", path: "/v1/sys/internal/ui/mounts/secret" });
    expect(put?.body).toEqual({ options: { cas: 0 }, data: { value: "value" } });
    for (const { headers } of await kind.standIn.seen()) {
      expect(headers).toMatchObject({ "x-vault-request": "true", "x-vault-token": "root-token" });
      expect(headers).not.toHaveProperty("x-vault-namespace");
    }
  });

  test("the namespace on each of them, the login too", async () => {
    await kind.standIn.control({ namespace: "ns1/ns2/" });
    const settings = { ...kind.settings(), namespace: "ns1/ns2/", credentials: { roleId: "role-id", secretId: "secret-id" } };
    const vault = await kind.open(memoryStore(), undefined, settings as ReturnType<typeof kind.settings>);
    await vault.put(entry(), "value");
    for (const { headers } of await kind.standIn.seen()) expect(headers["x-vault-namespace"]).toBe("ns1/ns2/");
    expect(await (await kind.open()).look()).toMatchObject({ status: "degraded" });
  });

  test("names become paths, each its own, and no path ends in a period or has one", () => {
    const names = ["A", "a.b", "A.", "A..", "..", ".", "~", "~2E", "a~b", "a b", "a/b", "a%2Fb", "ü😀", "-_-"];
    const prefix = ["team", "engine"];
    for (const name of names) {
      const path = entryPath(prefix, entry({ name }));
      expect(path.join("/")).toMatch(/^[A-Za-z0-9_~/-]+$/);
      expect(path).toHaveLength(6);
    }
    expect(new Set(names.map((name) => entryPath([], entry({ name })).join("/"))).size).toBe(names.length);
  });
});

describe("an entry", () => {
  test("that exists with another value is not overwritten, and neither value is told", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "first-value");
    const refused = await vault.put(entry(), "second-value").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Error);
    expect(String(refused)).not.toMatch(/first-value|second-value/);
    expect(await vault.get(entry())).toBe("first-value");
  });

  test("whose version was deleted is missing, and is not made again", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "value");
    await kind.standIn.control({ softDelete: PATH });
    expect(await vault.get(entry())).toBeNull();
    expect(await vault.has?.(entry())).toBe(false);
    await expect(vault.put(entry(), "value")).rejects.toMatchObject({ code: "vault_unavailable" });
    await vault.delete(entry());
    await vault.put(entry(), "value");
    expect(await vault.get(entry())).toBe("value");
  });

  test("may be put again by a token that may only create", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "value");
    await kind.standIn.control({ forbidden: [`POST /v1/secret/data/${PATH}`] });
    await vault.put(entry(), "value");
    await expect(vault.put(entry(), "other")).rejects.toThrow("another value");
  });

  test("that somebody else wrote is no secret of the engine's", async () => {
    const vault = await kind.open();
    await kind.standIn.control({ put: PATH });
    await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
  });

  test("is read where the vault cannot tell names without values", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "value");
    await kind.standIn.control({ subkeys: false });
    expect(await vault.has?.(entry())).toBe(true);
    expect(await vault.has?.(entry({ id: "other" }))).toBe(false);
    await kind.standIn.control({ subkeys: true, forbidden: ["/subkeys/"] });
    expect(await vault.has?.(entry())).toBe(true);
  });

  test("is kept where the vault tells the number of its version and no more", async () => {
    const vault = await kind.open();
    await kind.standIn.control({ deleteAfter: null });
    await vault.put(entry(), "value");
    expect(await vault.get(entry())).toBe("value");
  });

  test("is not kept where the vault would delete it after a while", async () => {
    const vault = await kind.open();
    await kind.standIn.control({ deleteAfter: "2026-01-02T00:00:00Z" });
    expect(await errorOf(vault.put(entry(), "value"))).toMatchObject({
      code: "vault_unavailable",
      fix: expect.stringContaining("delete_version_after"),
    });
  });
});

describe("a vault that is not ready", () => {
  test("is sealed, says so, and serves again once it is not", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "value");
    await kind.standIn.control({ sealed: true });
    for (const call of [() => vault.get(entry()), () => vault.put(entry({ id: "2" }), "value"), () => vault.delete(entry())]) {
      expect(await errorOf(call())).toMatchObject({ code: "vault_unavailable", message: expect.stringContaining("sealed") });
    }
    expect(vault.status()).toMatchObject({ status: "degraded", last_error: expect.stringContaining("sealed") });
    await kind.standIn.control({ sealed: false });
    expect(await vault.get(entry())).toBe("value");
    expect(vault.status()).toMatchObject({ status: "ok" });
  });

  test.each([429, 412, 400])("is asked again, after pauses that grow (%i)", async (laterStatus) => {
    const timers = new TestTimers();
    const vault = await kind.open(memoryStore(), undefined, undefined, { timers });
    await vault.put(entry(), "value");
    await kind.standIn.control({ later: 3, laterStatus });
    expect(await vault.get(entry())).toBe("value");
    expect(timers.pauses).toEqual([250, 500, 1_000]);
    await kind.standIn.control({ later: 4, laterStatus });
    await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
    expect(await vault.get(entry())).toBe("value");
  });

  test("is asked again when it said, where that is soon, and not before; where it is not, who asked is told at once", async () => {
    const vault = await kind.open();
    await vault.put(entry(), "value");
    await kind.standIn.control({ later: 1, retryAfter: 1 });
    const begun = performance.now();
    expect(await Promise.all([vault.get(entry()), vault.get(entry()), vault.get(entry())])).toEqual(["value", "value", "value"]);
    // A timer of Node may be early by a part of a millisecond.
    expect(performance.now() - begun).toBeGreaterThanOrEqual(999);
    await kind.standIn.control({ later: 1, retryAfter: 60 });
    await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable", message: expect.stringContaining("429") });
    const before = (await kind.standIn.seen()).length;
    await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable", message: expect.stringContaining("left alone") });
    expect((await kind.standIn.seen()).length).toBe(before);
  });

  test.each([
    ["1", "secret", "enable-versioning"],
    [null, "secret", "enable-versioning"],
    ["2", "secret/team", "VAULT_PREFIX"],
    ["2", "elsewhere", "VAULT_MOUNT"],
  ])("has a mount that is not what it must be (version %s, mount %s)", async (version, mount, fix) => {
    await kind.standIn.control({ version });
    const settings = { ...kind.settings(), mount } as ReturnType<typeof kind.settings>;
    const vault = await kind.open(memoryStore(), undefined, settings);
    expect(await errorOf(vault.put(entry(), "value"))).toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining(fix) });
    expect(await kind.standIn.everyEntry()).toEqual([]);
    expect(vault.status()).toMatchObject({ status: "degraded" });
  });

  test("has a mount that is mended while the engine runs", async () => {
    await kind.standIn.control({ version: "1" });
    const vault = await kind.open();
    await expect(vault.put(entry(), "value")).rejects.toMatchObject({ code: "vault_unavailable" });
    await kind.standIn.control({ version: "2" });
    await vault.put(entry(), "value");
    expect(await vault.get(entry())).toBe("value");
  });

  test.each([
    ["mount", "", "a/../b"],
    ["mount", "a b", ""],
    ["prefix", "..", "."],
    ["prefix", "a//b", "a."],
  ])("is not opened with a %s that is no path", async (what, ...values) => {
    for (const value of values) {
      const settings = { ...kind.settings(), [what]: value } as ReturnType<typeof kind.settings>;
      await expect(kind.open(memoryStore(), undefined, settings)).rejects.toMatchObject({ code: "invalid_request" });
    }
  });
});

test("a token or policy that is not enough is told with what is needed, and not with the token", async () => {
  const vault = await kind.open();
  await vault.put(entry(), "value");
  await kind.standIn.control({ forbidden: ["/data/", "/metadata/"] });
  for (const call of [() => vault.get(entry()), () => vault.put(entry({ id: "2" }), "value"), () => vault.delete(entry())]) {
    const error = await errorOf(call());
    expect(error).toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining("secret/data/environment-manager/*") });
    expect(JSON.stringify([error.message, error.fix, error.details])).not.toContain("root-token");
  }
});

/** Time that goes on when it is told to. */
class TestTimers {
  time = 0;
  readonly pauses: number[] = [];
  #due: { readonly at: number; readonly work: () => void }[] = [];

  readonly now = (): number => this.time;
  readonly pause = async (ms: number): Promise<void> => void this.pauses.push(ms);
  readonly later = (work: () => void, ms: number): (() => void) => {
    const timer = { at: this.time + ms, work };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((other) => other !== timer);
    };
  };

  /** Milliseconds until each timer. */
  get waiting(): number[] {
    return this.#due.map(({ at }) => Math.round(at - this.time));
  }

  advance(ms: number): void {
    this.time += ms;
    for (const timer of this.#due.filter(({ at }) => at <= this.time)) {
      this.#due = this.#due.filter((other) => other !== timer);
      timer.work();
    }
  }
}

const HOUR = 3_600_000;

describe("VAULT_TOKEN", () => {
  async function opened(token: Readonly<Record<string, unknown>>) {
    const clock = new TestTimers();
    const told: string[] = [];
    await kind.standIn.control(token);
    const vault = await kind.open(memoryStore(), undefined, kind.settings(), { timers: clock, warn: (notice) => told.push(notice) });
    expect(await vault.get(entry())).toBeNull();
    return { clock, told, vault };
  }

  async function count(path: string): Promise<number> {
    return (await kind.standIn.seen()).filter((request) => request.path.endsWith(path)).length;
  }

  test("is looked up once, and left alone where it does not end", async () => {
    const { clock, told, vault } = await opened({ ttl: 0 });
    await expect.poll(() => count("/lookup-self")).toBe(1);
    await vault.put(entry(), "value");
    await vault.close();
    expect([await count("/lookup-self"), clock.waiting, told, await count("/revoke-self")]).toEqual([1, [], [], 0]);
  });

  test("is renewed at two thirds of its lease, however old it was when the engine began", async () => {
    const { clock, told, vault } = await opened({ ttl: 3_000, creationTtl: 3_600 });
    await expect.poll(() => clock.waiting).toEqual([1_800_000]);
    for (let renewals = 1; renewals <= 3; renewals++) {
      clock.advance(clock.waiting[0] ?? 0);
      await expect.poll(() => count("/renew-self")).toBe(renewals);
      await expect.poll(() => clock.waiting).toEqual([(HOUR * 2) / 3]);
    }
    expect([await vault.get(entry()), told, vault.status().notice]).toEqual([null, [], undefined]);
  });

  test("that is past two thirds already is renewed at once, and one of weeks is looked at again until then", async () => {
    const old = await opened({ ttl: 60, creationTtl: 3_600 });
    await expect.poll(() => old.clock.waiting).toEqual([0]);
    await old.vault.close();
    const long = await opened({ ttl: 3_000_000, creationTtl: 3_000_000, lease: 3_000_000 });
    for (let day = 0; day < 23; day++) {
      await expect.poll(() => long.clock.waiting).toEqual([24 * HOUR]);
      long.clock.advance(24 * HOUR);
    }
    await expect.poll(() => long.clock.waiting).toEqual([2_000_000_000 - 23 * 24 * HOUR]);
    expect(await count("/renew-self")).toBe(0);
  });

  test.each([
    ["cannot be renewed", { ttl: 600, creationTtl: 3_600, renewable: false }, 600],
    ["can be renewed no further", { ttl: 60, creationTtl: 3_600, renewed: 600 }, 600],
    ["is not renewed by the vault", { ttl: 60, creationTtl: 3_600, forbidden: ["/renew-self"] }, 60],
  ])("that %s is told of before it ends, in the log and by /readyz, and goes on until then", async (what, token, left) => {
    const { clock, told, vault } = await opened(token);
    if (what !== "cannot be renewed") {
      await expect.poll(() => clock.waiting).toEqual([0]);
      clock.advance(0);
    }
    await expect.poll(() => told).toHaveLength(1);
    const [, end = ""] = /^VAULT_TOKEN .*, and ends at (\S+)\. Make a new token/.exec(told[0] ?? "") ?? [];
    expect(told[0]).toContain(what);
    expect(Math.abs(Date.parse(end) - Date.now() - left * 1_000)).toBeLessThan(60_000);
    expect(vault.status()).toMatchObject({ status: "ok", notice: told[0] });
    expect(JSON.stringify([told, vault.status()])).not.toContain("root-token");
    expect(await vault.get(entry())).toBeNull();
  });

  test("that may not look itself up is told of as well", async () => {
    const { told } = await opened({ forbidden: ["/lookup-self"] });
    await expect.poll(() => told).toEqual([expect.stringContaining("keep it alive")]);
  });

  test("is looked up, and renewed, again where that failed", async () => {
    await kind.standIn.fail({ fault: "status-500", path: "-self" });
    const { clock, told } = await opened({ ttl: 3_600, creationTtl: 3_600 });
    await expect.poll(() => clock.waiting).toEqual([1_000]);
    await kind.standIn.heal();
    clock.advance(1_000);
    await expect.poll(() => clock.waiting).toEqual([(HOUR * 2) / 3]);
    await kind.standIn.fail({ fault: "status-500", path: "-self" });
    clock.advance((HOUR * 2) / 3);
    await expect.poll(() => clock.waiting).toEqual([HOUR / 9]);
    await kind.standIn.heal();
    clock.advance(HOUR / 9);
    await expect.poll(() => clock.waiting).toEqual([(HOUR * 2) / 3]);
    expect(told).toEqual([]);
  });
});

describe("AppRole", () => {
  const timers = () => new TestTimers();

  async function opened(clock: TestTimers, secretId = "secret-id") {
    const settings = { ...kind.settings(), credentials: { roleId: "role-id", secretId } } as ReturnType<typeof kind.settings>;
    return kind.open(memoryStore(), undefined, settings, { timers: clock });
  }

  /** How often each of these was asked for. */
  async function asked(): Promise<{ logins: number; renewals: number; revocations: number }> {
    const all = await requests();
    const count = (path: string) => all.filter((request) => request.endsWith(path)).length;
    return { logins: count("/approle/login"), renewals: count("/renew-self"), revocations: count("/revoke-self") };
  }

  /** Until the vault has been asked so often, by work that nobody waits for. */
  async function until(wanted: Partial<Awaited<ReturnType<typeof asked>>>): Promise<void> {
    await expect.poll(asked, { interval: 5 }).toMatchObject(wanted);
  }

  test("logs in once for all who ask, when the first does, and gives the token back at the end", async () => {
    const vault = await opened(timers());
    expect(await asked()).toEqual({ logins: 0, renewals: 0, revocations: 0 });
    await Promise.all([vault.put(entry({ id: "1" }), "value"), vault.put(entry({ id: "2" }), "value"), vault.get(entry())]);
    expect(await asked()).toEqual({ logins: 1, renewals: 0, revocations: 0 });
    await vault.close();
    expect(await asked()).toEqual({ logins: 1, renewals: 0, revocations: 1 });
  });

  test("renews at two thirds of the lease, again and again", async () => {
    const clock = timers();
    const vault = await opened(clock);
    await vault.put(entry(), "value");
    for (let renewals = 1; renewals <= 3; renewals++) {
      expect(clock.waiting).toEqual([(HOUR * 2) / 3]);
      clock.advance((HOUR * 2) / 3);
      await until({ renewals });
      await expect.poll(() => clock.waiting.length).toBe(1);
    }
    expect(await vault.get(entry())).toBe("value");
    expect(await asked()).toMatchObject({ logins: 1, renewals: 3 });
  });

  test("logs in anew where a lease grows no more, or cannot be renewed", async () => {
    const clock = timers();
    const vault = await opened(clock);
    await vault.put(entry(), "value");
    await kind.standIn.control({ renewed: 600 });
    clock.advance((HOUR * 2) / 3);
    await until({ logins: 2, renewals: 1 });
    await expect.poll(() => clock.waiting).toEqual([(HOUR * 2) / 3]);
    await kind.standIn.control({ renewable: false, revoke: "all" });
    expect(await vault.get(entry())).toBe("value");
    clock.advance((HOUR * 2) / 3);
    await until({ logins: 4, renewals: 1 });
  });

  test("logs in once more where a token has ended, and repeats what was refused", async () => {
    const vault = await opened(timers());
    await vault.put(entry(), "value");
    await kind.standIn.control({ revoke: "all" });
    expect(await Promise.all([vault.get(entry()), vault.get(entry()), vault.has?.(entry())])).toEqual(["value", "value", true]);
    expect(await asked()).toMatchObject({ logins: 2 });
  });

  test("does not log in again and again where the policy is too narrow", async () => {
    const vault = await opened(timers());
    await kind.standIn.control({ forbidden: ["/internal/"] });
    for (let attempt = 0; attempt < 5; attempt++) await expect(vault.get(entry())).rejects.toMatchObject({ code: "vault_unavailable" });
    expect(await asked()).toMatchObject({ logins: 2 });
  });

  test("tries a renewal again that failed, and logs in where the lease is over", async () => {
    const clock = timers();
    const vault = await opened(clock);
    await vault.put(entry(), "value");
    await kind.standIn.fail({ fault: "status-500" });
    clock.advance((HOUR * 2) / 3);
    await expect.poll(() => clock.waiting).toEqual([HOUR / 9]);
    await kind.standIn.heal();
    clock.advance(HOUR);
    expect(await vault.get(entry())).toBe("value");
    await until({ logins: 2 });
  });

  test("refused says which settings to change, and shows neither id", async () => {
    const vault = await opened(timers(), "wrong-secret-id");
    const error = await errorOf(vault.get(entry()));
    expect(error).toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining("VAULT_SECRET_ID") });
    expect(JSON.stringify([error.message, error.fix, error.details])).not.toMatch(/wrong-secret-id|role-id/);
    await kind.standIn.control({ secretId: "wrong-secret-id" });
    expect(await vault.get(entry())).toBeNull();
  });
});
