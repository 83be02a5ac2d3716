import { join } from "node:path";
import { canonicalJson } from "../src/merkle/canonical.ts";
import type { Json } from "../src/ports.ts";
import type { PlatformState } from "../src/state.ts";
import { CALLER, closedSize, createWith, type InProcess, openEngine, PROJECT, patchState } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { GitHistory } from "./git.ts";
import { alternate, countRow, ms, type Pair, type Row, ratioRow, skippedRow, timed, timesFaster } from "./measure.ts";
import { edits, type HistoricChange, history, platform } from "./platforms.ts";

const SIZE = 10_000;
const CHANGED = 10;
const WORK = `${CHANGED} of ${SIZE.toLocaleString("en")} components changed, durable`;
const TURNS = 9;
const COMMITS_A_TURN = 4;
const COUNTED = 40;

/**
 * A change of a large platform state against the same change of the same files as a git commit; its size, and what it loads.
 *
 * The subject is `domain.state.patch` on an SQLite file: with checks, label, revision, audit record and fsync. The baseline is
 * `git fast-import` with `core.fsync=all`, which makes a commit without an index or a working tree to look at: the fastest
 * that git offers. As a tool runs it, that is one process for each commit; a process that is kept running is shown beside it.
 */
export async function stateWrites(): Promise<Row[]> {
  return [...(await againstGit()), ...(await counts()), ...(await bytes())];
}

async function againstGit(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await openEngine(folder);
    const git = new GitHistory(join(folder, "git"));
    await createWith(engine.domain, "dev", platform(SIZE));
    await git.commit(edits(SIZE, SIZE, 0));
    let edition = 0;
    const subject = () => timed(COMMITS_A_TURN, () => patchState(engine.domain, "dev", edits(SIZE, CHANGED, ++edition)));
    const compare = async (commit: (files: ReturnType<typeof edits>) => Promise<void>): Promise<Pair[]> =>
      alternate(TURNS, subject, () => timed(COMMITS_A_TURN, () => commit(edits(SIZE, CHANGED, ++edition))));
    const single = await compare((files) => git.commit(files));
    const session = git.session();
    const running = await compare((files) => session.commit(files));
    await session.end();
    await engine.close();
    const row = (baseline: string, pairs: readonly Pair[], goal: number | null) =>
      ratioRow({
        work: WORK,
        subject: "state patch",
        baseline,
        pairs,
        unit: ms,
        ratio: timesFaster,
        goal: goal === null ? null : { atLeast: goal },
      });
    return [row("git fast-import, a process each", single, 20), row("git fast-import, kept running", running, null)];
  });
}

async function counts(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await openEngine(folder);
    await createWith(engine.domain, "dev", platform(SIZE));
    const written: number[] = [];
    const loaded: number[] = [];
    for (let edition = 1; edition <= COUNTED; edition++) {
      const domain = engine.cold();
      engine.store.reset();
      await patchState(domain, "dev", edits(SIZE, CHANGED, edition));
      written.push(engine.store.counts.objectsWritten);
      loaded.push(engine.store.counts.objectsRead);
    }
    await engine.close();
    return [
      countRow({ work: WORK, subject: "objects written", values: written, unit: "objects", goal: { atMost: 30 } }),
      countRow({ work: WORK, subject: "nodes loaded, nothing cached", values: loaded, unit: "nodes", goal: { atMost: 35 } }),
    ];
  });
}

/** What the database file grows by, everything included: objects, revisions, labels, audit records, indexes. */
async function bytes(): Promise<Row[]> {
  const made = await growth(platform(SIZE), 100, (edition) => ({ set: Object.fromEntries(edits(SIZE, CHANGED, edition)), remove: [] }));
  const work = "bytes per version, of a full copy";
  const rows = [bytesRow(work, `${CHANGED} of ${SIZE.toLocaleString("en")} changed`, made)];
  const real = history();
  if (real === null) return [...rows, skippedRow(work, "browser-compat history: the data file is not here")];
  const { base, changes } = real;
  const seen = await growth(base, changes.length, (edition) => changes[edition - 1] ?? { set: {}, remove: [] });
  return [...rows, bytesRow(work, "browser-compat history", seen)];
}

interface Growth {
  readonly full: number;
  readonly perVersion: number;
}

function bytesRow(work: string, subject: string, { full, perVersion }: Growth): Row {
  return countRow({
    work,
    subject: `${subject}: ${Math.round(perVersion / 102.4) / 10} KiB`,
    baseline: `canonical JSON ${Math.round(full / 1024).toLocaleString("en")} KiB`,
    values: [(100 * perVersion) / full],
    unit: "%",
    goal: { atMost: 1 },
  });
}

async function growth(state: PlatformState, versions: number, change: (edition: number) => HistoricChange): Promise<Growth> {
  return withFolder(async (folder) => {
    const first = await openEngine(folder);
    await createWith(first.domain, "dev", state);
    const before = await closedSize(first, folder);
    const engine = await openEngine(folder);
    for (let edition = 1; edition <= versions; edition++) await applyChange(engine, change(edition));
    const after = await closedSize(engine, folder);
    return { full: Buffer.byteLength(canonicalJson(state as Json)), perVersion: (after - before) / versions };
  });
}

async function applyChange({ domain }: InProcess, { set, remove }: HistoricChange): Promise<void> {
  await domain.state.patch(CALLER, { project: PROJECT, env: "dev", ifMatch: null, set, remove });
}
