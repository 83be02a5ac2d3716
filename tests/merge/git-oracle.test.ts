import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { mergePlatforms } from "../../src/merge.ts";
import { canonicalJson } from "../../src/merkle/index.ts";
import type { Json } from "../../src/ports.ts";
import { long, TestMaps } from "./support.ts";

/**
 * `git merge-tree` on the same histories. Each component is one file of one line, so that git, which merges by line, is in conflict over
 * exactly those that both sides changed differently; for these, what members make of it is ours alone. Git also guesses renames, which we do
 * not, and cannot always be told to leave it (`merge.renames` is not heeded before 2.50): so a line begins with the component's name, and no two
 * files are ever alike.
 */

const HISTORIES = long ? 500 : 30;

const directory = mkdtempSync(join(tmpdir(), "env-manager-git-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const environment = {
  PATH: process.env["PATH"],
  HOME: directory,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: devNull,
  GIT_DIR: directory,
};

/** Output of a git command on the bare repository, and whether it said "conflict" (exit code 1). */
function git(...args: string[]): Promise<{ out: string; conflict: boolean }> {
  return new Promise((resolve, reject) => {
    execFile("git", args, { env: environment, maxBuffer: 1 << 26 }, (error, out) => {
      if (error !== null && error.code !== 1) reject(error);
      else resolve({ out, conflict: error !== null });
    });
  });
}

function supported(): boolean {
  try {
    const [major = 0, minor = 0] = execFileSync("git", ["--version"], { encoding: "utf8" }).match(/\d+/g)!.map(Number);
    return major > 2 || (major === 2 && minor >= 38);
  } catch {
    return false;
  }
}

type Edit = readonly [component: string, body: Json | undefined];

/** Commits before the branches part, and those of each branch. A later commit may undo an earlier one. */
interface History {
  readonly base: readonly (readonly Edit[])[];
  readonly ours: readonly (readonly Edit[])[];
  readonly theirs: readonly (readonly Edit[])[];
}

const component = fc.constantFrom("flows/a", "flows/b", "flows/c", "flows/c/d", "pages/a", "pages/A", "pages/é ü", 'pages/q"\t');
const body = fc.oneof(
  { arbitrary: fc.record({ a: fc.nat(1), b: fc.nat(1), c: fc.nat(1) }), weight: 6 },
  { arbitrary: fc.constantFrom<Json>(null, 0, "ü\n", [], [{ id: 1 }, { id: 2 }], [{ id: 1 }, { id: 3 }]), weight: 2 },
  { arbitrary: fc.constant(undefined), weight: 2 },
);
const commit = fc.uniqueArray(fc.tuple(component, body), { selector: ([name]) => name, minLength: 2, maxLength: 6 });
const commits = fc.array(commit, { maxLength: 4 });
const history: fc.Arbitrary<History> = fc.record({
  base: fc.array(commit, { minLength: 1, maxLength: 4 }),
  ours: commits,
  theirs: commits,
});

/** Flat, so that `c` and `c/d` can both be there, and of characters that git does not quote. */
const fileOf = (name: string): string => Buffer.from(name).toString("hex");
const nameOf = (file: string): string => Buffer.from(file, "hex").toString();
const lineOf = (name: string, value: Json): string => `${canonicalJson([name, value])}\n`;

function stream(histories: readonly History[]): string {
  const write = (branch: string, from: string | null, list: readonly (readonly Edit[])[]): string =>
    [
      ...(list.length === 0 ? [`reset refs/heads/${branch}\nfrom refs/heads/${from}\n`] : []),
      ...list.map((edits, index) =>
        [
          `commit refs/heads/${branch}\ncommitter T <t@example.com> ${1_700_000_000 + index} +0000\ndata 0`,
          ...(index === 0 && from !== null ? [`from refs/heads/${from}`] : []),
          ...edits.map(([name, value]) => {
            if (value === undefined) return `D ${fileOf(name)}`;
            const line = lineOf(name, value);
            return `M 100644 inline ${fileOf(name)}\ndata ${Buffer.byteLength(line)}\n${line}`;
          }),
          "",
        ].join("\n"),
      ),
    ].join("\n");
  return histories
    .map(({ base, ours, theirs }, index) =>
      [
        write(`base-${index}`, null, base),
        write(`ours-${index}`, `base-${index}`, ours),
        write(`theirs-${index}`, `base-${index}`, theirs),
      ].join("\n"),
    )
    .join("\n");
}

/** What git makes of history `index`: the components in conflict, and the blobs of its merged tree. */
async function mergedByGit(index: number): Promise<{ conflicts: Set<string>; blobs: Map<string, string> }> {
  const { out, conflict } = await git(
    "merge-tree",
    "--write-tree",
    "-z",
    "--name-only",
    "--no-messages",
    `ours-${index}`,
    `theirs-${index}`,
  );
  const [tree, ...files] = out.split("\0").filter((part) => part !== "");
  expect(conflict).toBe(files.length > 0);
  const listed = (await git("ls-tree", "-z", tree!)).out.split("\0").filter((line) => line !== "");
  const blobs = listed.map((line) => [nameOf(line.slice(line.indexOf("\t") + 1)), line.split(/[ \t]/)[2]!] as const);
  return { conflicts: new Set(files.map(nameOf)), blobs: new Map(blobs) };
}

function blobOf(name: string, value: Json): string {
  const line = Buffer.from(lineOf(name, value));
  return createHash("sha1").update(`blob ${line.length}\0`).update(line).digest("hex");
}

async function mergedByUs({ base, ours, theirs }: History) {
  const test = new TestMaps();
  const grow = async (from: string | undefined, list: readonly (readonly Edit[])[]) => {
    let root = from;
    for (const edits of list) root = await test.root(edits, root);
    return root!;
  };
  const start = await grow(undefined, base);
  const sides = { base: start, ours: await grow(start, ours), theirs: await grow(start, theirs) };
  const result = await mergePlatforms(test.maps, sides);
  return { ...result, after: await test.content((await test.maps.edit(sides.ours, result.edits, result.fromTheirs)).root) };
}

describe.skipIf(!supported())("a merge and git merge-tree (skipped where git is older than 2.38)", () => {
  test(`agree on ${HISTORIES} generated histories: which components both sides changed, and all the others' content`, async () => {
    const histories = fc.sample(history, HISTORIES);
    await git("init", "--bare", "-q");
    execFileSync("git", ["fast-import", "--quiet", "--done"], { env: environment, input: `${stream(histories)}\ndone\n` });
    const seen = { conflicts: 0, clean: 0, merged: 0 };
    for (const [index, generated] of histories.entries()) {
      const [git, us] = await Promise.all([mergedByGit(index), mergedByUs(generated)]);
      const contested = new Set([...us.conflicts.map((conflict) => conflict.component), ...us.merged]);
      expect(contested, JSON.stringify(generated)).toEqual(git.conflicts);
      const clean = (names: Iterable<string>) => [...names].filter((name) => !contested.has(name)).sort();
      expect(clean(us.after.keys())).toEqual(clean(git.blobs.keys()));
      for (const name of clean(us.after.keys()))
        expect(blobOf(name, us.after.get(name)!), `${name} of ${JSON.stringify(generated)}`).toBe(git.blobs.get(name));
      seen.conflicts += us.conflicts.length;
      seen.merged += us.merged.length;
      seen.clean += us.fromTheirs.length;
    }
    expect(Math.min(seen.conflicts, seen.merged, seen.clean)).toBeGreaterThan(0);
  });
});
