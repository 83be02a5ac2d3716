import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { caller, memoryStore, openWorld, PROJECT, Project, TestClock, type World } from "../domain/support.ts";
import { configOf, contentAt, filesAt, folder, fullDisk, git, refs, repositoriesOf, repositoryOf, stateOf } from "./support.ts";

/** A project in which everything happens that makes a revision, step by step. */
const STORY: readonly ((world: World) => Promise<unknown>)[] = [
  ({ project }) =>
    project.create("development", { env_variables: { API_URL: "https://dev", API_KEY: { value: "s3cret-value-of-dev", secret: true } } }),
  ({ project }) => project.set("development", { "flows/a": { n: 1 }, "entities/Order": {}, "requires/API_KEY": { kind: "secret" } }),
  ({ project }) => project.create("staging", { base: "development" }),
  ({ project }) => project.set("development", { "flows/Send": 1, "flows/send": 2, "pages/home/é": { title: "Start" } }),
  ({ project }) =>
    project.configure("staging", { vars: { API_URL: "https://staging" }, secrets: { API_KEY: "another-s3cret" }, flags: { beta: true } }),
  ({ project }) => project.promote("development", "staging"),
  ({ project }) => project.remove("development", "flows/Send"),
  ({ project }) => project.create("production", { env_variables: { API_KEY: { value: "the-s3cret-of-prod", secret: true } } }),
  ({ project }) => project.promote("staging", "production"),
  ({ project, domain }) => domain.environments.hold(project.caller, { project: PROJECT, env: "production" }),
  ({ project }) => project.as(caller("Eve <x@y>")).configure("production", { vars: { B: "2" } }),
  ({ project }) => project.rollback("production", 2),
  ({ project }) => project.create("preview-1", { base: "development", type: "preview", expires_in: "1h" }),
  ({ project }) => project.set("preview-1", { "flows/b": [] }),
  ({ project, domain }) => domain.environments.archive(project.caller, { project: PROJECT, env: "staging" }),
];

async function told(): Promise<World> {
  const world = await openWorld();
  for (const step of STORY) await step(world);
  return world;
}

async function expirePreview(world: World, clock: TestClock): Promise<void> {
  clock.time += 2 * 60 * 60_000;
  await world.domain.previews.expire(world.project.caller, PROJECT, "preview-1");
}

describe("a project's repository", () => {
  test("has a branch for each environment, whose files read back are its state and its config", async () => {
    const world = await told();
    const repository = await repositoryOf(world, folder());
    for (const env of ["development", "staging", "production", "preview-1"]) {
      const content = await contentAt(repository, `refs/heads/${env}`);
      expect(stateOf(content), env).toEqual(await world.project.state(env));
      const { vars, secrets, flags } = await world.project.config(env);
      expect(configOf(content), env).toEqual({ vars, secrets, flags });
    }
  });

  test("has a commit for each revision, which says which one it is, whose, when and why", async () => {
    const world = await told();
    const repository = await repositoryOf(world, folder());
    for (const env of ["development", "staging", "production", "preview-1"]) {
      const revisions = await world.project.revisions(env);
      const format =
        "--format=%an|%aI|%(trailers:key=Env-Project,valueonly,separator=)|%(trailers:key=Env-Environment,valueonly,separator=)|%(trailers:key=Env-Revision,valueonly,separator=)|%(trailers:key=Env-Version,valueonly,separator=)";
      const commits = (await git(repository, "log", "--first-parent", `-${revisions.length}`, format, `refs/heads/${env}`)).split("\n");
      expect(commits, env).toEqual(
        revisions.map(({ created_by, timestamp, revision, version }) => {
          const second = `${timestamp.slice(0, 19)}+00:00`;
          return [created_by.replace("<", "").replace(">", "").replace("  ", " "), second, PROJECT, env, revision, version].join("|");
        }),
      );
    }
    expect(await git(repository, "log", "-1", "--format=%s", "refs/heads/staging")).toBe("Archive staging");
    expect(await git(repository, "fsck", "--strict", "--no-dangling")).toBe("");
  });

  test("keeps the author of a revision that was pulled from somebody's commit, and says which one, and who pulled it", async () => {
    const world = await told();
    const commit = { id: "a".repeat(40), author: "Grace <H>", email: "grace@example.com", at: "2025-12-31T12:00:00.000Z", message: "Why" };
    const { pulls } = world.domain;
    await pulls.pull(world.project.caller, { project: PROJECT, env: "development", commit, set: { "flows/x": 1 } });
    const repository = await repositoryOf(world, folder());
    const format =
      "--format=%an|%ae|%aI|%s|%(trailers:key=Env-Commit,valueonly,separator=)|%(trailers:key=Env-Pulled-By,valueonly,separator=)";
    expect(await git(repository, "log", "-1", format, "refs/heads/development")).toBe(
      ["Grace H", commit.email, "2025-12-31T12:00:00+00:00", "Why", commit.id, world.project.caller.actor].join("|"),
    );
  });

  test("has a tag for each version, at the revision that made it", async () => {
    const world = await told();
    const repository = await repositoryOf(world, folder());
    const { items } = await world.domain.versions.versions(world.project.caller, PROJECT, { limit: 1_000, cursor: null });
    const tags = Object.entries(await refs(repository)).filter(([name]) => name.startsWith("refs/tags/"));
    expect(tags.map(([name]) => name.slice("refs/tags/".length)).sort()).toEqual(items.map(({ version }) => version).sort());
    for (const { version, env, revision } of items) {
      const trailers = "--format=%(trailers:key=Env-Environment,valueonly,separator=)@%(trailers:key=Env-Revision,valueonly,separator=)";
      expect(await git(repository, "log", "-1", trailers, version)).toBe(`${env}@${revision}`);
    }
  });

  test("shows where a branch began, what was promoted into it, and a rollback as one more step", async () => {
    const world = await told();
    const repository = await repositoryOf(world, folder());
    const subjects = (commit: string) => git(repository, "log", "-1", "--format=%s", commit);
    expect(await subjects("refs/heads/staging~3^1")).toMatch(/^Update development/);
    expect(await subjects("refs/heads/staging~1")).toMatch(/^Promote v\S+ from development to staging/);
    expect(await subjects("refs/heads/staging~1^2")).toMatch(/^Update development/);
    expect(await subjects("refs/heads/production")).toMatch(/^Roll production back/);
    expect((await git(repository, "rev-list", "--parents", "-1", "refs/heads/production")).split(" ")).toHaveLength(2);
    expect(await filesAt(repository, "refs/heads/production")).toEqual(await filesAt(repository, "refs/heads/production~2"));
    expect(await git(repository, "symbolic-ref", "HEAD")).toBe("refs/heads/production");
  });

  test("holds no value of a secret, in any object of it", async () => {
    const world = await told();
    const repository = await repositoryOf(world, folder());
    const objects = (await git(repository, "cat-file", "--batch-check=%(objectname)", "--batch-all-objects")).split("\n");
    expect(objects.length).toBeGreaterThan(30);
    for (const id of objects) expect(await git(repository, "cat-file", "-p", id)).not.toMatch(/s3cret/);
  });

  test("keeps the branch of a preview that is over to itself, and goes on with it when the preview is brought back", async () => {
    const clock = new TestClock();
    const world = await openWorld({ store: memoryStore(clock), clock: { now: () => new Date(clock.time) } });
    for (const step of STORY) await step(world);
    const where = folder();
    const repository = await repositoryOf(world, where);
    const before = (await refs(repository))["refs/heads/preview-1"];
    await expirePreview(world, clock);
    await repositoryOf(world, where);
    expect(Object.keys(await refs(repository))).not.toContain("refs/heads/preview-1");
    expect(await git(repository, "rev-parse", "refs/envm/expired/preview-1~1")).toBe(before);
    await world.domain.previews.restore(world.project.caller, { project: PROJECT, env: "preview-1" });
    await repositoryOf(world, where);
    expect(await git(repository, "rev-parse", "refs/heads/preview-1~2")).toBe(before);
  });
});

describe("the same history is the same commits,", () => {
  test("whether they are made one by one, in pages, or all at once from nothing", async () => {
    const world = await openWorld();
    const [oneByOne, paged] = [folder(), folder()];
    const following = repositoriesOf(world.store, oneByOne);
    for (const step of STORY) {
      await step(world);
      await following.current(PROJECT);
    }
    const expected = await refs(await repositoryOf(world, folder()));
    expect(Object.keys(expected).length).toBeGreaterThan(10);
    expect(await refs((await following.current(PROJECT)).path)).toEqual(expected);
    expect(await refs((await repositoriesOf(world.store, paged, { page: 2 }).current(PROJECT)).path)).toEqual(expected);
  });

  test.each<[string, (repository: string) => void]>([
    ["its packs are gone", (repository) => rmSync(join(repository, "objects"), { recursive: true })],
    ["one of its packs is cut off", (repository) => writeFileSync(join(repository, "objects/pack", packOf(repository)), "PACK")],
    ["its state is no JSON", (repository) => writeFileSync(join(repository, "envm.json"), "{")],
    [
      "its state is of nowhere",
      (repository) => writeFileSync(join(repository, "envm.json"), '{"format":1,"project":"pf-777","seq":3,"hash":"x","tips":{}}'),
    ],
    ["a lock was left", (repository) => writeFileSync(join(repository, "refs/heads/development.lock"), "")],
    ["it is gone", (repository) => rmSync(repository, { recursive: true })],
  ])("also where it is made anew since %s", async (_what, damage) => {
    const world = await told();
    const where = folder();
    const repository = await repositoryOf(world, where);
    damage(repository);
    await world.project.set("development", { "flows/after": 1 });
    expect(await refs(await repositoryOf(world, where))).toEqual(await refs(await repositoryOf(world, folder())));
  });

  test("also where a crash left branches beyond what the state says", async () => {
    const world = await openWorld();
    const where = folder();
    for (const step of STORY.slice(0, 7)) await step(world);
    const state = join(await repositoryOf(world, where), "envm.json");
    const before = readFileSync(state);
    for (const step of STORY.slice(7)) await step(world);
    const expected = await refs(await repositoryOf(world, where));
    writeFileSync(state, before);
    expect(await refs(await repositoryOf(world, where))).toEqual(expected);
  });
});

describe("the cost of a revision", () => {
  test("follows the change, not the size of the state", async () => {
    const world = await openWorld();
    await world.project.create("development");
    const components = Array.from({ length: 2_000 }, (_, n): [string, { n: number }] => [`flows-${n % 20}/flow-${n}`, { n }]);
    await world.project.set("development", Object.fromEntries(components));
    const repositories = repositoriesOf(world.store, folder());
    const { path } = await repositories.current(PROJECT);
    const objects = async () => (await git(path, "cat-file", "--batch-check=%(objecttype)", "--batch-all-objects")).split("\n");
    const before = await objects();
    await world.project.set("development", { "flows-7/flow-7": "changed" });
    await repositories.current(PROJECT);
    const made = [...(await objects())];
    // The blob, the tree of its collection, `platform`, the root, and the commit.
    expect(made.length - before.length).toBe(5);
    await world.project.configure("development", { vars: { A: "1" } });
    await repositories.current(PROJECT);
    expect((await objects()).length - made.length).toBe(4);
  });

  test("in packs does not grow with their number", async () => {
    const world = await openWorld();
    await world.project.create("development");
    const repositories = repositoriesOf(world.store, folder());
    let path = "";
    for (let n = 0; n < 70; n++) {
      await world.project.set("development", { "flows/a": n });
      path = (await repositories.current(PROJECT)).path;
    }
    expect(readdirSync(join(path, "objects/pack")).filter((name) => name.endsWith(".pack")).length).toBeLessThan(40);
    expect(await git(path, "rev-list", "--count", "refs/heads/development")).toBe("71");
  });
});

describe("repositories", () => {
  test("are kept up to a bound: those asked for longest ago go, and are made again", async () => {
    const world = await openWorld();
    const ids = ["pf-1", "pf-2", "pf-3"];
    for (const id of ids) await new Project(world.domain, { id }).create("development");
    const where = folder();
    const repositories = repositoriesOf(world.store, where, { limit: 2 });
    for (const id of ids) await repositories.current(id);
    expect(readdirSync(where).sort()).toEqual(["owner", "pf-2", "pf-3"]);
    expect(Object.keys(await refs((await repositories.current("pf-1")).path))).toContain("refs/heads/development");
  });

  test("are one engine's: another that takes their folder over is named, and nothing is written any more", async () => {
    const world = await told();
    const where = folder();
    const first = repositoriesOf(world.store, where);
    await first.current(PROJECT);
    await repositoriesOf(world.store, where).current(PROJECT);
    await expect(first.current(PROJECT)).rejects.toMatchObject({ code: "git_unavailable", fix: expect.stringContaining("GIT_PATH") });
  });

  test("are made again where somebody took them away while the engine runs, one of them or all", async () => {
    const world = await told();
    const where = folder();
    const repositories = repositoriesOf(world.store, where);
    const { path } = await repositories.current(PROJECT);
    const made = await refs(path);
    for (const gone of [path, where]) {
      rmSync(gone, { recursive: true });
      expect(await refs((await repositories.current(PROJECT)).path)).toEqual(made);
    }
  });

  test("of which there is no room for more say so, keep what they have, and go on as soon as there is", async () => {
    const world = await told();
    const repositories = repositoriesOf(world.store, folder());
    const { path } = await repositories.current(PROJECT);
    const made = await refs(path);
    await world.project.set("development", { "flows/a": { n: 99 } });
    const disk = fullDisk("fast-import");
    await expect(repositories.current(PROJECT)).rejects.toMatchObject({ code: "storage_full", status: 507 });
    expect(await refs(path)).toEqual(made);
    disk.makeRoom();
    expect(await refs((await repositories.current(PROJECT)).path)).not.toEqual(made);
  });

  test("are refused while their folder cannot be used, and work as soon as it can", async () => {
    const world = await told();
    const where = join(folder(), "taken");
    writeFileSync(where, "a file where the folder should be");
    const repositories = repositoriesOf(world.store, where);
    await expect(repositories.current(PROJECT)).rejects.toMatchObject({
      code: "git_unavailable",
      fix: expect.stringContaining("GIT_PATH"),
    });
    rmSync(where);
    expect(Object.keys(await refs((await repositories.current(PROJECT)).path))).toContain("refs/heads/development");
  });

  test("of a project that there is not are refused, and leave nothing behind", async () => {
    const world = await openWorld();
    const where = folder();
    await expect(repositoriesOf(world.store, where).current("pf-404")).rejects.toMatchObject({ code: "project_not_found" });
    await expect(repositoriesOf(world.store, where).current("../pf")).rejects.toMatchObject({ code: "invalid_name" });
    expect(readdirSync(where)).toEqual(["owner"]);
  });
});

function packOf(repository: string): string {
  return readdirSync(join(repository, "objects/pack")).find((name) => name.endsWith(".pack")) ?? "";
}
