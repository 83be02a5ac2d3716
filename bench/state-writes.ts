import { join } from "node:path";
import { createWith, openEngine, patchState } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { GitHistory, type GitStorage } from "./git.ts";
import { alternate, countRow, type Goal, inTurn, ms, type Pair, type Row, ratioRow, timedEach, timesFaster } from "./measure.ts";
import { edits, platform } from "./platforms.ts";

const SIZE = 10_000;
const CHANGED = 10;
const WORK = `${CHANGED} of ${SIZE.toLocaleString("en")} components changed, durable`;
const TURNS = 9;
const PATCHES_A_TURN = 20;
const COMMITS_A_TURN = 4;
/** An engine runs for weeks: what is measured is code that is compiled. */
const WARM_UP = 300;
const COUNTED = 40;

type Changes = ReturnType<typeof edits>;

const ABOUT =
  "Git's commit has neither an index nor a working tree to look at and syncs what it writes, with a process of its own as tools run it. Ours also checks the change, gives it a version, and writes its audit record.";
const NEXT = {
  met: "Half of a patch is the engine's thread, which weaves and encodes the paths to ten changes, the other half the one that writes SQLite.",
  missed:
    "Two threads work one after the other, and hardly wait for the disk. Some 57 pages go into SQLite's log for a change, 40 of them of the two indexes of objects, whose entries lie anywhere: to write them in batches, out of a log, was tried, and gained nothing that could be measured; without the index of what stands upon what a change took a twentieth less.",
};
const PATHS = {
  met: "One object for each changed value and for each node above one; wider nodes would be fewer and larger.",
  missed: "Each change has its own path; wider nodes would make paths shorter.",
};

/**
 * A change of a large platform state against the same change of the same files as a git commit; its size, and what it loads.
 *
 * The subject is `domain.state.patch` on an SQLite file: checks, label, revision, audit record and fsync included. The baseline is
 * `git fast-import` with `core.fsync=all`: a durable commit with neither an index nor a working tree to look at, the least work that git
 * has a command for. The goal is about git as it comes, one process for each commit, which is how a tool runs it. Below it stand two
 * ways to make git faster: keeping each commit as a pack, and a process that is kept running and told to `checkpoint`.
 */
export async function stateWrites(): Promise<Row[]> {
  return inTurn({ "change-git": againstGit, "change-objects": counts });
}

async function againstGit(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await openEngine(folder);
    await createWith(engine.domain, "dev", platform(SIZE));
    const loose = await gitWith(join(folder, "loose"), "as git comes");
    const packed = await gitWith(join(folder, "packed"), "packed");
    let edition = 0;
    const next = (length: number) => Array.from({ length }, () => edits(SIZE, CHANGED, ++edition));
    const patch = (change: Changes) => patchState(engine.domain, "dev", change);
    const subject = () => timedEach(next(PATCHES_A_TURN), patch);
    const side = (commit: (change: Changes) => Promise<void>) => () => timedEach(next(COMMITS_A_TURN), commit);
    await timedEach(next(WARM_UP), patch);
    const row = (id: string, baseline: string, goal: Goal | null, pairs: readonly Pair[]) =>
      ratioRow({ id, work: WORK, subject: "state patch", baseline, pairs, unit: ms, ratio: timesFaster, goal, about: ABOUT, next: NEXT });
    const asItComes = await alternate(
      TURNS,
      subject,
      side((change) => loose.commit(change)),
    );
    const packing = await alternate(
      TURNS,
      subject,
      side((change) => packed.commit(change)),
    );
    const session = packed.session();
    const running = await alternate(
      TURNS,
      subject,
      side((change) => session.commit(change)),
    );
    await session.end();
    await engine.close();
    return [
      row("change-git", "git fast-import", { atLeast: 20 }, asItComes),
      row("change-git-packed", "git fast-import, packed", null, packing),
      row("change-git-running", "git fast-import, packed, kept running", null, running),
    ];
  });
}

async function gitWith(folder: string, storage: GitStorage): Promise<GitHistory> {
  const git = new GitHistory(folder, storage);
  await git.commit(edits(SIZE, SIZE, 0));
  return git;
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
      countRow({
        id: "change-objects",
        work: WORK,
        subject: "objects written",
        values: written,
        unit: "objects",
        goal: { atMost: 30 },
        next: PATHS,
      }),
      countRow({
        id: "change-loads",
        work: WORK,
        subject: "nodes loaded, nothing cached",
        values: loaded,
        unit: "nodes",
        goal: { atMost: 35 },
        next: PATHS,
      }),
    ];
  });
}
