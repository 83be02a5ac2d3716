import { createHmac } from "node:crypto";
import { expect, onTestFinished, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { JsonObject, PulledBefore, RemoteBranch, Repositories, RepositoryChange } from "../../src/ports.ts";
import { codeOf, errorOf, memoryStore, openWorld, PROJECT, Project, TestClock, type World } from "../domain/support.ts";

/** What happens while a repository is fetched, which takes as long as a test says. */

interface Fetching {
  readonly branch: RemoteBranch;
  readonly before: PulledBefore;
  answer(change: RepositoryChange): void;
  fail(error: Error): void;
}

/** Repositories elsewhere that answer when they are told to. */
class SlowRepositories implements Repositories {
  readonly #held: Fetching[] = [];
  readonly #waiting: ((fetching: Fetching) => void)[] = [];

  /** How many fetches have begun. */
  begun = 0;

  async check(): Promise<void> {}

  changeSince(branch: RemoteBranch, before: PulledBefore): Promise<RepositoryChange> {
    return new Promise((answer, fail) => {
      this.begun++;
      const fetching = { branch, before, answer, fail };
      const next = this.#waiting.shift();
      if (next === undefined) this.#held.push(fetching);
      else next(fetching);
    });
  }

  /** The next fetch that begins. */
  next(): Promise<Fetching> {
    const begun = this.#held.shift();
    return begun === undefined ? new Promise((resolve) => void this.#waiting.push(resolve)) : Promise.resolve(begun);
  }
}

const id = (letter: string) => letter.repeat(40);

function change(letter: string, more: Partial<RepositoryChange> = {}): RepositoryChange {
  const commit = { id: id(letter), author: "Grace", email: "g@example.com", at: "2025-12-31T12:00:00.000Z", message: `Commit ${letter}` };
  const nothing = { set: {}, remove: [], vars: {}, flags: {}, evaluators: {}, flag_metadata: {}, unset: [], secrets: [] };
  return { commit, path: "", ...nothing, ...more };
}

interface Scene extends World {
  readonly slow: SlowRepositories;
  readonly clock: TestClock;
  readonly secret: string;
}

const urlOf = (project: string, env: string) => `https://git.example.com/${project}/${env}.git`;

async function follow({ domain, project }: World, env = "staging", id = PROJECT): Promise<string> {
  const { hook_secret = "" } = await domain.gitSources.set(project.caller, id, env, { url: urlOf(id, env), branch: "main" });
  return hook_secret;
}

async function scene(): Promise<Scene> {
  const [clock, slow] = [new TestClock(), new SlowRepositories()];
  const world = await openWorld({ store: memoryStore(clock), repositories: slow });
  await world.project.create("staging");
  return { ...world, slow, clock, secret: await follow(world) };
}

let pushes = 0;
function push({ domain }: World, secret: string, env = "staging", project = PROJECT) {
  const body: JsonObject = { ref: "refs/heads/main", n: ++pushes };
  const raw = Buffer.from(JSON.stringify(body));
  const signature = `sha256=${createHmac("sha256", secret).update(raw).digest("hex")}`;
  return domain.gitSources.hook(`request-${pushes}`, project, env, { id: null, event: "push", signature, raw, read: () => body });
}

/** Begins what is due `ms` from now. */
async function later({ domain, clock }: Scene, ms = 1): Promise<void> {
  clock.time += ms;
  await domain.sweeper.runDue();
}

/** The fetch that what was due has begun. */
async function begun({ slow, domain }: Scene): Promise<Fetching> {
  const fetching = await Promise.race([slow.next(), domain.gitSources.idle().then(() => null)]);
  if (fetching === null) throw new Error("nothing is fetched");
  return fetching;
}

const sourceOf = async ({ domain }: World) => (await domain.gitSources.read(PROJECT, "staging")).source;

test("a push whose timer is acted on before it is written down is pulled all the same", async () => {
  const world = await scene();
  const commit = world.store.commit.bind(world.store);
  const commits = vi.spyOn(world.store, "commit");
  commits.mockImplementation(async (partition, change) => {
    if (change.puts.some(({ key }) => key === keys.gitSource("staging"))) {
      commits.mockRestore();
      await later(world);
    }
    return commit(partition, change);
  });
  expect(await push(world, world.secret)).toEqual({ status: "accepted" });
  expect([vi.isMockFunction(world.store.commit), world.slow.begun]).toEqual([false, 0]);
  await later(world);
  (await begun(world)).answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await world.project.state("staging")).toEqual({ flows: { a: 1 } });
});

test("a push is fetched at once, and not at the next look for what is due", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const world = await scene();
  world.domain.sweeper.start();
  await push(world, world.secret);
  await vi.waitFor(() => expect(world.slow.begun).toBe(1));
  (await world.slow.next()).answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  await world.domain.sweeper.stop();
  expect(await world.project.state("staging")).toEqual({ flows: { a: 1 } });
});

test("a source that is removed while its branch is fetched brings nothing in", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const fetching = await world.slow.next();
  await world.domain.gitSources.remove(world.project.caller, PROJECT, "staging");
  fetching.answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await world.project.state("staging")).toEqual({});
  expect(world.failures).toEqual([]);
});

test("one that is set anew meanwhile has neither the old one's outcome nor its count: its first push is pulled", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const old = await world.slow.next();
  await world.domain.gitSources.remove(world.project.caller, PROJECT, "staging");
  world.clock.time += 1;
  const secret = await follow(world);
  old.answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: null });
  await push(world, secret);
  await later(world);
  (await world.slow.next()).answer(change("b", { set: { "flows/b": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated" } });
  expect(await world.project.state("staging")).toEqual({ flows: { b: 1 } });
});

test("one that is given another branch meanwhile brings nothing of the old one in, and the new one's at once", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const old = await world.slow.next();
  await world.domain.gitSources.set(world.project.caller, PROJECT, "staging", { url: urlOf(PROJECT, "staging"), branch: "other" });
  old.answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: true, outcome: null });
  await later(world);
  const fetching = await begun(world);
  expect(fetching.branch.branch).toBe("other");
  fetching.answer(change("b", { set: { "flows/b": 1 } }));
  await world.domain.gitSources.idle();
  expect(await world.project.state("staging")).toEqual({ flows: { b: 1 } });
});

const AWAY = new AppError("repository_unavailable", { reason: "It is away." });

test("a push that comes while one before it fails does not wait until that is tried again", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const first = await world.slow.next();
  await push(world, world.secret);
  first.fail(AWAY);
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: true, outcome: { status: "failed" } });
  await later(world);
  (await begun(world)).answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated" } });
});

test("a source whose credential is replaced while a pull with the old one fails is tried with the new one at once", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const first = await world.slow.next();
  world.clock.time += 1;
  const { domain, project } = world;
  const given = { url: urlOf(PROJECT, "staging"), branch: "main", credential: "p4ssw0rd-of-the-forge" };
  await domain.gitSources.set(project.caller, PROJECT, "staging", given);
  first.fail(AWAY);
  await domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: true, outcome: null });
  await later(world);
  const again = await begun(world);
  expect(again.branch.credential).toMatchObject({ password: given.credential });
  again.answer(change("a", { set: { "flows/a": 1 } }));
  await domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated" } });
});

test("what somebody else pulls meanwhile makes no history look rewritten: the push is pulled again, after that", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const fetching = await world.slow.next();
  const { commit } = change("a");
  await world.domain.pulls.pull(world.project.caller, { project: PROJECT, env: "staging", commit, set: { "flows/a": 1 } });
  fetching.answer(change("b", { set: { "flows/a": 1, "flows/b": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: true, outcome: { status: "failed", code: "plan_stale" } });
  await later(world, LIMITS.gitRetryMs + 1);
  const again = await world.slow.next();
  expect(again.before.pulled).toMatchObject({ commit: id("a"), revision: 2 });
  again.answer(change("b", { from: id("a"), set: { "flows/b": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated", revision: 3 } });
  expect(await world.project.state("staging")).toEqual({ flows: { a: 1, b: 1 } });
});

test("the very commit that somebody else pulls meanwhile changes nothing, and is answered", async () => {
  const world = await scene();
  await push(world, world.secret);
  await later(world);
  const fetching = await world.slow.next();
  const all = { set: { "flows/a": 1 } };
  await world.domain.pulls.pull(world.project.caller, { project: PROJECT, env: "staging", commit: change("a").commit, ...all });
  fetching.answer(change("a", all));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: { status: "no_changes", revision: 2 } });
});

test("what fails is tried again later each time, and never in between, until the next push", async () => {
  const clock = new TestClock();
  const tried: number[] = [];
  const repositories: Repositories = {
    check: async () => {},
    changeSince: async () => {
      tried.push((clock.time - began) / 1_000);
      throw AWAY;
    },
  };
  const world = await openWorld({ store: memoryStore(clock), repositories });
  await world.project.create("staging");
  const secret = await follow(world);
  await push(world, secret);
  const began = clock.time;
  const minutes = async (count: number) => {
    for (let step = 0; step < 12 * count; step++) {
      clock.time += 5_000;
      await world.domain.sweeper.runDue();
      await world.domain.gitSources.idle();
    }
  };
  await minutes(10);
  expect(tried).toEqual([5, 20, 50, 110, 230, 470]);
  await push(world, secret);
  await minutes(1);
  expect(tried.slice(6)).toEqual([605]);
});

test("what a freeze refuses is not asked for again until it ends", async () => {
  const world = await scene();
  const freeze = [{ kind: "deny", cron: "0 0 1 1 *", duration: "1d", timezone: "UTC" }];
  await world.project.policy({ environments: { staging: { freeze } } });
  await push(world, world.secret);
  await later(world);
  (await world.slow.next()).answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  for (let hour = 1; hour < 20; hour++) await later(world, 60 * 60_000);
  expect(world.slow.begun).toBe(1);
  await later(world, 24 * 60 * 60_000);
  (await world.slow.next()).answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await sourceOf(world)).toMatchObject({ waiting: false, outcome: { status: "updated" } });
});

test("a pull by hand that accepts a rewritten history says so of the revision where it was one, and nowhere else", async () => {
  const world = await scene();
  const order = { project: PROJECT, env: "staging", rewritten: true };
  const pull = async (answer: RepositoryChange) => {
    const pulled = world.domain.gitSources.pull(world.project.caller, order, new AbortController().signal);
    (await world.slow.next()).answer(answer);
    await pulled;
    return (await world.project.revisions("staging"))[0]?.git;
  };
  await pull(change("a", { set: { "flows/a": 1 } }));
  expect(await pull(change("b", { from: id("a"), set: { "flows/b": 1 } }))).not.toHaveProperty("rewritten");
  expect(await pull(change("c", { rewritten: true, set: { "flows/c": 1 } }))).toMatchObject({ rewritten: true });
});

test("by hand: one of a project at a time, and of all as many as may be and not one more", async () => {
  const world = await scene();
  const others = Array.from({ length: LIMITS.gitPullsByHand }, (_, n) => `pf-other-${n}`);
  for (const other of others) {
    await new Project(world.domain, { id: other }).create("staging");
    await follow(world, "staging", other);
  }
  const pull = (project: string) =>
    world.domain.gitSources.pull(world.project.caller, { project, env: "staging" }, new AbortController().signal);
  const [last = "", ...first] = others;
  const pulls: Promise<unknown>[] = [];
  const fetched: Fetching[] = [];
  for (const project of [PROJECT, ...first]) {
    pulls.push(pull(project));
    fetched.push(await world.slow.next());
  }
  for (const project of [PROJECT, last]) {
    expect(await errorOf(pull(project))).toMatchObject({ code: "overloaded", fix: expect.stringContaining("Try again") });
  }
  for (const fetching of fetched) fetching.answer(change("a", { set: { "flows/a": 1 } }));
  await Promise.all(pulls);
  const after = pull(last);
  (await world.slow.next()).fail(AWAY);
  expect(await codeOf(after)).toBe("repository_unavailable");
  const again = pull(last);
  (await world.slow.next()).answer(change("a", { set: { "flows/a": 1 } }));
  expect(await again).toMatchObject({ status: "updated" });
});

test("a project whose forge is slow keeps one place, however many of its environments wait, and others are pulled", async () => {
  const world = await scene();
  const other = new Project(world.domain, { id: "pf-other" });
  await world.project.create("development");
  await other.create("staging");
  const sources = [
    { env: "staging", project: PROJECT, secret: world.secret },
    { env: "development", project: PROJECT, secret: await follow(world, "development") },
    { env: "staging", project: other.id, secret: await follow(world, "staging", other.id) },
  ];
  for (const { env, project, secret } of sources) await push(world, secret, env, project);
  await later(world);
  const both = [await world.slow.next(), await world.slow.next()];
  expect(both.map(({ before }) => before.project).sort()).toEqual([PROJECT, other.id].sort());
  for (const fetching of both) fetching.answer(change("a", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  await later(world, LIMITS.gitBusyMs + 1);
  (await world.slow.next()).answer(change("b", { set: { "flows/a": 1 } }));
  await world.domain.gitSources.idle();
  expect(await world.project.state("development")).toEqual(await world.project.state("staging"));
});
