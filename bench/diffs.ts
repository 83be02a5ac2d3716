import jsonPatch from "fast-json-patch";
import { keys } from "../src/keys.ts";
import type { Revision } from "../src/model.ts";
import type { Hash } from "../src/ports.ts";
import { Snapshots } from "../src/snapshots.ts";
import { CALLER, createWith, type InProcess, openEngine, PROJECT, patchState } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { alternate, type Goal, ms, type Row, ratioRow, timed, timesFaster } from "./measure.ts";
import { edits, platform } from "./platforms.ts";

const SIZE = 10_000;
const CHANGED = 10;
const WORK = `diff of two versions of ${SIZE.toLocaleString("en")} components, ${CHANGED} changed`;
const TURNS = 9;
/** What is measured is code that is compiled; `fast-json-patch` is so after one state. */
const WARM_UP = 500;

/**
 * Two versions compared against `fast-json-patch` on the two states in memory. The states are deep copies of one another, as two
 * states that were loaded are: where they share objects, `fast-json-patch` skips what is the same object, and nothing is compared.
 *
 * A diff names what changed, by key and by the hashes of both values; beside it the whole comparison that the API gives, with the
 * values of both sides, from two names of versions.
 */
export async function diffs(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await openEngine(folder);
    await createWith(engine.domain, "dev", platform(SIZE));
    await patchState(engine.domain, "dev", edits(SIZE, CHANGED, 1));
    const [before, after] = [await stateAt(engine, 2), await stateAt(engine, 3)];
    const [left, right] = [await rootAt(engine, 2), await rootAt(engine, 3)];

    const baseline = () => timed(3, () => expectChanges(jsonPatch.compare(before, after).length));
    const warm = new Snapshots(engine.store).read(PROJECT);
    const rows = [
      await row("diff, cached", { atLeast: 500 }, 300, async () => expectChanges((await warm.diff(left, right)).length)),
      await row("diff, nothing cached", { atLeast: 50 }, 30, async () => {
        const cold = new Snapshots(engine.store).read(PROJECT);
        expectChanges((await cold.diff(left, right)).length);
      }),
      await row("comparison with values, cached", null, 100, async () => {
        const { components } = await engine.domain.comparison.compare(CALLER, PROJECT, "dev@2", "dev@3", { bodies: true });
        expectChanges(components.different.length);
      }),
    ];
    await engine.close();
    return rows;

    async function row(subject: string, goal: Goal | null, times: number, compare: () => Promise<void>): Promise<Row> {
      await timed(WARM_UP, compare);
      const pairs = await alternate(TURNS, () => timed(times, compare), baseline);
      return ratioRow({ work: WORK, subject, baseline: "fast-json-patch", pairs, unit: ms, ratio: timesFaster, goal });
    }
  });
}

function expectChanges(found: number): void {
  if (found !== CHANGED) throw new Error(`${found} differences where ${CHANGED} were made`);
}

async function stateAt({ domain }: InProcess, at: number): Promise<object> {
  const read = await domain.state.read(PROJECT, "dev", { at });
  return structuredClone((await read.load()) as { state: object }).state;
}

/** The platform's root at a revision: what the API does not show. */
async function rootAt({ store }: InProcess, revision: number): Promise<Hash> {
  const [found] = await store.get(PROJECT, [keys.revision("dev", revision)]);
  if (!found) throw new Error(`there is no revision ${revision}`);
  return (found.value as unknown as Revision).platform;
}
