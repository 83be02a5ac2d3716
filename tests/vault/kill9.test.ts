import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { openVault } from "../../src/vault/open.ts";
import { domainOn, PROJECT, referredEntries } from "../domain/support.ts";
import { childScript } from "../support/children.ts";
import { Engine } from "../support/engine.ts";
import { connecting, type Kind, useKind, type VaultKind } from "./stand-ins/kinds.ts";

/**
 * An engine is killed after the vault has a secret and before the commit that would refer to it, again and again on one database. The
 * moment is no matter of luck: the vault does what it is asked and holds its answer back, so that there is no commit to come.
 * No value that was acknowledged is lost, nothing refers to one that is not there, and what nobody refers to is collected.
 */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 50 : 3;
const START_MS = 120_000;

interface Held {
  readonly engine: Engine;
  /** From now on the vault keeps what comes, and does not answer. */
  hold(): Promise<void>;
  /** Resolves when it has kept something since. */
  kept(): Promise<void>;
  /** From now on it answers. */
  heal(): Promise<void>;
}

function elsewhere(kind: VaultKind): Held {
  const { url } = kind.standIn;
  const credentials: Record<string, string> = kind.kind === "kv2" ? { VAULT_TOKEN: "root-token" } : {};
  const engine = new Engine({ env: { VAULT_KIND: kind.kind, VAULT_URL: url, ...credentials } });
  let before = 0;
  return {
    engine,
    hold: async () => {
      before = (await kind.standIn.entries()).length;
      await kind.standIn.fail({ fault: "lost", method: "POST" });
    },
    kept: () => expect.poll(async () => (await kind.standIn.entries()).length, { timeout: START_MS, interval: 5 }).toBeGreaterThan(before),
    heal: () => kind.standIn.heal(),
  };
}

function builtin(): Held {
  const engine = new Engine({ args: [childScript("vault/stand-ins/held-engine")] });
  const file = join(engine.directory, "hold");
  const count = () => engine.output().split('"msg":"held"').length;
  let before = 0;
  return {
    engine,
    hold: async () => {
      before = count();
      writeFileSync(file, "");
    },
    kept: () => expect.poll(count, { timeout: START_MS, interval: 5 }).toBeGreaterThan(before),
    heal: async () => rmSync(file, { force: true }),
  };
}

/** What brings secrets into the vault, each in its own way. */
const WRITES: readonly ((engine: Engine, round: number) => Promise<unknown>)[] = [
  (engine, round) =>
    engine.request("PATCH", `/env/${PROJECT}/staging/config`, { secrets: { API_KEY: `lost-${round}`, MORE: `lost-${round}` } }),
  (engine, round) => engine.request("POST", "/env/create", { project_id: PROJECT, new_environment: `copy-${round}`, base_from: "staging" }),
  (engine, round) =>
    engine.request("POST", "/env/promote", {
      project_id: PROJECT,
      source_env: "staging",
      target_env: "production",
      env_variables: { DB_PASSWORD: `lost-${round}` },
      strategy: "replace",
    }),
];

describe.each<Kind>(["builtin", "puraify", "kv2"])("an engine that is killed between the vault's write and its own commit: %s", (name) => {
  const kind = useKind(name);
  let held: Held;
  beforeAll(async () => {
    held = name === "builtin" ? builtin() : elsewhere(kind);
    await held.engine.start();
  }, START_MS);
  afterAll(() => held.engine.dispose(), START_MS);

  async function accepted(reply: Promise<{ status: number; text: string }>): Promise<void> {
    const { status, text } = await reply;
    expect(status, text).toBeLessThan(300);
  }

  async function revealed(env: string): Promise<unknown> {
    const reply = await held.engine.request<{ secrets: unknown }>("POST", `/env/${PROJECT}/${env}/secrets/reveal`, {});
    expect(reply.status, reply.text).toBe(200);
    return reply.body.secrets;
  }

  test(
    `${ROUNDS} kills lose nothing that was acknowledged, and leave nothing behind`,
    async () => {
      const { engine } = held;
      const create = (env: string) => engine.request("POST", "/env/create", { project_id: PROJECT, new_environment: env });
      await accepted(create("staging"));
      await accepted(create("production"));
      await accepted(engine.request("PATCH", `/env/${PROJECT}/production/config`, { secrets: { DB_PASSWORD: "kept" } }));
      for (let round = 0; round < ROUNDS; round++) {
        const kept = `kept-${round}`;
        await accepted(engine.request("PATCH", `/env/${PROJECT}/staging/config`, { secrets: { API_KEY: kept } }));
        await accepted(engine.request("PATCH", `/env/${PROJECT}/staging/state`, { set: { "flows/a": { round } } }));
        await held.hold();
        const lost = WRITES[round % WRITES.length]?.(engine, round).then(
          (reply) => `answered: ${JSON.stringify(reply)}`,
          () => "killed",
        );
        await held.kept();
        await engine.kill9();
        expect(await lost).toBe("killed");
        await held.heal();
        await engine.start();
        expect(await revealed("staging")).toEqual({ API_KEY: kept });
        expect(await revealed("production")).toEqual({ DB_PASSWORD: "kept" });
        expect((await engine.get(`/env/${PROJECT}/copy-${round}`)).status).toBe(404);
      }
      await engine.kill9();
      await expectCollected();
    },
    ROUNDS * START_MS,
  );

  /** What the sweeper makes of it when the time has come: the store's clock is moved, since nobody waits for ten minutes. */
  async function expectCollected(): Promise<void> {
    const storeUrl = `sqlite:${join(held.engine.directory, "env.db")}`;
    const store = checked(await openSqlite(storeUrl, { clock: () => Date.now() + LIMITS.intentAgeMs + 1 }));
    try {
      const vault = await openVault(kind.settings(), { store, storeUrl, masterKey: null, connect: connecting() });
      const referred = [...(await referredEntries(store))].sort();
      const before = await kind.entries(store, PROJECT);
      expect(before).toEqual(expect.arrayContaining(referred));
      expect(before.length).toBeGreaterThanOrEqual(referred.length + ROUNDS);
      const failures: unknown[] = [];
      expect(await domainOn(store, vault, failures).sweeper.sweep()).toBe(ROUNDS);
      expect(failures).toEqual([]);
      expect((await kind.entries(store, PROJECT)).sort()).toEqual(referred);
      await vault.close();
    } finally {
      await store.close();
    }
  }
});
