import type { Row } from "./measure.ts";

const TITLES: Readonly<Record<(typeof COLUMNS)[number], string>> = {
  work: "work",
  subject: "subject",
  baseline: "baseline",
  figure: "median (min–max)",
  goal: "goal",
  met: "met",
};
const COLUMNS = ["work", "subject", "baseline", "figure", "goal", "met"] as const;

/** All rows as one Markdown table, its columns aligned for a terminal. */
export function table(rows: readonly Row[]): string {
  const cells = [COLUMNS.map((column) => TITLES[column]), ...rows.map((row) => COLUMNS.map((column) => cell(row, column)))];
  const widths = COLUMNS.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  const lines = cells.map((line) => `| ${line.map((text, index) => text.padEnd(widths[index] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function cell(row: Row, column: (typeof COLUMNS)[number]): string {
  if (column !== "met") return row[column];
  return row.met === null ? "–" : row.met ? "yes" : "NO";
}
