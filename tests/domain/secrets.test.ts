import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { keys } from "../../src/keys.ts";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change, CommitResult, SecretEntry, Store, Vault } from "../../src/ports.ts";
import { type Intent, type SecretFacts, Secrets } from "../../src/secrets.ts";
import {
  caller,
  codeOf,
  document,
  documents,
  domainOn,
  errorOf,
  gate,
  memoryStore,
  openVault,
  openWorld,
  PROJECT,
  Project,
  referencesOf,
  referredEntries,
  TestClock,
  vaultEntries,
  watchedVault,
  wrapped,
} from "./support.ts";

const intents = async (store: Store) => (await documents(store, PROJECT, keys.intentPrefix)).map(({ value }) => value as unknown as Intent);

/** No vault entry that no revision refers to, no reference without its entry, no intent left over. */
async function expectNothingLeftOver(store: Store): Promise<void> {
  expect(await intents(store)).toEqual([]);
  const referred = await referredEntries(store);
  expect(new Set(await vaultEntries(store))).toEqual(referred);
  for (const path of referred)
    await document<SecretFacts>(store, keys.secret(path.slice(0, path.indexOf("/")), path.slice(path.indexOf("/") + 1)));
}

class Crash extends Error {}

/** What a process did until it was killed at one of its calls: from then on it does nothing at all. */
function crashing(inner: Store, at: { readonly call: number; readonly moment: "before" | "after" }) {
  let calls = 0;
  let dead = false;
  const step = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    if (dead) throw new Crash();
    const last = ++calls === at.call;
    if (last && at.moment === "before") dead = true;
    if (dead) throw new Crash();
    const result = await run();
    if (last) dead = true;
    if (dead) throw new Crash();
    return result;
  };
  const store = wrapped(inner, {
    get: (partition, wanted) => (dead ? Promise.reject(new Crash()) : inner.get(partition, wanted)),
    commit: (partition: string, change: Change): Promise<CommitResult> => step(() => inner.commit(partition, change)),
  });
  return { store, calls: () => calls };
}

describe("a process that is killed while it writes secrets", () => {
  const writes: Readonly<Record<string, (project: Project) => Promise<unknown>>> = {
    "config write": (project) => project.configure("staging", { secrets: { API_KEY: "new-1", OTHER: "new-2" } }),
    "creation from a base": (project) => project.create("production", { base: "staging", env_variables: { DB_PASSWORD: "new-1" } }),
    promotion: (project) => project.promote("staging", "target", { env_variables: { DB_PASSWORD: "new-1" } }),
  };

  test.each(Object.entries(writes))(
    "leaves no vault entry behind that no config refers to, wherever it dies (%s)",
    async (_what, write) => {
      let finished = false;
      for (let call = 1; !finished; call++) {
        for (const moment of ["before", "after"] as const) {
          const clock = new TestClock();
          const store = memoryStore(clock);
          const vault = await openVault(store);
          const healthy = new Project(domainOn(store, vault));
          await healthy.create("staging", { env_variables: { API_KEY: "old-1", REGION: "eu" } });
          await healthy.create("target");
          await healthy.set("staging", { "flows/a": {} });
          const mortal = crashing(store, { call, moment });
          const process = new Project(domainOn(mortal.store, dyingWith(mortal.store, vault)));
          finished = await write(process).then(
            () => mortal.calls() < call,
            (error: unknown) => {
              // Who was writing would have said that nobody knows.
              expect(error instanceof AppError ? error.cause : error).toBeInstanceOf(Crash);
              return false;
            },
          );
          clock.time += LIMITS.intentAgeMs + 1;
          await healthy.domain.sweeper.sweep();
          await expectNothingLeftOver(store);
          expect(await healthy.secrets("staging")).toMatchObject({ API_KEY: expect.stringMatching(/^(old|new)-1$/) });
          expect(await healthy.domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
        }
        expect(call).toBeLessThan(50);
      }
    },
  );

  /** The vault as that process sees it: it may die before and after each write. */
  function dyingWith(store: Store, vault: Vault): Vault {
    // A commit that changes nothing is one more call that the process may die at.
    const point = () => store.commit("crash-point", { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [] });
    const watched = watchedVault(vault, async ({ call }) => void (call === "put" && (await point())));
    const put: Vault["put"] = async (entry, value) => {
      await watched.put(entry, value);
      await point();
    };
    return { ...watched, put };
  }
});

describe("the sweeper", () => {
  test("takes nothing away that may still be committed", async () => {
    const clock = new TestClock();
    const store = memoryStore(clock);
    const vault = await openVault(store);
    let seen: Promise<number> | undefined;
    const watched = watchedVault(vault, ({ call }) => {
      if (call !== "put") return;
      clock.time += LIMITS.intentAgeMs;
      seen = world.domain.sweeper.sweep();
    });
    const world = await openWorld({ store, vault: watched });
    await world.project.create("staging", { env_variables: { API_KEY: "sk-1" } });
    expect(await seen).toBe(0);
    expect(await world.project.secrets("staging")).toEqual({ API_KEY: "sk-1" });
  });

  test("makes a late commit lose, and what that one wrote after the sweep goes too", async () => {
    const clock = new TestClock();
    const store = memoryStore(clock);
    const vault = await openVault(store);
    const healthy = new Project(domainOn(store, vault));
    await healthy.create("staging");
    const slow = watchedVault(vault, async ({ call }) => {
      if (call !== "put") return;
      clock.time += LIMITS.intentAgeMs + 1;
      expect(await healthy.domain.sweeper.sweep()).toBe(1);
    });
    const late = new Project(domainOn(store, slow));
    expect(await codeOf(late.configure("staging", { secrets: { API_KEY: "sk-late" }, vars: { REGION: "eu" } }))).toBe("write_conflict");
    expect(await healthy.config("staging")).toMatchObject({ vars: {}, secrets: {} });
    await expectNothingLeftOver(store);
  });

  test("goes on with the other projects when one gives trouble, and says so", async () => {
    const clock = new TestClock();
    const store = memoryStore(clock);
    const vault = await openVault(store);
    const broken = watchedVault(vault, ({ call, entry }) => {
      if (call === "delete" && entry?.project === "pf-1") throw new AppError("vault_unavailable");
    });
    const { domain, failures } = await openWorld({ store, vault: broken });
    for (const id of ["pf-1", "pf-2"]) {
      await new Project(domain, { id }).create("staging");
      await abandonIntent(store, id, clock);
    }
    clock.time += LIMITS.intentAgeMs + 1;
    expect(await domain.sweeper.sweep()).toBe(1);
    expect(failures).toMatchObject([{ code: "vault_unavailable" }]);
    expect(await documents(store, "pf-2", keys.intentPrefix)).toEqual([]);
    expect(await documents(store, "pf-1", keys.intentPrefix)).toHaveLength(1);
  });

  test("goes on in a project where the vault keeps one entry: with its other intents, and with what else is garbage", async () => {
    const clock = new TestClock();
    const store = memoryStore(clock);
    const broken = watchedVault(await openVault(store), ({ call, entry }) => {
      if (call === "delete" && entry?.name === "KEPT") throw new AppError("vault_unavailable");
    });
    const { domain, failures } = await openWorld({ store, vault: broken });
    await new Project(domain).create("staging");
    await abandonIntent(store, PROJECT, clock, "KEPT", "0a");
    await abandonIntent(store, PROJECT, clock, "OTHER", "0b");
    const useless = { hash: "0".repeat(64), data: new Uint8Array(10) };
    await store.objects.put(PROJECT, [useless]);
    clock.time += LIMITS.garbageAgeMs + 1;
    await domain.sweeper.sweep();
    expect(failures).toMatchObject([{ code: "vault_unavailable" }]);
    expect(await intents(store)).toMatchObject([{ entries: ["KEPT@0a1b"] }]);
    expect(await store.objects.get(PROJECT, [useless.hash])).toEqual([null]);
  });

  async function abandonIntent(store: Store, project: string, clock: TestClock, name = "API_KEY", id = "0a"): Promise<void> {
    const value = { env: "staging", entries: [`${name}@0a1b`], at: new Date(clock.time).toISOString() };
    await store.commit(project, { checks: [], puts: [{ key: keys.intent(id), value }], deletes: [], objects: [], objectDeletes: [] });
  }
});

describe("a write that fails takes its secrets back at once", () => {
  test("when its commit is refused", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    const healthy = new Project(domainOn(store, vault));
    await healthy.create("staging", { env_variables: { API_KEY: "sk-1" } });
    // Another writer is faster, while the secrets are on their way to the vault.
    const overtaken = watchedVault(vault, async ({ call }) => {
      if (call === "put") await healthy.domain.environments.archive(healthy.caller, { project: PROJECT, env: "staging" });
    });
    const slow = new Project(domainOn(store, overtaken));
    expect(await codeOf(slow.configure("staging", { secrets: { API_KEY: "sk-2" } }))).toBe("environment_archived");
    await expectNothingLeftOver(store);
    expect(await healthy.secrets("staging")).toEqual({ API_KEY: "sk-1" });
  });

  test("when two create the same environment, of which one wins", async () => {
    const { store, project } = await openWorld();
    const created = await Promise.allSettled([
      project.create("staging", { env_variables: { API_KEY: "sk-1" } }),
      project.create("staging", { env_variables: { API_KEY: "sk-2" } }),
    ]);
    expect(created.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expectNothingLeftOver(store);
    expect(await project.secrets("staging")).toEqual({ API_KEY: created[0]?.status === "fulfilled" ? "sk-1" : "sk-2" });
  });

  test("when the vault refuses one of several, though others are still being written", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    const healthy = new Project(domainOn(store, vault));
    await healthy.create("staging");
    const slow = gate();
    const written = gate();
    const partly = {
      ...vault,
      get: vault.get.bind(vault),
      delete: vault.delete.bind(vault),
      fingerprint: vault.fingerprint.bind(vault),
      async put(entry: SecretEntry, value: string) {
        if (entry.name === "BAD") {
          // The other one goes on well after this one has failed.
          setImmediate(() => setImmediate(slow.open));
          throw new AppError("vault_unavailable");
        }
        await slow.opened;
        await vault.put(entry, value);
        written.open();
      },
    };
    const writing = errorOf(new Project(domainOn(store, partly)).configure("staging", { secrets: { BAD: "sk-1", SLOW: "sk-2" } }));
    expect((await writing).code).toBe("vault_unavailable");
    await written.opened;
    await expectNothingLeftOver(store);
  });

  test("but not where its commit took effect and only the answer was lost", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    const healthy = new Project(domainOn(store, vault));
    await healthy.create("staging");
    let down = false;
    const flaky = wrapped(store, {
      get: (partition, wanted) => (down ? Promise.reject(new AppError("store_unavailable")) : store.get(partition, wanted)),
      commit: async (partition, change) => {
        const result = await store.commit(partition, change);
        if (!change.puts.some(({ key }) => key === keys.environment("staging"))) return result;
        down = true;
        throw new AppError("store_unavailable");
      },
    });
    // Away for as long as the outcome is looked for.
    expect(await codeOf(new Project(domainOn(flaky, vault)).configure("staging", { secrets: { API_KEY: "sk-1" } }))).toBe(
      "store_unavailable",
    );
    down = false;
    expect(await healthy.secrets("staging")).toEqual({ API_KEY: "sk-1" });
    await expectNothingLeftOver(store);
  });

  test("and a refused request never reaches the vault", async () => {
    const store = memoryStore();
    const puts: string[] = [];
    const vault = watchedVault(await openVault(store), ({ call, entry }) => void (call === "put" && puts.push(entry?.name ?? "")));
    const { project } = await openWorld({ store, vault });
    await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
    await project.set("staging", { "requires/MISSING": { kind: "var" } });
    await project.create("production");
    puts.length = 0;
    expect(await codeOf(project.promote("staging", "production", { env_variables: { DB_PASSWORD: "pw" } }))).toBe("checks_failed");
    expect(await codeOf(project.configure("none", { secrets: { A: "x" } }))).toBe("environment_not_found");
    expect(await codeOf(project.configure("staging", { secrets: { A: "x" }, vars: { API_KEY: "x" } }))).toBe("secret_stays_secret");
    expect(await codeOf(project.configure("staging", { secrets: { A: "x" }, ifMatch: ["other"] }))).toBe("precondition_failed");
    expect(await codeOf(project.create("staging", { env_variables: { A_KEY: "x" } }))).toBe("environment_exists");
    expect(puts).toEqual([]);
  });
});

describe("every value is an entry of its own", () => {
  test("so that a rollback finds the old ones", async () => {
    const { project, store } = await openWorld();
    await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
    await project.configure("staging", { secrets: { API_KEY: "sk-2" } });
    await project.configure("staging", { unset: ["secrets/API_KEY"] });
    expect(await project.secrets("staging")).toEqual({});
    await project.rollback("staging", 1);
    expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-1" });
    await project.rollback("staging", 2);
    expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-2" });
    expect(await vaultEntries(store)).toHaveLength(2);
  });

  test("also where the same value is set again, and where a copy is made", async () => {
    const { project, store } = await openWorld();
    await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
    await project.configure("staging", { secrets: { API_KEY: "sk-1" } });
    await project.create("production", { base: "staging" });
    expect(new Set(await vaultEntries(store)).size).toBe(3);
    const [copy] = await referencesOf(store, "production", 1);
    expect(copy).toMatch(/^production\/API_KEY@[A-Za-z0-9_-]{12}$/);
    await project.configure("staging", { secrets: { API_KEY: "sk-3" } });
    expect(await project.secrets("production")).toEqual({ API_KEY: "sk-1" });
  });

  test("and no environment's reference ever names another's", async () => {
    const { project, store } = await openWorld();
    await project.create("dev", { env_variables: { API_KEY: "a", DB_PASSWORD: "b" } });
    await project.create("staging", { base: "dev", env_variables: { API_KEY: "c" } });
    await project.create("production", { base: "staging" });
    await project.set("dev", { "flows/a": {} });
    await project.promote("dev", "staging", { env_variables: { TOKEN: "d" } });
    await project.promote("staging", "production", { env_variables: { API_KEY: "e" } });
    await project.rollback("production", 1);
    for (const env of ["dev", "staging", "production"]) {
      for (let revision = 1; revision <= (await project.revisionNumber(env)); revision++) {
        for (const path of await referencesOf(store, env, revision))
          expect(path.startsWith(`${env}/`), `${env}@${revision} ${path}`).toBe(true);
      }
    }
    await expectNothingLeftOver(store);
  });

  test("so that a forged reference to another environment's entry opens nothing", async () => {
    const { project, store, vault } = await openWorld();
    await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
    const [path] = await vaultEntries(store);
    const secrets = new Secrets(new Ledger(store), vault);
    expect(await secrets.reveal(PROJECT, "staging", "API_KEY", { vault: path as string })).toBe("sk-1");
    for (const forged of [
      { vault: path as string },
      { vault: (path as string).replace("staging/", "production/") },
      { vault: "x" },
      null,
      {},
      "x",
    ]) {
      await expect(secrets.reveal(PROJECT, "production", "API_KEY", forged)).rejects.toThrow();
    }
  });
});

describe("whether two secrets are the same", () => {
  async function twoSides() {
    const world = await openWorld();
    await world.project.create("left", { env_variables: { SAME_KEY: "one", OTHER_KEY: "two", LEFT_KEY: "x" } });
    await world.project.create("right", { env_variables: { SAME_KEY: "one", OTHER_KEY: "three" } });
    return world;
  }

  test("is told to whoever may reveal both", async () => {
    const { project } = await twoSides();
    expect((await project.compare("left", "right")).secrets).toEqual({
      only_left: ["LEFT_KEY"],
      only_right: [],
      different: [{ name: "OTHER_KEY" }],
      same_count: 1,
    });
  });

  test.each([
    ["neither", []],
    ["the left alone", ["left"]],
    ["the right alone", ["right"]],
  ] as const)("is not told to whoever may reveal %s", async (_who, mayReveal) => {
    const { project } = await twoSides();
    const { secrets } = await project.as(caller("eve", mayReveal)).compare("left", "right");
    expect(secrets).toEqual({
      only_left: ["LEFT_KEY"],
      only_right: [],
      different: [],
      same_count: 0,
      undisclosed: ["OTHER_KEY", "SAME_KEY"],
    });
  });

  test("is known without asking where both revisions refer to one entry", async () => {
    const { project } = await twoSides();
    await project.configure("left", { secrets: { OTHER_KEY: "new" } });
    const { secrets } = await project.as(caller("eve", [])).compare("left@1", "left@2");
    expect(secrets).toMatchObject({ same_count: 2, undisclosed: ["OTHER_KEY"] });
    expect((await project.compare("left@1", "left@2")).secrets).toMatchObject({ same_count: 2, different: [{ name: "OTHER_KEY" }] });
  });
});

test("a secret whose entry is gone says so and names the way out", async () => {
  const { project, store, vault } = await openWorld();
  await project.create("staging", { env_variables: { API_KEY: "sk-1", DB_PASSWORD: "pw" } });
  const path = (await vaultEntries(store)).find((entry) => entry.includes("API_KEY")) as string;
  await vault.delete({ project: PROJECT, env: "staging", name: "API_KEY", id: path.slice(path.indexOf("@") + 1) });
  expect(await errorOf(project.secrets("staging"))).toMatchObject({
    code: "secret_unavailable",
    fix: expect.stringContaining("PATCH /env/pf-777/staging/config"),
  });
  expect(await codeOf(project.runtime("staging"))).toBe("secret_unavailable");
});

test("revealing is recorded before anything is shown, with names and without values", async () => {
  const { project, store, vault } = await openWorld();
  await project.create("staging", { env_variables: { API_KEY: "sk-1", DB_PASSWORD: "pw" } });
  await project.domain.config.reveal(project.caller, { project: PROJECT, env: "staging", names: ["API_KEY"] });
  await project.runtime("staging");
  const records = (await documents(store, PROJECT, keys.auditPrefix)).map(({ value }) => value as { action: string; details: unknown });
  expect(records.slice(-2).map(({ action, details }) => ({ action, details }))).toEqual([
    { action: "reveal", details: { via: "reveal", secrets: ["API_KEY"], count: 1 } },
    { action: "reveal", details: { via: "runtime", secrets: ["API_KEY", "DB_PASSWORD"], count: 2 } },
  ]);
  const full = wrapped(store, { commit: () => Promise.reject(new AppError("storage_full")) });
  expect(await codeOf(new Project(domainOn(full, vault)).secrets("staging"))).toBe("storage_full");
});

test("revealing is recorded with every name that was asked for, whatever else was", async () => {
  const { project, store } = await openWorld();
  const decoys = Array.from({ length: LIMITS.revealedNames }, (_, nth) => `DECOY_${nth}`);
  const secrets = Object.fromEntries([...decoys, "Z_TARGET"].map((name) => [name, "a value"]));
  await project.create("staging");
  await project.configure("staging", { secrets });
  const reveal = async (names?: readonly string[]) => {
    await project.domain.config.reveal(project.caller, { project: PROJECT, env: "staging", names });
    const record = (await documents(store, PROJECT, keys.auditPrefix)).at(-1)?.value as { details: { secrets: string[]; count: number } };
    return record.details;
  };
  expect(await reveal([...decoys.map(() => "DECOY_0"), "Z_TARGET"])).toMatchObject({ secrets: ["DECOY_0", "Z_TARGET"], count: 2 });
  expect(await reveal([...decoys.slice(1), "Z_TARGET"])).toMatchObject({ secrets: [...decoys.slice(1), "Z_TARGET"], count: decoys.length });
  // Those of all that there are, the revision tells.
  expect(await reveal()).toMatchObject({ secrets: { length: LIMITS.revealedNames }, count: decoys.length + 1 });
});

describe("to a caller who may not reveal them", () => {
  test("no secret is told, by whichever way it is asked for, and nothing is written", async () => {
    const store = memoryStore();
    const domain = domainOn(store, await openVault(store));
    await new Project(domain).create("staging", { env_variables: { API_KEY: "sk-1" } });
    const before = await documents(store);
    const eve = caller("eve", []);
    expect(await codeOf(domain.config.runtime(eve, PROJECT, "staging", {}))).toBe("forbidden");
    expect(await codeOf(domain.config.reveal(eve, { project: PROJECT, env: "staging" }))).toBe("forbidden");
    expect(await documents(store)).toEqual(before);
  });
});

test("of many secrets the vault is asked for as many at a time as may be, whatever is done with them", async () => {
  const { store, vault } = await openWorld();
  let [now, most] = [0, 0];
  const watched = watchedVault(vault, async () => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    now--;
  });
  const project = new Project(domainOn(store, watched));
  const names = Array.from({ length: 3 * LIMITS.secretsAtOnce }, (_, nth) => `KEY_${nth}`);
  const secrets = Object.fromEntries(names.map((name) => [name, "a value"]));
  const mostOf = async (work: Promise<unknown>) => {
    most = 0;
    await work;
    return most;
  };
  await project.create("staging");
  expect(await mostOf(project.configure("staging", { secrets }))).toBe(LIMITS.secretsAtOnce);
  expect(await mostOf(project.secrets("staging"))).toBe(LIMITS.secretsAtOnce);
  expect(await mostOf(codeOf(project.configure("staging", { secrets, version: "v0.1.0" })))).toBe(LIMITS.secretsAtOnce);
  await project.configure("staging", { unset: names.map((name) => `secrets/${name}`) });
  expect(await mostOf(project.rollback("staging", 2))).toBe(LIMITS.secretsAtOnce);
});
