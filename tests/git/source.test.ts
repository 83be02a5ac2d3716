import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Blobs } from "../../src/git/blobs.ts";
import { Commits } from "../../src/git/commits.ts";
import { componentPath } from "../../src/git/layout.ts";
import { changeOf, changeSince } from "../../src/git/source.ts";
import { LIMITS } from "../../src/limits.ts";
import { errorOf } from "../domain/support.ts";
import { type WorkTree, workTree } from "./work-tree.ts";

const NOTHING = { project: "pf-777", env: "staging", pulled: null, rewritten: false };

const commitsOf = (tree: WorkTree) => new Commits({ repository: join(tree.folder, ".git") });
interface Before {
  readonly commit?: string;
  /** The environment's, since that commit was pulled. */
  readonly revision?: number;
  readonly rewritten?: boolean;
}

const read = (tree: WorkTree, { commit, revision = 1, rewritten = false }: Before = {}, path = "", before = path) =>
  changeSince(
    commitsOf(tree),
    { branch: "main", path },
    { ...NOTHING, rewritten, pulled: commit === undefined ? null : { commit, path: before, revision } },
  );

/** What the engine writes below the message of a revision of staging. */
const trailers = (revision: number) => `Env-Project: pf-777\nEnv-Environment: staging\nEnv-Revision: ${revision}`;

describe("a commit is read", () => {
  test("as all that it holds where nothing was pulled before, with its author", async () => {
    const tree = workTree();
    const id = tree.commit("Begin\n\nWith a body.", {
      "platform/flows/welcome.json": { steps: 2 },
      "platform/pages/a%2Fb.json": [1],
      "requires.json": { REGION: { kind: "var" } },
      "config/vars.json": { REGION: "eu" },
      "config/flags.json": { flags: { beta: true }, $evaluators: { staff: { "==": [1, 1] } }, metadata: { team: "x" } },
      "config/secrets.json": { API_KEY: { vault: "staging/API_KEY@x" }, OTHER: {} },
      "README.md": "not ours",
    });
    expect(await read(tree)).toEqual({
      commit: {
        id,
        author: "Grace",
        email: "grace@example.com",
        at: expect.stringMatching(/^2026-01-31T12:00:\d\d\.000Z$/),
        message: "Begin\n\nWith a body.",
      },
      path: "",
      set: { "flows/welcome": { steps: 2 }, "pages/a/b": [1], "requires/REGION": { kind: "var" } },
      remove: [],
      vars: { REGION: "eu" },
      flags: { beta: true },
      evaluators: { staff: { "==": [1, 1] } },
      flag_metadata: { team: "x" },
      unset: [],
      secrets: ["API_KEY", "OTHER"],
    });
  });

  test("as what changed since the commit that was pulled last, member by member where a file holds several", async () => {
    const tree = workTree();
    const from = tree.commit("One", {
      "platform/flows/a.json": { v: 1 },
      "platform/flows/b.json": { v: 1 },
      "config/vars.json": { A: "1", B: "1", C: "1" },
      "requires.json": { A: { kind: "var" } },
    });
    tree.commit("Two", { "platform/flows/a.json": { v: 2 } });
    tree.commit("Three", { "platform/flows/b.json": null, "config/vars.json": { A: "1", B: "2" }, "requires.json": {}, "notes.txt": "x" });
    expect(await read(tree, { commit: from })).toMatchObject({
      from,
      set: { "flows/a": { v: 2 } },
      remove: ["flows/b", "requires/A"],
      vars: { B: "2" },
      unset: ["vars/C"],
    });
  });

  test("from a folder, and nothing beside it", async () => {
    const tree = workTree();
    tree.commit("One", { "deploy/qa/platform/flows/a.json": 1, "deploy/live/platform/flows/b.json": 2, "platform/flows/c.json": 3 });
    expect((await read(tree, {}, "deploy/qa")).set).toEqual({ "flows/a": 1 });
    expect((await errorOf(read(tree, {}, "deploy/none"))).message).toContain('has no folder "deploy/none"');
    expect((await errorOf(read(tree, {}, "platform/flows/c.json"))).message).toContain("is no folder");
  });

  test("also where the name of a collection ends as that of a file does", async () => {
    const tree = workTree();
    const from = tree.commit("One", { "deploy/y.json/platform/x.json/a.json": 1 });
    expect(await read(tree, {}, "deploy/y.json")).toMatchObject({ set: { "x.json/a": 1 } });
    tree.commit("Two", { "deploy/y.json/platform/x.json/b.json": 2 });
    expect(await read(tree, { commit: from }, "deploy/y.json")).toMatchObject({ set: { "x.json/b": 2 } });
  });

  test("on the engine's own commit that it was made on: as all that it holds, whatever became of that commit since", async () => {
    const tree = workTree();
    tree.commit("Update\n\nEnv-Project: pf-777\nEnv-Environment: staging\nEnv-Revision: 7\nEnv-Version: v0.7.0", {
      "platform/flows/a.json": 1,
    });
    tree.commit("Other\n\nEnv-Project: pf-777\nEnv-Environment: production\nEnv-Revision: 9");
    tree.commit("Mine", { "platform/flows/b.json": 2 });
    const change = await read(tree);
    expect(change).toMatchObject({ base_revision: 7, set: { "flows/a": 1, "flows/b": 2 } });
    expect(change).not.toHaveProperty("from");
  });

  test("on an old commit of the engine's own that was picked again: as what changed since the one that was pulled last", async () => {
    const tree = workTree();
    const from = tree.commit("Mine", { "platform/flows/a.json": 2 });
    tree.commit(`Update\n\n${trailers(7)}`, { "platform/flows/a.json": 1 });
    const change = await read(tree, { commit: from, revision: 8 });
    expect(change).toMatchObject({ from, set: { "flows/a": 1 } });
    expect(change).not.toHaveProperty("base_revision");
    expect(await read(tree, { commit: from, revision: 7 })).toMatchObject({ base_revision: 7 });
  });

  test("asks for the names in many folders a hundred at a time", async () => {
    const tree = workTree();
    const folders = Array.from({ length: 2 * LIMITS.gitFoldersAtOnce + 1 }, (_, n) => `platform/c${n}`);
    tree.commit("Many", Object.fromEntries(folders.map((folder) => [`${folder}/x.json`, 1])));
    const log = join(tree.folder, "ran");
    const found = tree.git("--exec-path");
    writeFileSync(join(tree.folder, ".git", "git"), `#!/bin/sh\necho "$1" >> '${log}'\nexec '${found}/git' "$@"\n`, { mode: 0o755 });
    vi.stubEnv("PATH", `${join(tree.folder, ".git")}:${process.env["PATH"]}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(Object.keys((await read(tree)).set)).toHaveLength(folders.length);
    const ran = readFileSync(log, "utf8").split("\n");
    expect(ran.filter((command) => command === "ls-tree")).toHaveLength(3);
  });

  test("costs what changed, however much the commit holds", async () => {
    const tree = workTree();
    const files = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`platform/entities/e${n}.json`, { n }]));
    const from = tree.commit("Many", files);
    tree.commit("Few", { "platform/entities/e7.json": { n: -7 }, "platform/entities/e8.json": { n: -8 } });
    const commits = commitsOf(tree);
    const blobs = new Blobs(commits.options);
    const lines = [];
    for await (const line of commits.line(await commits.tip("main"), "", from)) lines.push(line);
    const [few] = lines;
    if (few === undefined) throw new Error("the commit is not on the line");
    expect((await changeOf(commits, blobs, "", few, from)).set).toEqual({ "entities/e7": { n: -7 }, "entities/e8": { n: -8 } });
    expect(blobs.count).toBe(2);
    blobs.close();
  });

  test("along first parents: a merge is one step, with all that it brought", async () => {
    const tree = workTree();
    tree.commit("One", { "platform/flows/a.json": 1 });
    tree.git("switch", "--quiet", "--create", "side");
    tree.commit("Aside", { "platform/flows/b.json": 2 });
    tree.commit("More", { "platform/flows/c.json": 3 });
    tree.git("switch", "--quiet", "main");
    tree.commit("Two", { "platform/flows/a.json": 2 });
    tree.git("merge", "--quiet", "--no-ff", "--message", "Join", "side");
    const commits = commitsOf(tree);
    const steps = [];
    for await (const { message, changes } of commits.line("main", "", null)) steps.push([message, changes.map(({ path }) => path)]);
    expect(steps).toEqual([
      ["One", ["platform/flows/a.json"]],
      ["Two", ["platform/flows/a.json"]],
      ["Join", ["platform/flows/b.json", "platform/flows/c.json"]],
    ]);
    expect(await commits.length("main", "", null)).toBe(3);
  });
});

describe("a history that was rewritten is told", () => {
  test("and taken where that is said: as all that the commit holds", async () => {
    const tree = workTree();
    tree.commit("One", { "platform/flows/a.json": 1 });
    const lost = tree.commit("Two", { "platform/flows/a.json": 2 });
    tree.git("reset", "--quiet", "--hard", "HEAD~1");
    tree.commit("Instead", { "platform/flows/b.json": 3 });
    const error = await errorOf(read(tree, { commit: lost }));
    expect(error).toMatchObject({ code: "history_rewritten", details: { pulled: lost } });
    expect(error.fix).toContain("--accept-rewrite");
    expect(await read(tree, { commit: lost, rewritten: true })).toMatchObject({ rewritten: true, set: { "flows/a": 1, "flows/b": 3 } });
  });

  test("so is another folder than before, and taken where that is said", async () => {
    const tree = workTree();
    const commit = tree.commit("One", { "a/platform/flows/a.json": 1, "b/platform/flows/b.json": 2 });
    expect((await errorOf(read(tree, { commit }, "b", "a"))).message).toContain('another folder: "a"');
    expect(await read(tree, { commit, rewritten: true }, "b", "a")).toMatchObject({ rewritten: true, path: "b", set: { "flows/b": 2 } });
  });

  test("also by one who leaves an old commit of the engine's own below: what was pulled since does not come back as the engine's", async () => {
    const tree = workTree();
    tree.commit(`Update\n\n${trailers(7)}`, { "platform/flows/a.json": 1 });
    const lost = tree.commit("Two", { "platform/flows/a.json": 2 });
    tree.git("reset", "--quiet", "--hard", "HEAD~1");
    tree.commit("Instead", { "platform/flows/b.json": 3 });
    expect(await errorOf(read(tree, { commit: lost, revision: 8 }))).toMatchObject({ code: "history_rewritten" });
    expect(await read(tree, { commit: lost, revision: 8, rewritten: true })).toMatchObject({ rewritten: true });
    // What was made on the revision that came of the pull holds it already.
    tree.commit(`Update\n\n${trailers(8)}`);
    expect(await read(tree, { commit: lost, revision: 8 })).toMatchObject({ base_revision: 8 });
  });

  test("unless the clone is shallow, where nobody can tell: then how to fetch the rest is", async () => {
    const tree = workTree();
    const commit = tree.commit("One", { "platform/flows/a.json": 1 });
    tree.commit("Two", { "platform/flows/a.json": 2 });
    const clone = join(tree.folder, "clone");
    tree.git("clone", "--quiet", "--depth=1", `file://${tree.folder}`, clone);
    const commits = new Commits({ repository: join(clone, ".git") });
    const before = { ...NOTHING, pulled: { commit, path: "", revision: 1 } };
    expect(await errorOf(changeSince(commits, { branch: "main", path: "" }, before))).toMatchObject({
      code: "invalid_repository",
      fix: expect.stringContaining("git fetch --unshallow"),
    });
  });

  test("also where the commit is gone altogether", async () => {
    const tree = workTree();
    tree.commit("One", { "platform/flows/a.json": 1 });
    expect((await errorOf(read(tree, { commit: "b".repeat(40) }))).message).toContain("not in the repository any more");
  });
});

describe("what a repository may not hold is refused, with the name of the file:", () => {
  const refused = async (files: Readonly<Record<string, unknown>>, prepare: (tree: WorkTree) => void = () => {}) => {
    const tree = workTree();
    tree.commit("Sound", { "platform/flows/sound.json": 1 });
    prepare(tree);
    tree.commit("Unsound", files);
    return errorOf(read(tree));
  };

  test.each<readonly [string, string, unknown, string]>([
    ["a file that is not JSON", "platform/flows/a.json", "{ steps: 2 }", "is not JSON that can be kept"],
    ["one that is not, with the place", "platform/flows/a.json", '{"a":1}{', "kept at line 1, column 8: expected the end after the value."],
    ["a byte order mark", "platform/flows/a.json", '\ufeff{"a":1}', "begins with a byte order mark"],
    ["one of another kind", "platform/flows/a.yaml", "steps: 2", "is none that an environment is kept in"],
    ["a member twice", "platform/flows/a.json", '{"a":1,"a":2}', "is not JSON that can be kept"],
    ["a number that JSON's readers change", "platform/flows/a.json", "9007199254740993", "is not JSON that can be kept"],
    ["a text that is not UTF-8", "platform/flows/a.json", Buffer.from([0x22, 0xff, 0x22]), "is not UTF-8"],
    [
      "what Git LFS left in its place",
      "platform/flows/a.json",
      `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12\n`,
      "is in Git LFS",
    ],
    ["an empty file", "platform/flows/a.json", "", "is not JSON that can be kept"],
    ["vars that are no object", "config/vars.json", ["A"], "is no JSON object"],
    ["a config file that there is not", "config/other.json", {}, "is none that an environment is kept in"],
    ["a name that is not written as the engine writes it", "platform/flows/%2e%2e.json", {}, "is none that an environment is kept in"],
    ["a component of requires in a file of its own", "platform/requires/A.json", {}, "is none that an environment is kept in"],
    ["a folder in other letters", "Platform/flows/a.json", {}, "is written platform, in small letters"],
    ["a secret's value among the references", "config/secrets.json", { API_KEY: "sk-live-0123456789" }, "something else than a reference"],
  ])("%s", async (_, path, content, told) => {
    const error = await refused({ [path]: content });
    expect(error).toMatchObject({ code: "invalid_repository", message: expect.stringContaining(told) });
    expect(error.message + error.fix).not.toContain("sk-live");
    expect(error.fix).toBeTruthy();
  });

  test("a symbolic link, also in a folder's place", async () => {
    expect((await refused({}, (tree) => tree.link("platform/flows/a.json", "/etc/passwd"))).message).toContain("symbolic link");
    expect((await refused({}, (tree) => tree.write({ platform: null }).link("platform", "elsewhere"))).message).toContain("is no folder");
    expect((await refused({}, (tree) => tree.link("platform/pages", "flows"))).code).toBe("invalid_repository");
  });

  test("a submodule", async () => {
    const tree = workTree();
    tree.commit("Sound", { "platform/flows/sound.json": 1 });
    tree.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},platform/flows/a.json`);
    tree.git("commit", "--quiet", "--message", "Unsound");
    expect((await errorOf(read(tree))).message).toContain("submodule");
  });

  test("a name that is not UTF-8, and one elsewhere is nobody's business", async () => {
    const tree = workTree();
    tree.commit("Sound", { "platform/flows/sound.json": 1 });
    const blob = tree.git("rev-parse", "HEAD:platform/flows/sound.json");
    const add = (path: Buffer) =>
      execFileSync("git", ["update-index", "-z", "--index-info"], {
        cwd: tree.folder,
        env: { PATH: process.env["PATH"] ?? "" },
        input: Buffer.concat([Buffer.from(`100644 ${blob}\t`), path, Buffer.from([0])]),
      });
    add(Buffer.from("photos/caf\xe9.json", "latin1"));
    tree.git("commit", "--quiet", "--message", "Elsewhere");
    expect((await read(tree)).set).toEqual({ "flows/sound": 1 });
    add(Buffer.from("platform/flows/caf\xe9.json", "latin1"));
    tree.git("commit", "--quiet", "--message", "Here");
    expect(await errorOf(read(tree))).toMatchObject({ code: "invalid_repository", message: expect.stringContaining("is not UTF-8") });
  });

  test("names that differ in case alone, unless they are written out", async () => {
    expect((await refused({ "platform/flows/Sound.json": 2 })).message).toContain("differ in case or accents alone");
    const tree = workTree();
    tree.commit("Both", { "platform/flows/sound.json": 1, "platform/flows/%53ound.json": 2 });
    expect((await read(tree)).set).toEqual({ "flows/sound": 1, "flows/Sound": 2 });
  });

  test("a component whose name is longer than one may be, however much longer", async () => {
    const path = (bytes: number) => componentPath(`flows/${"x".repeat(bytes - "flows/".length)}`, "plain");
    for (const bytes of [LIMITS.componentNameBytes + 1, 200_000]) {
      const tree = workTree();
      // Longer than a file system takes: nobody has it in a folder.
      tree.fastImport(`commit refs/heads/main\ncommitter G <g@example.com> 0 +0000\ndata 0\nM 644 inline ${path(bytes)}\ndata 1\n1\n`);
      const error = await errorOf(read(tree));
      expect(error).toMatchObject({ code: "invalid_repository", message: expect.stringContaining("whose name has more than") });
    }
    const tree = workTree();
    tree.commit("As long as may be", { [path(LIMITS.componentNameBytes)]: 1 });
    expect(Object.values((await read(tree)).set)).toEqual([1]);
  });

  test("a component in two files", async () => {
    expect((await refused({ "platform/flows/A.json": 2, "platform/flows/%41.json": 3 })).message).toContain("another file holds too");
    const tree = workTree();
    const from = tree.commit("One", { "platform/flows/A.json": 2 });
    tree.commit("Again", { "platform/flows/%41.json": 3 });
    expect((await errorOf(read(tree, { commit: from }))).message).toContain("holds too");
  });

  test("written another way, a component is the same", async () => {
    const tree = workTree();
    const from = tree.commit("One", { "platform/flows/A.json": 2 });
    tree.commit("Renamed", { "platform/flows/A.json": null, "platform/flows/%41.json": 3 });
    expect(await read(tree, { commit: from })).toMatchObject({ set: { "flows/A": 3 }, remove: [] });
  });

  test("a file that is larger than a component can be is refused before it is read", async () => {
    const error = await refused({ "platform/flows/a.json": JSON.stringify("x".repeat(LIMITS.gitFileBytes)) });
    expect(error).toMatchObject({ code: "too_large", message: expect.stringContaining("platform/flows/a.json") });
  });

  test("a repository that is damaged", async () => {
    const tree = workTree();
    tree.commit("One", { "platform/flows/a.json": { v: 1 } });
    const id = tree.git("rev-parse", "HEAD:platform/flows/a.json");
    const folder = join(tree.folder, ".git/objects", id.slice(0, 2));
    for (const name of readdirSync(folder)) damage(join(folder, name));
    expect(await errorOf(read(tree))).toMatchObject({ code: "invalid_repository", fix: expect.stringContaining("git fsck") });
  });

  test("a branch that there is not", async () => {
    const tree = workTree();
    tree.commit("One");
    expect((await errorOf(changeSince(commitsOf(tree), { branch: "none", path: "" }, NOTHING))).code).toBe("branch_not_found");
    expect((await errorOf(changeSince(commitsOf(tree), { branch: "--all", path: "" }, NOTHING))).code).toBe("branch_not_found");
  });
});

test("what a commit says of its author is kept on one line and within its bounds", async () => {
  const tree = workTree();
  tree.write({ "platform/flows/a.json": 1 });
  tree.git("add", "--all");
  tree.git("-c", `user.name=${"x".repeat(500)}`, "commit", "--quiet", "--message", "M", `--author=A\u0001\tB${"y".repeat(500)} <a@b>`);
  const { commit } = await read(tree);
  expect(commit.author).toMatch(/^[^\p{Cc}]{1,256}$/u);
  expect(commit.message.length).toBeLessThanOrEqual(LIMITS.commitMessageLength);
});

test("a message that is cut is cut between characters", async () => {
  const tree = workTree();
  tree.commit(`${"x".repeat(LIMITS.commitMessageLength - 1)}😀 and so on`, { "platform/flows/a.json": 1 });
  const { message } = (await read(tree)).commit;
  expect(message).toBe("x".repeat(LIMITS.commitMessageLength - 1));
});

test("nothing that a repository's own configuration names is run", async () => {
  const tree = workTree();
  const script = join(tree.folder, ".git", "evil");
  writeFileSync(script, `#!/bin/sh\ntouch '${join(tree.folder, "ran")}'\n`, { mode: 0o755 });
  tree.commit("Sound", { "platform/flows/a.json": 1 });
  const [head = "", ...message] = tree.git("cat-file", "commit", "HEAD").split("\n\n");
  const signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n eA==\n -----END PGP SIGNATURE-----";
  writeFileSync(join(tree.folder, ".git", "signed"), `${head}\n${signature}\n\n${message.join("\n\n")}\n`);
  tree.git("update-ref", "refs/heads/main", tree.git("hash-object", "-t", "commit", "-w", join(tree.folder, ".git", "signed")));
  for (const key of ["gpg.program", "core.fsmonitor", "core.pager", "diff.external", "core.sshCommand"]) tree.git("config", key, script);
  tree.git("config", "log.showSignature", "true");
  expect(await read(tree)).toMatchObject({ set: { "flows/a": 1 }, commit: { message: "Sound", author: "Grace" } });
  expect(readdirSync(tree.folder)).not.toContain("ran");
});

function damage(path: string): void {
  chmodSync(path, 0o644);
  writeFileSync(path, "damaged");
}
