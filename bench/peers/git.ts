import { join } from "node:path";
import { CHANGED, expectChanges, SIZE, twoVersions, WORK } from "../diffs.ts";
import { CALLER, PROJECT } from "../engine.ts";
import { withFolder } from "../folders.ts";
import { GitHistory, gitVersion, hasGit } from "../git.ts";
import { alternate, inTurn, ms, type Row, ratioRow, skippedRow, timed, timedEach, timesFaster } from "../measure.ts";
import { edits } from "../platforms.ts";

const TURNS = 7;
const COMMITS_A_TURN = 4;
const PATCHES_A_TURN = 20;
const WARM_UP = 200;

/** The same states and changes in a bare repository: a commit, a diff of two commits, a branch. */
export async function git(): Promise<Row[]> {
  if (!hasGit()) return [skippedRow("git", "commit, diff and branch", "git is not installed")];
  return twoVersions(({ engine, cold }) =>
    withFolder(async (folder) => {
      const repository = new GitHistory(join(folder, "repository"), "packed");
      await repository.commit(edits(SIZE, SIZE, 0));
      await repository.commit(edits(SIZE, CHANGED, 1));
      let edition = 1;
      const next = (length: number) => Array.from({ length }, () => edits(SIZE, CHANGED, ++edition));
      const patch = async (set: ReturnType<typeof edits>) => {
        await engine.domain.state.patch(CALLER, { project: PROJECT, env: "dev", ifMatch: null, set: Object.fromEntries(set) });
      };
      await timed(WARM_UP, cold);
      return inTurn({
        "git-diff": () => diff(repository, cold),
        "git-branch": () => branch(repository, (env) => engine.domain.creation.create(CALLER, { project: PROJECT, env, base: "dev" })),
        "git-commit": async () => {
          await timedEach(next(WARM_UP), patch);
          const pairs = await alternate(
            TURNS,
            () => timedEach(next(PATCHES_A_TURN), patch),
            () => timedEach(next(COMMITS_A_TURN), (change) => repository.commit(change)),
          );
          return ratioRow({
            ...common(
              "git-commit",
              `${CHANGED} of ${SIZE.toLocaleString("en")} components changed, durable`,
              "fast-import, one process for each",
            ),
            subject: "state patch",
            pairs,
            about:
              "git commits without an index or a working tree, into a pack, and syncs it. Ours also checks the change, gives it a version and writes an audit record.",
          });
        },
      });
    }),
  );
}

function common(id: string, work: string, command: string) {
  return { id, work, baseline: `git ${gitVersion()} ${command}`, unit: ms, ratio: timesFaster, goal: null };
}

async function diff(repository: GitHistory, cold: () => Promise<void>): Promise<Row> {
  const session = repository.diffs();
  const [before, after] = [session.tree("main~1"), session.tree("main")];
  const pairs = await alternate(
    TURNS,
    () => timed(30, cold),
    () => timed(30, async () => expectChanges(await session.compare(before, after))),
  );
  await session.end();
  return ratioRow({
    ...common("git-diff", WORK, "diff-tree, kept running"),
    subject: "diff, nothing cached",
    pairs,
    about:
      "Both name what changed by its hashes, and read trees from disk that the system has in memory. git's process keeps running, and keeps what it has read; ours begins with empty caches each time.",
  });
}

async function branch(repository: GitHistory, create: (env: string) => Promise<unknown>): Promise<Row> {
  let n = 0;
  const pairs = await alternate(
    TURNS,
    () => timed(10, () => create(`branch-${n++}`)),
    () => timed(5, () => repository.branch(`branch-${n++}`)),
  );
  return ratioRow({
    ...common("git-branch", `branched from a state of ${SIZE.toLocaleString("en")} components, durable`, "branch, one process for each"),
    subject: "environment created",
    pairs,
    about:
      "git writes one reference and syncs it. Ours also copies the base's variables, links its version and writes an audit record. A good part of git's time is the start of its process.",
  });
}
