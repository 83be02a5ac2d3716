import { join } from "node:path";
import { canonicalJson } from "../src/merkle/canonical.ts";
import type { Json, JsonObject } from "../src/ports.ts";
import type { PlatformState } from "../src/state.ts";
import Database from "../src/storage/sqlite-driver.cjs";
import { CALLER, closedSize, createWith, databasePath, type InProcess, openEngine, PROJECT } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { GitHistory, gitVersion, hasGit } from "./git.ts";
import { countRow, type Row, skippedRow } from "./measure.ts";
import { edits, type HistoricChange, history, platform } from "./platforms.ts";

const SIZE = 10_000;
const CHANGED = 10;
const VERSIONS = 200;
const AGAINST_GIT = "bytes per version, of git's pack and index after `repack -adf`";
const OF_A_COPY = "bytes per version, of a full copy";

const ABOUT =
  "Git keeps blobs, trees and commits, compressed, once everything is packed anew; ours are rows that are read and deleted one by one, with their indexes and half-empty pages, as the last commit left them.";
const NEXT = {
  met: "Half is rows, index entries and half-empty pages; the other half are hashes that changed, which nothing makes shorter.",
  missed: "Whole values are not compressed; that is the next idea.",
};

/** A history of one platform, and how much of git's room its versions may take. */
interface Case {
  /** What follows the ids of its rows. */
  readonly id: string;
  readonly name: string;
  readonly base: PlatformState;
  readonly changes: readonly HistoricChange[];
  readonly atMost: number;
}

/**
 * What a version takes in the database: once its objects, with their rows, indexes and half-empty pages, against what git keeps of the same
 * contents (blobs, trees, commits) once everything is packed anew; once everything (objects, revision, label, audit record and their indexes).
 */
export async function bytes(): Promise<Row[]> {
  const changes = Array.from({ length: VERSIONS }, (_, index) => ({
    set: Object.fromEntries(edits(SIZE, CHANGED, index + 1)),
    remove: [],
  }));
  const made = { id: "", name: `${CHANGED} of ${SIZE.toLocaleString("en")} changed`, base: platform(SIZE), changes, atMost: 1.5 };
  const real = history();
  const rows = await rowsOf(made);
  if (real === null) return [...rows, skippedRow("version-git-history", AGAINST_GIT, "browser-compat history: the data file is not here")];
  return [...rows, ...(await rowsOf({ id: "-history", name: "browser-compat history", ...real, atMost: 2.5 }))];
}

async function rowsOf(one: Case): Promise<Row[]> {
  const { objects, all } = await growth(one);
  const full = Buffer.byteLength(canonicalJson(one.base as Json));
  return [
    await againstGit(one, objects),
    countRow({
      id: `version-bytes${one.id}`,
      work: OF_A_COPY,
      subject: `${one.name}, everything: ${kib(all)}`,
      baseline: `canonical JSON ${kib(full)}`,
      values: [(100 * all) / full],
      unit: "%",
      goal: { atMost: 1 },
    }),
  ];
}

async function againstGit(one: Case, objects: number): Promise<Row> {
  const id = `version-git${one.id}`;
  if (!hasGit()) return skippedRow(id, AGAINST_GIT, "git is not installed");
  const git = await gitGrowth(one);
  return countRow({
    id,
    work: AGAINST_GIT,
    subject: `${one.name}, objects: ${kib(objects)}`,
    baseline: `git ${gitVersion()} ${kib(git)}`,
    values: [objects / git],
    unit: "×",
    goal: { atMost: one.atMost },
    about: ABOUT,
    next: NEXT,
  });
}

function kib(bytes: number): string {
  return `${(bytes / 1_024).toLocaleString("en", { maximumFractionDigits: 2 })} KiB`;
}

interface Growth {
  readonly objects: number;
  readonly all: number;
}

/** Per version. */
async function growth({ base, changes }: Case): Promise<Growth> {
  return withFolder(async (folder) => {
    const first = await openEngine(folder);
    await createWith(first.domain, "dev", base);
    const before = { all: await closedSize(first, folder), objects: objectPages(folder) };
    const engine = await openEngine(folder);
    for (const change of changes) await applyChange(engine, change);
    const after = { all: await closedSize(engine, folder), objects: objectPages(folder) };
    return { objects: (after.objects - before.objects) / changes.length, all: (after.all - before.all) / changes.length };
  });
}

/** Bytes of all pages of the table of objects and of its indexes. */
function objectPages(folder: string): number {
  const db = new Database(databasePath(folder), { readonly: true });
  const names = db.prepare("SELECT name FROM sqlite_schema WHERE tbl_name = 'object'").pluck().all() as string[];
  const pages = db.prepare("SELECT sum(pgsize) FROM dbstat WHERE name = ?").pluck();
  const sum = names.reduce((bytes, name) => bytes + Number(pages.get(name) ?? 0), 0);
  db.close();
  return sum;
}

async function applyChange({ domain }: InProcess, { set, remove }: HistoricChange): Promise<void> {
  await domain.state.patch(CALLER, { project: PROJECT, env: "dev", ifMatch: null, set, remove });
}

/** Per version. */
async function gitGrowth({ base, changes }: Case): Promise<number> {
  return withFolder(async (folder) => {
    const git = new GitHistory(join(folder, "git"), "packed");
    await git.commit(filesOf(base));
    const before = git.packedBytes();
    await git.commitAll(changes.map(({ set, remove }) => ({ files: Object.entries(set) as [string, JsonObject][], removed: remove })));
    return (git.packedBytes() - before) / changes.length;
  });
}

function* filesOf(state: PlatformState): Generator<readonly [string, JsonObject]> {
  for (const [collection, components] of Object.entries(state)) {
    for (const [name, value] of Object.entries(components)) yield [`${collection}/${name}`, value as JsonObject];
  }
}
