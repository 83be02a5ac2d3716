/** What every row is measured with: alternating runs, medians, and goals that a figure meets or not. */

/** A bound on a figure, from the project's goals. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the table. */
export interface Row {
  /** What the documents call it by: it stays the same when the words change. */
  readonly id: string;
  readonly work: string;
  readonly subject: string;
  readonly baseline: string;
  /** The figure that the goal is about, with its spread. */
  readonly figure: string;
  readonly goal: string;
  /** `null` where there is no goal, or where the figure could not be taken. */
  readonly met: boolean | null;
  /** The single runs behind the figure. */
  readonly runs: readonly number[];
  /** The medians of both sides, as milliseconds for one, for charts; `null` where there is no such thing. */
  readonly sides: Sides | null;
  /** What is compared, and what either side does more or less than the other. */
  readonly about: string | null;
  /** Of a goal that is met, what would have to change for twice as good; of one that is not, what holds it and the next idea. */
  readonly next: string | null;
  /** How long single requests took on either side. */
  readonly latency: readonly Latency[];
  /** What the work costs for each size of what it works on; `null` where it has one size. */
  readonly curve: Curve | null;
}

export interface Curve {
  /** What there is so many of: `versions`. */
  readonly over: string;
  readonly points: readonly Point[];
}

export interface Point {
  readonly n: number;
  /** The median, and what the same work took at the smallest size in the same minute. */
  readonly ms: number;
  readonly smallestMs: number;
  /** What was asked of the store, with nothing cached. */
  readonly counts: Readonly<Record<string, number>>;
}

interface Sides {
  readonly subject: number;
  readonly baseline: number;
}

/** Milliseconds below which so many of a hundred stay. */
export interface Latency {
  readonly of: string;
  readonly percentiles: Readonly<Record<string, number>>;
}

/** What a row says beside its figure. */
interface Words {
  readonly about?: string;
  /** One text for each end: which one the row shows is decided by the figure. */
  readonly next?: { readonly met: string; readonly missed: string };
  readonly latency?: readonly Latency[];
}

export interface Pair {
  readonly subject: number;
  readonly baseline: number;
}

/**
 * Takes subject and baseline in turns, so that whatever else the machine does falls on both. Each function runs once and answers
 * what it measured. The first turn warms up and is not counted.
 */
export async function alternate(turns: number, subject: () => Promise<number>, baseline: () => Promise<number>): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let turn = 0; turn <= turns; turn++) {
    // Who goes second runs on a machine that the first has just used: they change places.
    const first = turn % 2 === 0 ? await subject() : Number.NaN;
    const base = await baseline();
    pairs.push({ subject: turn % 2 === 0 ? first : await subject(), baseline: base });
  }
  return pairs.slice(1);
}

/** Milliseconds that `work` takes, as the mean of so many times in a row. */
export async function timed(times: number, work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < times; i++) await work();
  return (performance.now() - start) / times;
}

/** Milliseconds that `work` takes for one item, as the mean over all, one after another. */
export function timedEach<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<number> {
  let next = 0;
  return timed(items.length, () => work(items[next++] as Item));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** How many times less the subject takes than the baseline. */
export function timesFaster(pairs: readonly Pair[]): number[] {
  return pairs.map(({ subject, baseline }) => baseline / subject);
}

/** What the subject takes, as a multiple of the baseline. */
export function timesAsMuch(pairs: readonly Pair[]): number[] {
  return pairs.map(({ subject, baseline }) => subject / baseline);
}

interface Compared extends Words {
  readonly id: string;
  readonly work: string;
  readonly subject: string;
  readonly baseline: string;
  readonly pairs: readonly Pair[];
  /** Writes one side's median, for example as milliseconds. */
  readonly unit: (value: number) => string;
  /** `timesFaster` or `timesAsMuch`. */
  readonly ratio: (pairs: readonly Pair[]) => number[];
  readonly goal: Goal | null;
}

/** A row about a ratio: its median decides, its extremes are shown. */
export function ratioRow({ id, work, subject, baseline, pairs, unit, ratio, goal, ...words }: Compared): Row {
  const runs = ratio(pairs);
  const sides = { subject: median(pairs.map((pair) => pair.subject)), baseline: median(pairs.map((pair) => pair.baseline)) };
  const met = goal === null ? null : meets(median(runs), goal);
  return {
    id,
    work,
    subject: `${subject} ${unit(sides.subject)}`,
    baseline: `${baseline} ${unit(sides.baseline)}`,
    figure: spread(runs, "×"),
    goal: describe(goal, "×"),
    met,
    runs,
    sides,
    curve: null,
    ...said(words, met),
  };
}

function said({ about, next, latency = [] }: Words, met: boolean | null): Pick<Row, "about" | "next" | "latency"> {
  return { about: about ?? null, next: next === undefined || met === null ? null : met ? next.met : next.missed, latency };
}

interface Counted extends Words {
  readonly id: string;
  readonly work: string;
  readonly subject: string;
  readonly baseline?: string;
  readonly values: readonly number[];
  readonly unit: string;
  readonly goal: Goal | null;
  /** Judges by the worst value instead of the median. */
  readonly worst?: boolean;
}

/** A row about a number that has no baseline, or whose baseline is part of its words. */
export function countRow({ id, work, subject, baseline = "–", values, unit, goal, worst = false, ...words }: Counted): Row {
  const judged = worst ? (goal !== null && "atLeast" in goal ? Math.min(...values) : Math.max(...values)) : median(values);
  const met = goal === null ? null : meets(judged, goal);
  return {
    id,
    work,
    subject,
    baseline,
    figure: spread(values, unit),
    goal: describe(goal, unit),
    met,
    runs: values,
    sides: null,
    curve: null,
    ...said(words, met),
  };
}

/** A row that could not be measured here, and why. */
export function skippedRow(id: string, work: string, why: string): Row {
  return { ...NOTHING, id, work, subject: why, figure: "skipped" };
}

/** A row whose measurement broke: it is told, and the others go on. */
export function failedRow(id: string, work: string, error: unknown): Row {
  return { ...NOTHING, id, work, subject: oneLine(error), figure: "failed", met: false };
}

const NOTHING = { baseline: "–", goal: "–", met: null, runs: [], sides: null, about: null, next: null, latency: [], curve: null };
const LINE = 200;

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/[\s|]+/g, " ").slice(0, LINE);
}

/** Several measurements one after another: one that breaks is a row that says so. */
export async function inTurn(parts: Readonly<Record<string, () => Promise<Row | readonly Row[]>>>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [id, measure] of Object.entries(parts)) {
    try {
      rows.push(...[await measure()].flat());
    } catch (error) {
      rows.push(failedRow(id, id, error));
    }
  }
  return rows;
}

/** The shape of a distribution: what a chart of it is drawn through. */
const PERCENTILES = [1, 5, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9];

/** `values` in milliseconds, one for each request. */
export function latencyOf(of: string, values: readonly number[]): Latency {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (percent: number) => sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
  return { of, percentiles: Object.fromEntries(PERCENTILES.map((percent) => [String(percent), at(percent)])) };
}

export function ms(value: number): string {
  return value < 1 ? `${significant(value * 1_000)} µs` : `${significant(value)} ms`;
}

export function perSecond(msEach: number): string {
  return `${Math.round(1_000 / msEach).toLocaleString("en")}/s`;
}

function meets(value: number, goal: Goal): boolean {
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
}

function describe(goal: Goal | null, unit: string): string {
  if (goal === null) return "–";
  const [sign, bound] = "atLeast" in goal ? ["≥", goal.atLeast] : ["≤", goal.atMost];
  return `${sign} ${significant(bound)}${unit === "×" ? "×" : ` ${unit}`}`;
}

function spread(values: readonly number[], unit: string): string {
  const written = (value: number) => `${significant(value)}${unit === "×" ? "×" : ""}`;
  const suffix = unit === "×" ? "" : ` ${unit}`;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) return `${written(low)}${suffix}`;
  return `${written(median(values))}${suffix} (${significant(low)}–${significant(high)})`;
}

/** Three digits that count, without an exponent. */
export function significant(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}
