import type { Row } from "../measure.ts";
import { described, type Machine, type Results, type Section } from "../results.ts";
import type { SoakReport } from "../soak/windows.ts";
import * as charts from "./charts.ts";

/** What `npm run bench:docs` writes, from results alone. */
interface Documents {
  /** `docs/benchmarks.md` */
  readonly page: string;
  /** What stands in README.md between its two marks. */
  readonly readme: string;
  /** `docs/benchmarks/<name>.svg` */
  readonly pictures: Readonly<Record<string, string>>;
}

/** The five that users ask for: how each is called there. */
const FIVE: Readonly<Record<string, string>> = {
  "config-read": "An environment's config is read over HTTP, with a token",
  "config-read-unleash": "The definitions of 20 flags are read",
  "config-writes-etcd": "A variable is written, durably, as a version with its difference and audit record",
  "diff-warm": "Two versions of 10,000 components are compared",
  start: "The engine starts with 10,000 environments, until its first answer",
};

export function documentsOf(results: Results, notes: string): Documents {
  const bench = rowsOf(results.bench);
  const peers = rowsOf(results.peers);
  const curves = rowsOf(results.curves);
  const soak = results.soak?.soak?.content as SoakReport | undefined;
  const latencies = [...bench, ...peers].flatMap((row) =>
    row.latency.map(({ of, percentiles }) => ({ of: `${row.work}: ${of}`, percentiles })),
  );
  const overs = [...new Set(curves.flatMap((row) => row.curve?.over ?? []))];
  const ofOver = (over: string) => curves.filter((row): row is Row & { curve: NonNullable<Row["curve"]> } => row.curve?.over === over);
  const pictures = {
    ...(bench.length > 0 && { ratios: charts.ratios(bench) }),
    ...(peers.length > 0 && { peers: charts.sideBySide(peers) }),
    ...(latencies.length > 0 && { latency: charts.latencies(latencies) }),
    ...Object.fromEntries(overs.map((over) => [`curves-${over}`, charts.curves(ofOver(over))])),
    ...(soak !== undefined && { soak: charts.soak(soak.windows) }),
  };
  const picture = (name: string, words: string) => (name in pictures ? [`![${words}](benchmarks/${name}.svg)`, ""] : []);
  const page = [
    "# Benchmarks",
    "",
    "Written by `npm run bench:docs` from `docs/benchmarks/results.json`: no figure here is typed by hand. Each row is a comparison within one",
    "run, in which subject and baseline take turns, so that whatever else the machine does falls on both; it shows the median of the",
    "ratios, the smallest and the largest. Authorization, validation, versions and audit are on, as in production.",
    "",
    "| to repeat | run | takes |",
    "| --- | --- | --- |",
    ...COMMANDS.map(([what, command, suite]) => `| ${what} | \`${command}\` | ${duration(results[suite])} |`),
    "",
    ...machines(results),
    "",
    "## What it is beside a baseline",
    "",
    ...picture("ratios", "Ratios to their baselines, with spread and goal"),
    table(bench),
    "",
    ...words(bench),
    "## What it is beside other software",
    "",
    "The other software is set up as its documentation says for production, its versions are named, and `npm run bench:peers` fetches it.",
    "",
    ...picture("peers", "Blue: the engine. Grey: the other. Times a second"),
    table(peers),
    "",
    ...words(peers),
    "## How long single requests take",
    "",
    ...picture("latency", "Latency of single requests"),
    "## What it costs where there is more",
    "",
    "What is asked of the store with nothing in memory, for 100, 1,000, 10,000 and 100,000 of something; and the time with everything in",
    "memory, as a multiple of what the same work takes beside it with 100. Objects follow the depth of a Merkle tree, so that they may",
    "grow with the logarithm. A test counts the same up to 1,000.",
    "",
    ...overs.flatMap((over) => [
      `### ${over}`,
      "",
      ...picture(`curves-${over}`, `Times of operations over ${over}`),
      costTable(ofOver(over)),
      "",
    ]),
    ...(soak === undefined ? [] : soakSection(soak, picture("soak", "Memory and latency over time"))),
    notes.trim(),
    "",
  ].join("\n");
  return { page, readme: readme([...bench, ...peers], results), pictures };
}

const COMMANDS = [
  ["all but other software", "npm run bench", "bench"],
  ["other software beside it", "npm run bench:peers", "peers"],
  ["what it costs where there is more", "npm run bench:curves", "curves"],
  ["half an hour of mixed load", "npm run soak -- --minutes 30", "soak"],
] as const;

function rowsOf(section: Section = {}): Row[] {
  return Object.values(section).flatMap(({ content }) => content as Row[]);
}

function duration(section: Section = {}): string {
  const seconds = Object.values(section).reduce((sum, measured) => sum + measured.seconds, 0);
  return seconds === 0 ? "–" : `${Math.round(seconds)} s`;
}

function machines(results: Results): string[] {
  const all = Object.values(results).flatMap((section) => Object.values(section));
  const days = [...new Set(all.map(({ at }) => at.slice(0, 10)))].sort();
  const kinds = [...new Set(all.map(({ machine }) => described(machine as Machine)))];
  return [`Measured with ${kinds.join("; ")}, on ${days.join(" and ")}.`];
}

const cell = (text: string) => text.replaceAll("|", "\\|");

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return "Not measured yet.";
  const line = (row: Row) =>
    `| ${[row.work, row.subject, row.baseline, row.figure, row.goal, row.met === null ? "–" : row.met ? "yes" : "**no**"].map(cell).join(" | ")} |`;
  return ["| work | subject | baseline | median (min–max) | goal | met |", "| --- | --- | --- | --- | --- | --- |", ...rows.map(line)].join(
    "\n",
  );
}

/** What is compared, and what comes next, said once where several rows say the same. */
function words(rows: readonly Row[]): string[] {
  const named = (row: Row) => `**${row.work}**${row.baseline === "–" ? "" : `, beside ${row.baseline}`}`;
  const lines = rows.flatMap((row) => {
    const next = row.next === null || row.next === "" ? [] : [`${row.met ? "Next limit" : "What holds it"}: ${row.next}`];
    const told = [...(row.about === null ? [] : [row.about]), ...next].join(" ");
    return told === "" ? [] : [{ row, told }];
  });
  const texts = [...new Set(lines.map(({ told }) => told))];
  return texts.flatMap((told) => [
    `- ${lines
      .filter((line) => line.told === told)
      .map(({ row }) => named(row))
      .join("; ")}: ${told}`,
    "",
  ]);
}

function costTable(rows: readonly Row[]): string {
  const line = (row: Row) => {
    const points = row.curve?.points ?? [];
    const each = (name: string) => points.map(({ counts }) => counts[name] ?? 0).join(", ");
    return `| ${[row.work.split(", ")[0] ?? "", each("documents"), each("objects"), each("written"), each("commits"), row.figure, row.met ? "yes" : "**no**"].join(" | ")} |`;
  };
  return [
    `| work, at ${rows[0]?.curve?.points.map(({ n }) => n.toLocaleString("en")).join(" / ")} | documents read | objects read | objects written | commits | at the largest | flat |`,
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map(line),
  ].join("\n");
}

function soakSection({ minutes, load, verdicts }: SoakReport, picture: readonly string[]): string[] {
  return [
    "## What it is after hours",
    "",
    `${minutes} minutes of ${load}. The last third is compared with the first; a difference beyond the bound fails the run.`,
    "",
    ...picture,
    "| what | first third | last third | bound | within |",
    "| --- | --- | --- | --- | --- |",
    ...verdicts.map(({ what, first, last, bound, within }) => `| ${what} | ${first} | ${last} | ${bound} | ${within ? "yes" : "**no**"} |`),
    "",
  ];
}

function readme(rows: readonly Row[], results: Results): string {
  const lines = Object.entries(FIVE).flatMap(([id, what]) => {
    const row = rows.find((one) => one.id === id);
    return row === undefined ? [] : [`| ${[what, row.subject, row.baseline, row.figure].map(cell).join(" | ")} |`];
  });
  const kinds = [...new Set(Object.values(results).flatMap((section) => Object.values(section).map(({ machine }) => described(machine))))];
  return [
    "| what | the engine | beside | ratio (min–max) |",
    "| --- | --- | --- | --- |",
    ...lines,
    "",
    `Measured with ${kinds.join("; ")}, by \`npm run bench\` and \`npm run bench:peers\`.`,
    "[docs/benchmarks.md](docs/benchmarks.md) has every figure, what is compared, and what holds it.",
  ].join("\n");
}
