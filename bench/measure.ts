/** What every row is measured with: alternating runs, medians, and goals that a figure meets or not. */

/** A bound on a figure, from the project's goals. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the table. */
export interface Row {
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

export interface Compared {
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
export function ratioRow({ work, subject, baseline, pairs, unit, ratio, goal }: Compared): Row {
  const runs = ratio(pairs);
  return {
    work,
    subject: `${subject} ${unit(median(pairs.map((pair) => pair.subject)))}`,
    baseline: `${baseline} ${unit(median(pairs.map((pair) => pair.baseline)))}`,
    figure: spread(runs, "×"),
    goal: describe(goal, "×"),
    met: goal === null ? null : meets(median(runs), goal),
    runs,
  };
}

export interface Counted {
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
export function countRow({ work, subject, baseline = "–", values, unit, goal, worst = false }: Counted): Row {
  const judged = worst ? (goal !== null && "atLeast" in goal ? Math.min(...values) : Math.max(...values)) : median(values);
  return {
    work,
    subject,
    baseline,
    figure: spread(values, unit),
    goal: describe(goal, unit),
    met: goal === null ? null : meets(judged, goal),
    runs: values,
  };
}

/** A row that could not be measured here, and why. */
export function skippedRow(work: string, why: string): Row {
  return { work, subject: why, baseline: "–", figure: "skipped", goal: "–", met: null, runs: [] };
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
