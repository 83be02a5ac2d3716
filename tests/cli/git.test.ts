import { beforeAll, describe, expect, test } from "vitest";
import { componentPaths } from "../../src/git/layout.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import { WorkTree, workTree } from "../git/work-tree.ts";
import { type HistoryChange, loadHistory } from "../merkle/support.ts";
import { ended, useCli } from "./support.ts";

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;
const context = useCli();
let projects = 0;

/** A project of the test's own. */
const inProject = () => ({ ENVM_PROJECT: `pf-git-${++projects}`, ENVM_ENV: "staging" });

interface Log {
  readonly items: readonly {
    readonly revision: number;
    readonly message: string;
    readonly git?: { readonly commit: string; readonly author: string };
  }[];
}

const stateOf = async (env: Record<string, string>, name = "staging") =>
  (await context.engine.get<{ state: JsonObject }>(`/env/${env["ENVM_PROJECT"]}/${name}/state`)).body.state;
const logOf = async (env: Record<string, string>, name = "staging") =>
  (await context.engine.get<Log>(`/env/${env["ENVM_PROJECT"]}/${name}/revisions?limit=1000`)).body.items;

describe("envm git pull", () => {
  let tree: WorkTree;
  let env: Record<string, string>;
  beforeAll(async () => {
    tree = new WorkTree();
    env = inProject();
    tree.commit("Begin", { "platform/flows/a.json": { v: 1 }, "config/vars.json": { REGION: "eu" } });
    await context.cli.ok(["env", "create", "staging"], { env });
  });

  const pull = (...args: readonly string[]) => context.cli.run(["git", "pull", "-y", ...args], { env, cwd: tree.folder });

  test("shows the plan, changes nothing in a dry run, and brings the working folder's branch in", async () => {
    const { cli } = context;
    const planned = await cli.ok(["git", "pull", "--dry-run"], { env, cwd: tree.folder });
    for (const line of ["+ added:   flows/a", "~ config:  REGION", "It would be applied."]) expect(planned).toContain(line);
    expect(await logOf(env)).toHaveLength(1);
    expect(await pull()).toMatchObject({ code: 0, out: expect.stringContaining("staging is v0.2.0, revision 2") });
    expect((await logOf(env))[0]).toMatchObject({ message: "Begin", git: { author: "Grace", commit: tree.git("rev-parse", "HEAD") } });
    expect(await pull()).toMatchObject({ code: 0, out: expect.stringContaining("Nothing changes in staging.") });
  });

  test("ends with 5 and both sides where both changed the same, and goes through when that is settled", async () => {
    const { cli } = context;
    await cli.ok(["state", "put", "flows/a", '{"v":2}'], { env });
    tree.commit("Three", { "platform/flows/a.json": { v: 3 } });
    const refused = await pull();
    expect(refused).toMatchObject({ code: 5 });
    expect(refused.out + refused.err).toContain("✗ flows/a: the environment's was changed, the repository's changed");
    expect((await cli.run(["git", "pull", "--dry-run"], { env, cwd: tree.folder })).code).toBe(6);
    expect(await pull("--resolve", "flows/a=theirs")).toMatchObject({ code: 0 });
    expect(await stateOf(env)).toEqual({ flows: { a: { v: 3 } } });
  });

  test("tells that history was rewritten, and takes it where that is said", async () => {
    tree.git("commit", "--quiet", "--amend", "--message", "Other");
    const refused = await pull();
    expect(refused).toMatchObject({ code: 5, err: expect.stringContaining("does not descend from") });
    expect(refused.err).toContain("--accept-rewrite");
    expect(await pull("--accept-rewrite")).toMatchObject({ code: 0 });
  });

  test.each<readonly [string, Readonly<Record<string, unknown>>, number, string]>([
    ["what is not JSON", { "platform/flows/bad.json": "{" }, 2, "platform/flows/bad.json"],
    ["a secret by its name", { "config/vars.json": { REGION: "eu", API_TOKEN: "tok-3f9a2b7c" } }, 5, "API_TOKEN"],
    ["the same, and says what to do", { "config/vars.json": { REGION: "eu", API_TOKEN: "tok-3f9a2b7c" } }, 5, "and of its history"],
  ])("refuses %s, and changes nothing", async (_, files, code, told) => {
    const before = await logOf(env);
    tree.commit("Bad", files);
    const refused = await pull();
    expect(refused).toMatchObject({ code, err: expect.stringContaining(told) });
    expect(refused.err).toContain("fix:");
    expect(refused.out + refused.err).not.toContain("3f9a2b7c");
    expect(await logOf(env)).toEqual(before);
    tree.git("reset", "--quiet", "--hard", "HEAD~1");
  });

  test("ends with 4 where there is no repository, no branch, or no environment, and with 6 where the rules refuse it", async () => {
    const { cli, engine } = context;
    expect((await cli.run(["git", "pull", "--git", cli.home], { env })).code).toBe(4);
    expect((await cli.run(["git", "pull", "--git", "nowhere"], { env })).code).toBe(4);
    expect(await pull("--branch", "nowhere")).toMatchObject({ code: 4 });
    for (const branch of ["nowhere", "no where"])
      expect(await pull("--git", `file://${tree.folder}`, "--branch", branch)).toMatchObject({
        code: 4,
        err: expect.stringContaining(`has no branch "${branch}"`),
      });
    expect(await pull("-e", "nowhere")).toMatchObject({ code: 4 });
    tree.commit("Four", { "platform/flows/a.json": { v: 4 } });
    await engine.request("PUT", `/env/${env["ENVM_PROJECT"]}/policy`, { environments: { staging: { protected: true } } });
    expect(await pull()).toMatchObject({ code: 6, err: expect.stringContaining("protected") });
    await engine.request("PUT", `/env/${env["ENVM_PROJECT"]}/policy`, {});
    tree.dispose();
  });
});

describe("envm import --git", () => {
  /** Two environments that go on side by side. */
  function branches(): WorkTree {
    const tree = workTree();
    tree.commit("Begin", { "platform/flows/a.json": { v: 0 } });
    tree.git("branch", "staging");
    for (let n = 1; n <= 6; n++) {
      tree.git("switch", "--quiet", n % 2 === 0 ? "main" : "staging");
      tree.commit(`Step ${n}`, { "platform/flows/a.json": { v: n }, "config/vars.json": { STEP: String(n) } });
    }
    tree.git("branch", "feature/x");
    return tree;
  }

  test("makes a branch an environment, and each of its commits a revision with its author", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = branches();
    const args = ["import", "--git", tree.folder, "--env-from", "branches", "--map", "main=production"];
    const planned = await cli.run([...args, "--dry-run"], { env });
    expect(planned).toMatchObject({ code: 0, err: expect.stringContaining("feature/x cannot name an environment") });
    expect(planned.out).toMatch(/production +main +4 +new/);
    expect((await context.engine.get(`/env/${env.ENVM_PROJECT}`)).status).toBe(404);
    await cli.ok([...args, "-y"], { env });
    expect((await logOf(env)).map(({ message }) => message)).toEqual(["Step 5", "Step 3", "Step 1", "Begin", "Imported from staging"]);
    expect((await logOf(env, "production")).map(({ message }) => message)).toEqual([
      "Step 6",
      "Step 4",
      "Step 2",
      "Begin",
      "Imported from main",
    ]);
    expect((await logOf(env)).slice(0, -1).every(({ git }) => git?.author === "Grace")).toBe(true);
    expect(await stateOf(env)).toEqual({ flows: { a: { v: 5 } } });
    expect(await stateOf(env, "production")).toEqual({ flows: { a: { v: 6 } } });
    expect(await cli.ok([...args, "-y"], { env })).toContain("Everything is there.");
  });

  test("goes on with what was committed since", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = branches();
    const args = ["import", "--git", tree.folder, "--env-from", "branches", "-y"];
    await cli.ok(args, { env });
    tree.git("switch", "--quiet", "staging");
    tree.commit("More", { "platform/flows/b.json": 1 });
    tree.commit("Not ours", { "README.md": "x" });
    await cli.ok(args, { env });
    expect((await logOf(env))[0]).toMatchObject({ message: "More" });
    expect(await stateOf(env)).toEqual({ flows: { a: { v: 5 }, b: 1 } });
  });

  test("stops at a commit that cannot be taken, says how to step over it, and goes on after that", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = workTree();
    tree.commit("Good", { "deploy/staging/platform/flows/a.json": { v: 1 } });
    tree.commit("Broken", { "deploy/staging/platform/flows/b.json": "{" });
    const mended = tree.commit("Mended", { "deploy/staging/platform/flows/b.json": { v: 2 } });
    tree.commit("More", { "deploy/staging/platform/flows/c.json": { v: 3 } });
    const args = ["import", "--git", tree.folder, "--path", "deploy", "--env-from", "folders", "-y"];
    const stopped = await cli.run(args, { env });
    expect(stopped).toMatchObject({ code: 2, err: expect.stringContaining("platform/flows/b.json") });
    expect(stopped.err).toContain("--branch COMMIT --path deploy/staging -e staging");
    await cli.ok(["git", "pull", "--git", tree.folder, "--branch", mended, "--path", "deploy/staging", "-y"], { env });
    await cli.ok(args, { env });
    expect((await logOf(env)).map(({ message }) => message)).toEqual(["More", "Mended", "Good", "Imported from staging"]);
    expect(await stateOf(env)).toEqual({ flows: { a: { v: 1 }, b: { v: 2 }, c: { v: 3 } } });
  });

  test("refuses a shallow clone, whose history is not there", async () => {
    const { cli } = context;
    const tree = branches();
    const clone = `${tree.folder}/.git/clone`;
    tree.git("clone", "--quiet", "--depth=1", `file://${tree.folder}`, clone);
    const refused = await cli.run(["import", "--git", clone, "--env-from", "branches", "-y"], { env: inProject() });
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("git fetch --unshallow") });
  });

  test("makes a folder an environment: a commit is a revision of each that it changed, and of no other", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = workTree();
    tree.commit("Both", { "deploy/staging/platform/flows/a.json": 1, "deploy/production/platform/flows/a.json": 1 });
    tree.commit("One", { "deploy/staging/platform/flows/a.json": 2, "README.md": "x" });
    tree.commit("None", { "README.md": "y" });
    tree.commit("Gone", { "deploy/staging/platform/flows/a.json": null, "deploy/staging/platform/flows/b.json": 3 });
    await cli.ok(["import", "--git", tree.folder, "--path", "deploy", "--env-from", "folders", "-y"], { env });
    expect((await logOf(env)).map(({ message }) => message)).toEqual(["Gone", "One", "Both", "Imported from staging"]);
    expect((await logOf(env, "production")).map(({ message }) => message)).toEqual(["Both", "Imported from production"]);
    expect(await stateOf(env)).toEqual({ flows: { b: 3 } });
  });

  test("stops at the commit that cannot be taken, keeps what came before, and goes on once that is mended", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = workTree();
    tree.git("switch", "--quiet", "--create", "staging");
    tree.commit("Good", { "platform/flows/a.json": 1 });
    tree.commit("Bad", { "platform/flows/b.json": "{" });
    const args = ["import", "--git", tree.folder, "--env-from", "branches", "-y"];
    expect(await cli.run(args, { env })).toMatchObject({ code: 2, err: expect.stringContaining("platform/flows/b.json") });
    expect((await logOf(env))[0]).toMatchObject({ message: "Good" });
    tree.git("reset", "--quiet", "--hard", "HEAD~1");
    tree.commit("Mended", { "platform/flows/b.json": 2 });
    await cli.ok(args, { env });
    expect(await stateOf(env)).toEqual({ flows: { a: 1, b: 2 } });
  });

  test("makes no environment of a branch whose first commit cannot be taken, and says how to step over it", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = workTree();
    tree.git("switch", "--quiet", "--create", "staging");
    tree.commit("Bad", { "platform/flows/b.json": "{" });
    const args = ["import", "--git", tree.folder, "--env-from", "branches", "-y"];
    const stopped = await cli.run(args, { env });
    expect(stopped).toMatchObject({ code: 2, err: expect.stringContaining("platform/flows/b.json") });
    expect((await context.engine.get(`/env/${env.ENVM_PROJECT}`)).status).toBe(404);
    expect(stopped.err).toContain("envm env create staging, then envm git pull");
    const mended = tree.commit("Mended", { "platform/flows/b.json": 2 });
    await cli.ok(["env", "create", "staging"], { env });
    await cli.ok(["git", "pull", "--git", tree.folder, "--branch", mended, "-y"], { env });
    expect(await stateOf(env)).toEqual({ flows: { b: 2 } });
  });

  test("takes a message in the encoding that its commit names, whatever the repository is set to", async () => {
    const { cli } = context;
    const env = inProject();
    const tree = workTree();
    tree.git("switch", "--quiet", "--create", "staging");
    tree.git("config", "i18n.commitEncoding", "ISO-8859-1");
    tree.write({ "platform/flows/a.json": 1, message: Buffer.from("Gr\u00fc\u00dfe", "latin1") });
    tree.git("add", "platform");
    tree.git("commit", "--quiet", "--file", "message");
    await cli.ok(["import", "--git", tree.folder, "--env-from", "branches", "-y"], { env });
    expect((await logOf(env))[0]).toMatchObject({ message: "Gr\u00fc\u00dfe" });
  });

  test.each(["../x", "deploy/../x", "/deploy", "/"])("--path %s, which is outside of the repository, is refused", async (path) => {
    const { cli } = context;
    const env = inProject();
    const tree = workTree();
    tree.commit("One", { "deploy/staging/platform/flows/a.json": 1 });
    const imported = await cli.run(["import", "--git", ".", "--path", path, "--env-from", "folders", "-y"], { env, cwd: tree.folder });
    expect(imported).toMatchObject({ code: 2, err: expect.stringContaining(`${path} names no folder of the repository.`) });
    expect(imported.err).toContain("--path deploy/staging");
    expect((await context.engine.get(`/env/${env.ENVM_PROJECT}`)).status).toBe(404);
    await cli.ok(["env", "create", "staging"], { env });
    const pulled = await cli.run(["git", "pull", "--path", path, "-y"], { env, cwd: tree.folder });
    expect(pulled).toMatchObject({ code: 2, err: expect.stringContaining(`${path} names no folder of the repository.`) });
  });

  test.each<readonly [string, readonly string[], number]>([
    ["without saying what an environment is", ["--git", "."], 2],
    ["with a file beside", ["x.env", "--git", "."], 2],
    ["with a name for what there is not", ["--git", ".", "--env-from", "branches", "--map", "none=qa"], 2],
    ["with nothing at all", [], 2],
    ["of a folder that there is not", ["--git", "nowhere", "--env-from", "branches"], 4],
  ])("%s is refused", async (_, args, code) => {
    const tree = workTree();
    tree.commit("One", { "platform/flows/a.json": 1 });
    const refused = await context.cli.run(["import", ...args], { env: inProject(), cwd: tree.folder });
    expect(refused).toMatchObject({ code, err: expect.stringContaining("fix:") });
  });
});

describe("a real history, as a generated repository", () => {
  const history = loadHistory();
  const changes = history.changes.slice(0, long ? undefined : 25);

  test("comes in whole, commit by commit, though it is killed on the way", { timeout: 600_000 }, async () => {
    const { cli, engine } = context;
    const env = inProject();
    const tree = generated(history.base, changes);
    const args = ["import", "--git", tree.folder, "--env-from", "branches", "-y"];
    const child = cli.start(args, { env });
    const dead = ended(child);
    // Killed as soon as some of it is there, wherever it stands then.
    const some = 5;
    for (let found = 0; found < some && child.exitCode === null; ) {
      const wait = await engine.get<{ revision?: number }>(`/env/${env.ENVM_PROJECT}/staging`);
      found = wait.body.revision ?? 0;
    }
    child.kill("SIGKILL");
    await dead;
    const before = (await logOf(env)).length;
    expect(before).toBeGreaterThanOrEqual(some);
    await cli.ok(args, { env });
    const log = (await allOf(env)).reverse().filter(({ git }) => git !== undefined);
    const ids = tree.git("rev-list", "--reverse", "staging").split("\n");
    expect(log.map(({ git }) => git?.commit)).toEqual(ids);
    const expected = new Map(history.base);
    for (const { set, remove } of changes) {
      for (const name of remove) expected.delete(name);
      for (const [name, value] of Object.entries(set)) expected.set(name, value);
    }
    const state = await stateOf(env);
    const found = Object.entries(state).flatMap(([collection, members]) =>
      Object.entries(members as JsonObject).map(([name, value]) => [`${collection}/${name}`, value] as const),
    );
    expect(new Map(found)).toEqual(expected);
    // What Git says of each commit is what the engine says of each revision.
    for (const [index, { git }] of changes.entries()) {
      const { changes: told } = (
        await engine.get<{ changes: Record<string, number> }>(`/env/${env.ENVM_PROJECT}/staging/revisions/${index + 3}`)
      ).body;
      expect([told["components_added"], told["components_removed"], told["components_changed"]]).toEqual([
        git.added.length,
        git.removed.length,
        git.changed.length,
      ]);
    }
  });

  async function allOf(env: Record<string, string>) {
    const items: Log["items"][number][] = [];
    for (let cursor = ""; ; ) {
      const page = (
        await context.engine.get<Log & { next_cursor: string | null }>(`/env/${env["ENVM_PROJECT"]}/staging/revisions?limit=1000${cursor}`)
      ).body;
      items.push(...page.items);
      if (page.next_cursor === null) return items;
      cursor = `&cursor=${page.next_cursor}`;
    }
  }
});

/** One commit for each change, made by `git fast-import`. */
function generated(base: ReadonlyMap<string, Json>, changes: readonly HistoryChange[]): WorkTree {
  const paths = componentPaths([...base.keys(), ...changes.flatMap(({ set }) => Object.keys(set))]);
  const lines: string[] = [];
  const commit = (n: number, set: Iterable<readonly [string, Json]>, remove: readonly string[]) => {
    lines.push(`commit refs/heads/staging\ncommitter Grace <grace@example.com> ${1_700_000_000 + n} +0000\ndata 4\nStep\n`);
    for (const name of remove) lines.push(`D ${paths.get(name)}\n`);
    for (const [name, value] of set) {
      const text = JSON.stringify(value);
      lines.push(`M 100644 inline ${paths.get(name)}\ndata ${Buffer.byteLength(text)}\n${text}\n`);
    }
  };
  commit(0, base, []);
  for (const [index, { set, remove }] of changes.entries()) commit(index + 1, Object.entries(set), remove);
  const tree = workTree();
  tree.fastImport(lines.join(""));
  return tree;
}
