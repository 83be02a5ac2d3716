import { describe, expect, test } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { keys } from "../../../src/keys.ts";
import { LIMITS } from "../../../src/limits.ts";
import type { Change, CommitResult, Store, Vault } from "../../../src/ports.ts";
import { expectReads } from "../../domain/reads.ts";
import {
  codeOf,
  documents,
  domainOn,
  errorOf,
  memoryStore,
  PROJECT,
  Project,
  referredEntries,
  TestClock,
  watchedVault,
  wrapped,
} from "../../domain/support.ts";
import { BOUNDS, connecting, IMPATIENT, type Kind, LEAVING, useKind, type VaultKind } from "./kinds.ts";

class Crash extends Error {}

async function expectNothingLeftOver(kind: VaultKind, store: Store): Promise<void> {
  expect(await documents(store, PROJECT, keys.intentPrefix)).toEqual([]);
  expect((await kind.entries(store, PROJECT)).sort()).toEqual([...(await referredEntries(store))].sort());
}

/** What the engine promises of secrets, on whichever vault it keeps them. */
export function describeSecrets(name: Kind): void {
  describe(`secrets of environments: ${name}`, () => {
    const kind = useKind(name);

    test("are entries of each environment's own, so that a rollback finds them", async () => {
      const store = memoryStore();
      const project = new Project(domainOn(store, await kind.open(store)));
      const other = new Project(project.domain, { id: "pf-778" });
      await project.create("staging", { env_variables: { API_KEY: "sk-1", "mail.password": { value: "pw", secret: true } } });
      await project.create("production", { base: "staging", env_variables: { API_KEY: "sk-2" } });
      await other.create("staging", { env_variables: { API_KEY: "sk-other" } });
      await project.configure("staging", { secrets: { API_KEY: "sk-3" } });
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-3", "mail.password": "pw" });
      expect(await project.secrets("production")).toEqual({ API_KEY: "sk-2", "mail.password": "pw" });
      expect((await project.compare("staging", "production")).secrets).toMatchObject({ different: [{ name: "API_KEY" }], same_count: 1 });
      await project.rollback("staging", 1);
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-1", "mail.password": "pw" });
      expect(await other.secrets("staging")).toEqual({ API_KEY: "sk-other" });
      const entries = await kind.entries(store, PROJECT);
      expect(entries.map((path) => path.replace(/@.*/, "")).sort()).toEqual(
        ["production/API_KEY", "production/mail.password", "staging/API_KEY", "staging/API_KEY", "staging/mail.password"].sort(),
      );
      await expectNothingLeftOver(kind, store);
    });

    test("may be more than a vault elsewhere is asked for at once: they are written, read, come back and go all the same", async () => {
      const store = memoryStore();
      const bounds = { ...BOUNDS, failures: LIMITS.siblingFailures };
      const project = new Project(domainOn(store, await kind.open(store, connecting(bounds))));
      const names = Array.from({ length: LIMITS.engineConnections + LIMITS.waitingRequests + 10 }, (_, nth) => `KEY_${nth}`);
      const secrets = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
      await project.create("staging");
      await project.configure("staging", { secrets });
      await project.configure("staging", { unset: names.map((name) => `secrets/${name}`) });
      await project.rollback("staging", 2);
      expect(await project.secrets("staging")).toEqual(secrets);
      const refused = project.configure("staging", { secrets: { ...secrets, LAST: "last" }, version: "v0.1.0" });
      expect(await codeOf(refused)).toBe("version_taken");
      await expectNothingLeftOver(kind, store);
    });

    const writes: Readonly<Record<string, (project: Project) => Promise<unknown>>> = {
      "config write": (project) => project.configure("staging", { secrets: { API_KEY: "new-1", OTHER: "new-2" } }),
      "creation from a base": (project) => project.create("production", { base: "staging", env_variables: { DB_PASSWORD: "new-1" } }),
      promotion: (project) => project.promote("staging", "target", { env_variables: { DB_PASSWORD: "new-1" } }),
    };

    test.each(Object.entries(writes))("leave no entry behind where the engine dies while it writes (%s)", async (_what, write) => {
      let finished = false;
      for (let call = 1; !finished; call++) {
        for (const moment of ["before", "after"] as const) {
          await kind.reset();
          const clock = new TestClock();
          const store = memoryStore(clock);
          const vault = await kind.open(store);
          const healthy = new Project(domainOn(store, vault));
          await healthy.create("staging", { env_variables: { API_KEY: "old-1", REGION: "eu" } });
          await healthy.create("target");
          await healthy.set("staging", { "flows/a": {} });
          const mortal = crashing(store, call, moment);
          finished = await write(new Project(domainOn(mortal.store, dyingWith(mortal.store, vault)))).then(
            () => mortal.calls() < call,
            (error: unknown) => {
              // Whoever waits for a commit is told that nobody knows what became of it; why, is the cause.
              expect(error instanceof AppError ? error.cause : error).toBeInstanceOf(Crash);
              return false;
            },
          );
          clock.time += LIMITS.intentAgeMs + 1;
          await healthy.domain.sweeper.sweep();
          await expectNothingLeftOver(kind, store);
          expect(await healthy.secrets("staging")).toMatchObject({ API_KEY: expect.stringMatching(/^(old|new)-1$/) });
        }
        expect(call).toBeLessThan(50);
      }
    });

    if (name === "builtin") return;

    const FAULTS = ["status-500", "garbage", "half", "redirect", "huge", "hang-up", "silent", "lost", "late"] as const;
    test.each(FAULTS)("change nothing where the vault is broken, and everything else goes on (%s)", async (fault) => {
      const clock = new TestClock();
      const store = memoryStore(clock);
      const project = new Project(domainOn(store, await kind.open(store)));
      const hurried = new Project(domainOn(store, await kind.open(store, connecting(IMPATIENT))));
      await project.create("staging", { env_variables: { API_KEY: "sk-1", REGION: "eu" } });
      await project.create("production");
      await project.set("staging", { "flows/a": {} });
      const before = await Promise.all([project.view("staging"), project.view("production"), project.config("staging")]);
      await kind.standIn.fail({ fault });
      const refused = [
        hurried.create("preview", { env_variables: { API_KEY: "sk-2" } }),
        hurried.create("copy", { base: "staging" }),
        hurried.configure("staging", { secrets: { API_KEY: "sk-2", OTHER: "sk-3" }, vars: { REGION: "us" } }),
        hurried.promote("staging", "production", { env_variables: { API_KEY: "sk-4" } }),
        hurried.secrets("staging"),
        hurried.runtime("staging"),
      ].map(errorOf);
      for (const error of await Promise.all(refused)) {
        expect(error).toMatchObject({ code: "vault_unavailable", status: 503 });
        expect(JSON.stringify([error.message, error.fix, error.details])).not.toMatch(/sk-/);
      }
      expect(await Promise.all([project.view("staging"), project.view("production"), project.config("staging")])).toEqual(before);
      expect(await codeOf(project.view("preview"))).toBe("environment_not_found");
      expect(await project.state("staging")).toEqual({ flows: { a: {} } });
      await expectReads({ domain: project.domain, project }, "staging");
      await project.configure("staging", { vars: { REGION: "us" } });
      await project.promote("staging", "production");
      await project.rollback("staging", 1);
      await kind.standIn.heal();
      await kind.standIn.release();
      clock.time += LIMITS.intentAgeMs + 1;
      await project.domain.sweeper.sweep();
      await expectNothingLeftOver(kind, store);
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-1" });
      await project.configure("staging", { secrets: { API_KEY: "sk-5" } });
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-5" });
    });

    test("are kept once, and referred to once, where the vault is slow", async () => {
      const store = memoryStore();
      const project = new Project(domainOn(store, await kind.open(store)));
      await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
      await project.set("staging", { "flows/a": {} });
      await kind.standIn.fail({ fault: "late", method: "POST" });
      const written = project.configure("staging", { secrets: { API_KEY: "sk-2" } });
      await expect.poll(() => kind.standIn.held()).toBe(1);
      await expectReads({ domain: project.domain, project }, "staging");
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-1" });
      await kind.standIn.heal();
      await kind.standIn.release();
      await written;
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-2" });
      await expectNothingLeftOver(kind, store);
      expect(await kind.entries(store, PROJECT)).toHaveLength(2);
    });

    test("are not taken for gone where the vault is away", async () => {
      const store = memoryStore();
      const project = new Project(domainOn(store, await kind.open(store)));
      await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
      await project.configure("staging", { secrets: { API_KEY: "sk-2" } });
      await kind.standIn.fail({ fault: "foreign-404" });
      expect(await codeOf(project.rollback("staging", 1))).toBe("vault_unavailable");
      expect(await codeOf(project.secrets("staging"))).toBe("vault_unavailable");
      await kind.standIn.heal();
      await project.rollback("staging", 1);
      expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-1" });
    });

    test("that come to the vault after their write was given up are swept away", async () => {
      const clock = new TestClock();
      const store = memoryStore(clock);
      const project = new Project(domainOn(store, await kind.open(store)));
      const hurried = new Project(domainOn(store, await kind.open(store, connecting(LEAVING))));
      await project.create("staging", { env_variables: { API_KEY: "sk-1" } });
      await kind.standIn.fail({ fault: "late", method: "POST" });
      expect(await codeOf(hurried.configure("staging", { secrets: { API_KEY: "sk-late" } }))).toBe("vault_unavailable");
      await kind.standIn.heal();
      expect(await project.domain.sweeper.sweep()).toBe(0);
      await kind.standIn.release();
      expect(await kind.entries(store, PROJECT)).toHaveLength(2);
      clock.time += LIMITS.intentAgeMs + 1;
      expect(await project.domain.sweeper.sweep()).toBe(1);
      await expectNothingLeftOver(kind, store);
    });
  });
}

/** What a process did until it was killed at one of its calls: from then on it does nothing at all. */
function crashing(inner: Store, nth: number, moment: "before" | "after") {
  let calls = 0;
  let dead = false;
  const commit = async (partition: string, change: Change): Promise<CommitResult> => {
    if (dead) throw new Crash();
    const last = ++calls === nth;
    dead = last && moment === "before";
    if (dead) throw new Crash();
    const result = await inner.commit(partition, change);
    dead = last;
    if (dead) throw new Crash();
    return result;
  };
  const get: Store["get"] = (partition, wanted) => (dead ? Promise.reject(new Crash()) : inner.get(partition, wanted));
  return { store: wrapped(inner, { get, commit }), calls: () => calls };
}

/** The vault as that process sees it: it may die before and after each write. */
function dyingWith(store: Store, vault: Vault): Vault {
  const point = () => store.commit("crash-point", { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [] });
  const watched = watchedVault(vault, async ({ call }) => void (call === "put" && (await point())));
  const put: Vault["put"] = async (entry, value) => {
    await watched.put(entry, value);
    await point();
  };
  return { ...watched, put };
}
