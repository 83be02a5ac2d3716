import { expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Store } from "../../src/ports.ts";
import { domainOn, PROJECT, Project, wrapped } from "../domain/support.ts";
import { sharedStore } from "../instances/support.ts";
import { checkLinearizable } from "./checker.ts";
import { record, type Target } from "./clients.ts";
import { ENVIRONMENT, sessionFaults } from "./environment.ts";

const OPERATIONS = 600;

/** An engine in this process. */
function domainTarget(project: Project): Target {
  return {
    async read(env) {
      const read = await project.domain.config.read(PROJECT, env, {});
      const { vars } = (await read.load()) as { readonly vars: Readonly<Record<string, string>> };
      return { revision: read.revision, value: vars.ONE ?? null, tag: read.tag };
    },
    async write(env, tag, value) {
      try {
        return await project.configure(env, { vars: { ONE: value }, ifMatch: tag === null ? null : [tag] });
      } catch (error) {
        if (error instanceof AppError && error.code === "precondition_failed") return "refused";
        throw error;
      }
    },
  };
}

/** Takes turns with whoever else runs, as over a network. */
function slow(store: Store): Store {
  const later = <Result>(call: () => Promise<Result>): Promise<Result> =>
    new Promise((resolve, reject) => setTimeout(() => call().then(resolve, reject), Math.random() * 2));
  return wrapped(store, {
    get: (partition, keys) => later(() => store.get(partition, keys)),
    revision: (partitions) => later(() => store.revision(partitions)),
    commit: (partition, change) => later(() => store.commit(partition, change)),
  });
}

/** What two engines answer that share a store, as each of them sees it. */
async function recorded(view: (store: Store, instance: number) => Store) {
  const shared = await sharedStore({ told: false });
  const projects = [0, 1].map((index) => new Project(domainOn(view(slow(shared.connect().store), index), shared.vault)));
  const [first] = projects;
  await first?.create("staging");
  await first?.create("testing");
  return record({
    targets: () => projects.map(domainTarget),
    envs: ["staging", "testing"],
    clients: 4,
    over: (operations) => operations >= OPERATIONS,
  });
}

test("two engines that share a store are as one, though neither hears of the other", async () => {
  const history = await recorded((store) => store);
  expect(checkLinearizable(ENVIRONMENT, history)).toEqual({ ok: true });
  expect(sessionFaults(history)).toEqual([]);
});

test("an engine that trusts what its store said a moment ago is caught", async () => {
  /** Planted: one answer of "how new is it?" is given to the next ten who ask, too. */
  const trusting = (store: Store): Store => {
    let known: { left: number; readonly answer: Promise<readonly number[]>; readonly asked: string } | null = null;
    return wrapped(store, {
      revision: (partitions) => {
        const asked = partitions.join();
        if (known === null || known.asked !== asked || known.left-- === 0) {
          known = { left: 10, answer: store.revision(partitions), asked };
        }
        return known.answer;
      },
    });
  };
  const history = await recorded((store, instance) => (instance === 0 ? trusting(store) : store));
  expect(checkLinearizable(ENVIRONMENT, history)).toMatchObject({ ok: false });
});

test("an engine that loses a write it acknowledged is caught", async () => {
  let writes = 0;
  /** Planted: every tenth commit of a write is acknowledged and not made. What an engine commits for its own ends is: no client sees it. */
  const forgetful = (store: Store): Store =>
    wrapped(store, {
      commit: async (partition, change) => {
        const isWrite = partition === PROJECT && change.puts.some(({ key }) => key.startsWith("rev/"));
        if (!isWrite || ++writes % 10 !== 0) return store.commit(partition, change);
        const [revision = 0] = await store.revision([partition]);
        return { ok: true, revision: revision + 1 };
      },
    });
  const history = await recorded((store, instance) => (instance === 0 ? forgetful(store) : store));
  expect(checkLinearizable(ENVIRONMENT, history)).toMatchObject({ ok: false });
});
