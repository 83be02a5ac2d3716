import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { here } from "../processes.ts";
import { type Results, readResults } from "../results.ts";
import { documentsOf } from "./page.ts";

/**
 * `npm run bench:docs` writes `docs/benchmarks.md`, its pictures and README's table. What this machine has measured since is published
 * first, group by group, into `docs/benchmarks/results.json`.
 */

const FOLDER = here("../docs/benchmarks");
const PUBLISHED = join(FOLDER, "results.json");
const NOTES = join(FOLDER, "notes.md");
const README = here("../README.md");
const BLOCK = /(<!-- figures -->\n)[\s\S]*?(<!-- \/figures -->)/;

mkdirSync(FOLDER, { recursive: true });
const results = merged(readResults(PUBLISHED), readResults());
writeFileSync(PUBLISHED, `${JSON.stringify(results, null, 1)}\n`);
const { page, readme, pictures } = documentsOf(results, existsSync(NOTES) ? readFileSync(NOTES, "utf8") : "");
writeFileSync(here("../docs/benchmarks.md"), page);
for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".svg"))) rmSync(join(FOLDER, name));
for (const [name, picture] of Object.entries(pictures)) writeFileSync(join(FOLDER, `${name}.svg`), picture);
const text = readFileSync(README, "utf8");
if (!BLOCK.test(text)) throw new Error("README.md has no <!-- figures --> … <!-- /figures -->");
writeFileSync(
  README,
  text.replace(BLOCK, (_, begin: string, end: string) => `${begin}${readme}\n${end}`),
);
console.log(`docs/benchmarks.md, ${Object.keys(pictures).length} pictures and README.md are written from docs/benchmarks/results.json.`);

/** What was measured last of each group. */
function merged(published: Results, ours: Results): Results {
  const suites = [...new Set([...Object.keys(published), ...Object.keys(ours)])];
  const of = (suite: string) => {
    const groups = { ...published[suite] };
    for (const [name, measured] of Object.entries(ours[suite] ?? {})) {
      if (measured.at > (groups[name]?.at ?? "")) groups[name] = measured;
    }
    return groups;
  };
  return Object.fromEntries(suites.map((suite) => [suite, of(suite)]));
}
