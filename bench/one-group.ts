import { failedRow, type Row } from "./measure.ts";
import { SUITES, type SuiteName } from "./suites.ts";

/** A process that measures one group and hands its rows to its parent: what a group leaves behind cannot slow the next one down. */
const [suite = "", name = ""] = process.argv.slice(2);
const group = SUITES[suite as SuiteName]?.[name];
if (group === undefined || process.send === undefined) throw new Error("This is started by `npm run bench`.");

let rows: readonly Row[];
try {
  rows = await (await group.load())();
} catch (error) {
  console.error(error);
  rows = [failedRow(name, name, error)];
}
process.send(rows, () => process.exit());
