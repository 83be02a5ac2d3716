import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import type { ConfigContent } from "../../src/config-store.ts";
import type { Domain } from "../../src/domain.ts";
import { checkStore } from "../../src/integrity.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { domainOn, Project } from "../domain/support.ts";
import { usePostgres } from "../support/postgres.ts";

/**
 * What was acknowledged survives `kill -9` of the PostgreSQL server and of all of its processes. In each round, writers of two engines
 * change the same projects until the server is killed when some number of writes has been answered. It starts again, the engines find it
 * by themselves, and everything is looked through. The rounds share one server: each is one more crash of it.
 */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 100 : 3;
const WRITERS = 24;
const PROJECTS = 3;
const MASTER_KEY = randomBytes(32).toString("base64");

interface Acknowledged {
  /** Unique: the name of the var that was set, and the revision's message. */
  readonly id: string;
  readonly project: string;
  readonly revision: number;
}

const server = usePostgres({ durable: true });

test(`${ROUNDS} kills of the server lose nothing that was acknowledged, and leave nothing in part`, {
  timeout: ROUNDS * 60_000,
}, async () => {
  const url = await server().createDatabase();
  const stores = [await openStore(url), await openStore(url)];
  const engines = await Promise.all(stores.map((store) => engineOn(store, url)));
  for (let round = 0; round < ROUNDS; round++) {
    const projects = Array.from({ length: PROJECTS }, (_, n) => `crash-${round}-${n}`);
    for (const id of projects) await new Project(engines[0] as Domain, { id }).create("dev");
    const acknowledged = await writeUntilKilled(engines, projects, 10 + ((round * 37) % 60));
    for (const project of projects) {
      await checkProject(
        engines[round % engines.length] as Domain,
        project,
        acknowledged.filter((write) => write.project === project),
      );
    }
  }
  const faults: string[] = [];
  const [store] = stores as [Store];
  const { projects } = await checkStore(store, { onFault: (project, what) => void faults.push(`${project}: ${what}`) });
  expect(faults).toEqual([]);
  expect(projects).toBe(ROUNDS * PROJECTS);
  for (const one of stores) await one.close();
});

async function engineOn(store: Store, storeUrl: string): Promise<Domain> {
  return domainOn(store, await openBuiltinVault({ store, storeUrl, masterKey: MASTER_KEY }));
}

/** Kills the server as soon as `enough` writes are acknowledged, and starts it again while the writers still wait for it. */
async function writeUntilKilled(engines: readonly Domain[], projects: readonly string[], enough: number): Promise<readonly Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  let killed: Promise<void> | undefined;
  const kill = async () => {
    await server().kill9();
    await server().restart();
  };
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const id = projects[writer % projects.length] as string;
    const project = new Project(engines[writer % engines.length] as Domain, { id });
    for (let nth = 0; killed === undefined; nth++) {
      const name = `W_${writer}_${nth}`;
      const wishes = { vars: { [name]: name }, secrets: nth % 5 === 0 ? { [`S_${name}`]: name } : {}, message: name };
      const written = await project.configure("dev", wishes).catch((error: { code?: string }) => {
        expect(["store_unavailable", "write_conflict"]).toContain(error.code);
        return null;
      });
      if (written !== null) acknowledged.push({ id: name, project: id, revision: written.revision });
      if (acknowledged.length >= enough) killed ??= kill();
    }
  });
  await Promise.all(writers);
  await killed;
  expect(acknowledged.length).toBeGreaterThanOrEqual(enough);
  return acknowledged;
}

/** Everything acknowledged in this project is there once, nothing is there in part, and its history and audit chain are whole. */
async function checkProject(domain: Domain, project: string, acknowledged: readonly Acknowledged[]): Promise<void> {
  const { items } = await domain.versions.revisions(project, "dev", { limit: 1_000, cursor: null });
  const numbers = new Map(items.map((entry) => [entry.message, entry.revision]));
  expect(items.map(({ revision }) => revision)).toEqual(Array.from({ length: items.length }, (_, index) => items.length - index));
  expect(numbers.size).toBe(items.length);
  expect(acknowledged.filter(({ id, revision }) => numbers.get(id) !== revision)).toEqual([]);

  const { vars, secrets } = (await (await domain.config.read(project, "dev", { at: undefined })).load()) as unknown as ConfigContent;
  // The first revision is the creation, which has no message.
  const written = items.flatMap(({ message }) => (message === null ? [] : [message]));
  expect(Object.keys(vars).sort()).toEqual([...written].sort());
  expect(Object.keys(secrets).sort()).toEqual(
    written
      .filter((id) => Number(id.split("_")[2]) % 5 === 0)
      .map((id) => `S_${id}`)
      .sort(),
  );
  expect(await domain.audit.verify(project, null)).toMatchObject({ valid: true });
}
