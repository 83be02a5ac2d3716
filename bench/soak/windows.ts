import { median, significant } from "../measure.ts";

/** One stretch of the run. */
export interface SoakWindow {
  /** When it ended, since the load began. */
  readonly minute: number;
  readonly requests: number;
  readonly failures: number;
  /** Milliseconds of its requests. */
  readonly p50: number;
  readonly p99: number;
  /** How late the event loop was, in milliseconds: 99 of 100 looks. */
  readonly loopDelayP99: number;
  readonly rssMb: number;
  /** What is left after a collection. */
  readonly heapMb: number;
  readonly externalMb: number;
  readonly files: number;
  readonly handles: number;
}

interface Verdict {
  readonly what: string;
  readonly first: string;
  readonly last: string;
  readonly bound: string;
  readonly within: boolean;
}

export interface SoakReport {
  readonly minutes: number;
  /** What was going on, in words. */
  readonly load: string;
  readonly windows: readonly SoakWindow[];
  readonly verdicts: readonly Verdict[];
}

interface Bound {
  readonly what: string;
  readonly of: (window: SoakWindow) => number;
  readonly unit: string;
  /** The last third may be so many times the first, and so much more. */
  readonly times: number;
  readonly more: number;
}

/** What two thirds of a run on a machine that others use too differ by, though nothing leaks. */
const BOUNDS: readonly Bound[] = [
  { what: "resident memory", of: (window) => window.rssMb, unit: "MB", times: 1.15, more: 15 },
  { what: "heap after a collection", of: (window) => window.heapMb, unit: "MB", times: 1.15, more: 8 },
  { what: "memory outside the heap", of: (window) => window.externalMb, unit: "MB", times: 1.2, more: 8 },
  { what: "open files", of: (window) => window.files, unit: "", times: 1.1, more: 10 },
  { what: "handles", of: (window) => window.handles, unit: "", times: 1.1, more: 10 },
  { what: "requests, median", of: (window) => window.p50, unit: "ms", times: 1.5, more: 1 },
  { what: "requests, 99 of 100", of: (window) => window.p99, unit: "ms", times: 2, more: 10 },
  { what: "event loop late, 99 of 100", of: (window) => window.loopDelayP99, unit: "ms", times: 2, more: 10 },
];

/** Compares the last third with the first. The first window is left out: in it the engine compiles and fills its caches. */
export function judge(windows: readonly SoakWindow[]): Verdict[] {
  const counted = windows.slice(1);
  const third = Math.max(1, Math.floor(counted.length / 3));
  const [early, late] = [counted.slice(0, third), counted.slice(-third)];
  return BOUNDS.map(({ what, of, unit, times, more }) => {
    const [first, last] = [median(early.map(of)), median(late.map(of))];
    const told = (value: number) => `${significant(value)} ${unit}`.trim();
    return { what, first: told(first), last: told(last), bound: `≤ ${times}× + ${told(more)}`, within: last <= first * times + more };
  });
}
