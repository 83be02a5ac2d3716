import { join } from "node:path";
import type { Counts } from "../counting-store.ts";
import { withFolder } from "../folders.ts";
import { alternate, failedRow, median, type Point, type Row, significant, timesAsMuch } from "../measure.ts";
import { type Dimension, Grown, type Operation } from "./grown.ts";

const TURNS = 31;
/** Documents, and questions, that the largest size may need more: a page that is full where a small one was not. */
const MORE = 3;
/** Milliseconds at the largest size as a multiple of the smallest: databases are a level deeper, and their pages no longer all in memory. */
const AT_MOST = 2;
/** Below this, what is timed is a fraction of what the machine does between two turns. */
const NOISE_MS = 0.05;

interface CurveOptions {
  readonly sizes: readonly number[];
  /** Whether it takes times too, beside counts. */
  readonly timed: boolean;
  /** How long it may grow: what does not get there is told as failed. */
  readonly growMs: number;
}

/** What each operation costs for each size, the smallest one beside it in the same minute, since a machine is not equally fast all the time. */
export async function curvesOf(dimension: Dimension, { sizes, timed, growMs }: CurveOptions): Promise<Row[]> {
  return withFolder(async (folder) => {
    const [small, large] = [new Grown(dimension, join(folder, "small")), new Grown(dimension, join(folder, "large"))];
    const points = new Map<Operation, Point[]>(dimension.operations.map((operation) => [operation, []]));
    const starts: Point[] = [];
    let growing = 0;
    let reached = true;
    await small.grow(sizes[0] ?? 0, () => false);
    for (const n of sizes) {
      const begin = performance.now();
      reached = await large.grow(n, () => growing + performance.now() - begin > growMs);
      growing += performance.now() - begin;
      if (!reached) break;
      console.error(`  ${dimension.over}: ${n.toLocaleString("en")} after ${(growing / 1_000).toFixed(1)} s`);
      for (const [operation, found] of points) found.push(await pointOf(operation, small, large, timed));
      starts.push(await startOf(small, large, timed));
    }
    await Promise.all([small.close(), large.close()]);
    const rows = [...points].map(([operation, found]) => rowOf(dimension.over, operation, found, timed));
    rows.push(rowOf(dimension.over, { id: "start", what: "the store opened, and a first question" }, starts, timed));
    const id = `${dimension.over}-growth`;
    return reached
      ? rows
      : [...rows, failedRow(id, id, `there were ${large.size} ${dimension.over} after ${Math.round(growing / 1_000)} s`)];
  });
}

let nth = 0;

async function pointOf(operation: Operation, small: Grown, large: Grown, timed: boolean): Promise<Point> {
  const counts = await countsOf(operation, large);
  const once = (grown: Grown) => async () => {
    const engine = await grown.engine();
    const at = { n: grown.size, nth: nth++, engine };
    await operation.prepare?.(at);
    const start = performance.now();
    await operation.run(engine.domain, at);
    return performance.now() - start;
  };
  if (!timed) return { n: large.size, ms: 0, smallestMs: 0, counts };
  // What is measured is code that is compiled, with what it reads in memory.
  for (let i = 0; i < TURNS; i++) await once(large)();
  const pairs = await alternate(TURNS, once(large), once(small));
  return { n: large.size, ms: median(pairs.map((pair) => pair.subject)), smallestMs: median(pairs.map((pair) => pair.baseline)), counts };
}

/** With empty caches, so that nothing is hidden. */
async function countsOf({ prepare, run }: Operation, grown: Grown): Promise<Counted> {
  const engine = await grown.engine();
  const once = async (): Promise<Counted> => {
    const at = { n: grown.size, nth: nth++, engine };
    await prepare?.(at);
    const domain = engine.cold();
    engine.store.reset();
    await run(domain, at);
    return counted(engine.store.counts);
  };
  // The first time leaves something behind for the others, such as a document that was not there.
  await once();
  return once();
}

type Counted = Readonly<Record<"reads" | "documents" | "objects" | "written" | "commits", number>>;

function counted({ reads, documentsRead, objectsRead, objectsWritten, commits }: Counts): Counted {
  return { reads, documents: documentsRead, objects: objectsRead, written: objectsWritten, commits };
}

async function startOf(small: Grown, large: Grown, timed: boolean): Promise<Point> {
  const once = (grown: Grown) => async () => {
    await grown.close();
    const start = performance.now();
    const engine = await grown.engine();
    await engine.domain.timers.isDue();
    return performance.now() - start;
  };
  await once(large)();
  const counts = counted((await large.engine()).store.counts);
  if (!timed) return { n: large.size, ms: 0, smallestMs: 0, counts };
  const pairs = await alternate(TURNS, once(large), once(small));
  return { n: large.size, ms: median(pairs.map((pair) => pair.subject)), smallestMs: median(pairs.map((pair) => pair.baseline)), counts };
}

function rowOf(
  over: string,
  operation: Pick<Operation, "id" | "what" | "objectsPerLevel" | "documentsMore" | "atMost">,
  points: readonly Point[],
  timed: boolean,
): Row {
  const { id, what, objectsPerLevel = 0, documentsMore = MORE, atMost = AT_MOST } = operation;
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return failedRow(`${over}-${id}`, what, `there were never enough ${over}`);
  const growth = last.counts as Counted;
  const levels = Math.log10(last.n / first.n);
  const flat = (name: keyof Counted, more: number) => growth[name] <= (first.counts as Counted)[name] + more;
  const objects = Math.ceil(objectsPerLevel * levels);
  const isFlat =
    flat("reads", MORE + objects) &&
    flat("documents", documentsMore) &&
    flat("objects", objects) &&
    flat("written", objects) &&
    flat("commits", documentsMore > MORE ? MORE : 0);
  const ratio = timesAsMuch([{ subject: last.ms, baseline: last.smallestMs }])[0] ?? Number.NaN;
  const isQuick = !timed || last.ms < NOISE_MS || ratio <= atMost;
  const each = (name: keyof Counted) => points.map(({ counts }) => (counts as Counted)[name]).join(", ");
  return {
    id: `${over}-${id}`,
    work: `${what}, ${points.map(({ n }) => n.toLocaleString("en")).join(" / ")} ${over}`,
    subject: `documents ${each("documents")}; objects ${each("objects")}`,
    baseline: `written ${each("written")}; commits ${each("commits")}`,
    figure: timed ? `${significant(ratio)}× the time (${significant(last.ms)} ms)` : "counted",
    goal: `flat; ≤ ${atMost}×`,
    met: isFlat && isQuick,
    runs: points.map((point) => point.ms),
    sides: null,
    about: null,
    next: isFlat ? null : "It asks the store for more where there is more.",
    latency: [],
    curve: { over, points },
  };
}
