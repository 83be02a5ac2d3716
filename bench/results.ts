import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { here } from "./processes.ts";

/** Where runs of this machine are kept. What `docs/benchmarks.md` shows is a copy, made by `npm run bench:docs`. */
const RESULTS = here("results.json");

export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cpus: number;
  readonly cpu: string;
  readonly memoryGib: number;
}

/** One group of rows, one curve, one soak: measured together, at one time. */
interface Measured<Content> {
  readonly at: string;
  readonly seconds: number;
  readonly machine: Machine;
  readonly content: Content;
}

export type Section = Readonly<Record<string, Measured<unknown>>>;
const KNOWN = ["bench", "peers", "curves", "soak"];

/** By suite (`bench`, `peers`, `curves`, `soak`), then by group. */
export type Results = Readonly<Record<string, Section>>;

/** What a file of an older form has besides is left out. */
export function readResults(path: string = RESULTS): Results {
  if (!existsSync(path)) return {};
  const read = JSON.parse(readFileSync(path, "utf8")) as Results;
  return Object.fromEntries(Object.entries(read).filter(([suite]) => KNOWN.includes(suite)));
}

/** Keeps what one group measured in place of what it had measured before. The others stay: each row is a comparison within its own group. */
export function keepResult(suite: string, group: string, seconds: number, content: unknown): void {
  const results = readResults();
  const measured: Measured<unknown> = { at: new Date().toISOString(), seconds: Math.round(seconds * 10) / 10, machine: machine(), content };
  const changed = { ...results, [suite]: { ...results[suite], [group]: measured } };
  const draft = `${RESULTS}.new`;
  writeFileSync(draft, `${JSON.stringify(changed, null, 1)}\n`);
  renameSync(draft, RESULTS);
}

export function machine(): Machine {
  return {
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    cpus: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    memoryGib: Math.round(totalmem() / 2 ** 30),
  };
}

export function described({ node, platform, arch, cpus: cores, cpu, memoryGib }: Machine): string {
  return `Node ${node} (${platform} ${arch}) on ${cores} × ${cpu}, ${memoryGib} GiB of memory`;
}
