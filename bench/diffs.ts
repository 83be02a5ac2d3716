import jsonPatch from "fast-json-patch";
import { keys } from "../src/keys.ts";
import type { Revision } from "../src/model.ts";
import type { Hash } from "../src/ports.ts";
import { Snapshots } from "../src/snapshots.ts";
import { CALLER, createWith, type InProcess, openEngine, PROJECT, patchState, textOf } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { alternate, type Goal, inTurn, ms, type Row, ratioRow, timed, timesFaster } from "./measure.ts";
import { edits, platform } from "./platforms.ts";

export const SIZE = 10_000;
export const CHANGED = 10;
export const WORK = `diff of two versions of ${SIZE.toLocaleString("en")} components, ${CHANGED} changed`;
const TURNS = 9;
/** What is measured is code that is compiled; `fast-json-patch` is so after one state. */
const WARM_UP = 500;

const NEXT = {
  "diff-warm": {
    met: "The path to each change is walked in two trees that are in memory; only fewer changes are faster.",
    missed: "The nodes are in memory; what is left is walking them.",
  },
  "diff-cold": {
    met: "A node is read for each level above a change, on either side; nodes twice as wide would be fewer, and longer to decode.",
    missed: "Half of it is reading the nodes by their hashes out of SQLite, a sixth is hashing them; fewer nodes would be the next idea.",
  },
  comparison: { met: "", missed: "" },
};

/**
 * Two versions compared against `fast-json-patch` on the two states in memory. The states are deep copies of one another, as two
 * states that were loaded are: where they share objects, `fast-json-patch` skips what is the same object, and nothing is compared.
 *
 * A diff names what changed, by key and by the hashes of both values; beside it the whole comparison that the API gives, with the
 * values of both sides, from two names of versions.
 */
export async function diffs(): Promise<Row[]> {
  return twoVersions(async ({ engine, before, after, warm, cold }) => {
    const baseline = () => timed(3, () => expectChanges(jsonPatch.compare(before, after).length));
    return inTurn({
      "diff-warm": () => row("diff-warm", "diff, cached", { atLeast: 500 }, 300, warm),
      "diff-cold": () => row("diff-cold", "diff, nothing cached", { atLeast: 50 }, 30, cold),
      comparison: () =>
        row("comparison", "comparison with values, cached", null, 100, async () => {
          const { pieces } = await engine.domain.comparison.compare(CALLER, PROJECT, "dev@2", "dev@3", { bodies: true });
          expectChanges((await textOf(pieces())).split('{"name":').length - 1);
        }),
    });

    async function row(
      id: keyof typeof NEXT,
      subject: string,
      goal: Goal | null,
      times: number,
      compare: () => Promise<void>,
    ): Promise<Row> {
      await timed(WARM_UP, compare);
      const pairs = await alternate(TURNS, () => timed(times, compare), baseline);
      return ratioRow({
        id,
        work: WORK,
        subject,
        baseline: "fast-json-patch",
        pairs,
        unit: ms,
        ratio: timesFaster,
        goal,
        about: "fast-json-patch has both states in memory, as deep copies, and answers with operations and their values.",
        next: NEXT[id],
      });
    }
  });
}

interface TwoVersions {
  readonly engine: InProcess;
  /** Both states whole, without a single object that is in both. */
  readonly before: object;
  readonly after: object;
  /** Our diff of the two, with what it reads in memory, and with nothing there. */
  readonly warm: () => Promise<void>;
  readonly cold: () => Promise<void>;
}

/** Runs `work` with two versions of a platform. */
export async function twoVersions<Result>(work: (versions: TwoVersions) => Promise<Result>): Promise<Result> {
  return withFolder(async (folder) => {
    const engine = await openEngine(folder);
    await createWith(engine.domain, "dev", platform(SIZE));
    await patchState(engine.domain, "dev", edits(SIZE, CHANGED, 1));
    const [left, right] = [await rootAt(engine, 2), await rootAt(engine, 3)];
    const kept = new Snapshots(engine.store).read(PROJECT);
    const warm = async () => expectChanges((await kept.diff(left, right)).length);
    const cold = async () => expectChanges((await new Snapshots(engine.store).read(PROJECT).diff(left, right)).length);
    const result = await work({ engine, before: await stateAt(engine, 2), after: await stateAt(engine, 3), warm, cold });
    await engine.close();
    return result;
  });
}

export function expectChanges(found: number): void {
  if (found !== CHANGED) throw new Error(`${found} differences where ${CHANGED} were made`);
}

async function stateAt({ domain }: InProcess, at: number): Promise<object> {
  const read = await domain.state.read(PROJECT, "dev", { at });
  let text = "";
  for await (const piece of read.pieces()) text += piece;
  return (JSON.parse(text) as { state: object }).state;
}

/** The platform's root at a revision: what the API does not show. */
async function rootAt({ store }: InProcess, revision: number): Promise<Hash> {
  const [found] = await store.get(PROJECT, [keys.revision("dev", revision)]);
  if (!found) throw new Error(`there is no revision ${revision}`);
  return (found.value as unknown as Revision).platform;
}
