import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { documentsOf } from "../../bench/docs/page.ts";
import type { Results } from "../../bench/results.ts";
import { read } from "./support.ts";

const RESULTS = JSON.parse(read("docs/benchmarks/results.json")) as Results;
const PAGE = read("docs/benchmarks.md");

test("no figure of docs/benchmarks.md or of README's table is typed by hand: npm run bench:docs writes both from the results", () => {
  const { page, readme } = documentsOf(RESULTS, read("docs/benchmarks/notes.md"));
  expect(PAGE).toBe(page);
  expect(read("README.md")).toContain(`<!-- figures -->\n${readme}\n<!-- /figures -->`);
});

test("every picture that docs/benchmarks.md shows is there", () => {
  const shown = [...PAGE.matchAll(/!\[[^\]]*\]\((benchmarks\/[^)]+\.svg)\)/g)].map(([, path]) => path ?? "");
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.filter((path) => !existsSync(new URL(`../../docs/${path}`, import.meta.url)))).toEqual([]);
});

test("every command that docs/benchmarks.md names is there", () => {
  const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
  const named = [...PAGE.matchAll(/`npm run ([\w:]+)/g)].map(([, name]) => name ?? "");
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
