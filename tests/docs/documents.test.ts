import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { read } from "./support.ts";

/** Every document of the repository. What stands in docs/benchmarks/ is put into docs/benchmarks.md, and its links go from there. */
const DOCUMENTS = [
  ...readdirSync(packageRoot()).filter((name) => name.endsWith(".md")),
  ...["docs", "examples"].flatMap((folder) =>
    readdirSync(`${packageRoot()}/${folder}`, { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  ),
].filter((path) => path.endsWith(".md") && !path.startsWith("docs/benchmarks/"));

const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, "");

/** Where the relative links of a document lead: files, from the top, and places in them. */
function links(document: string): readonly { readonly link: string; readonly file: string; readonly anchor: string }[] {
  return [...withoutCode(read(document)).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)].map(([, link = ""]) => {
    const [path = "", anchor = ""] = link.split("#");
    return { link, file: path === "" ? document : posix.join(posix.dirname(document), path), anchor };
  });
}

/** The names that headings have as places to link to: the second of a name is counted. */
function anchors(document: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  return new Set(
    [...withoutCode(read(document)).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => {
      const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
      const name = words.replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-");
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      return count === 0 ? name : `${name}-${count}`;
    }),
  );
}

test.each(DOCUMENTS)("every link of %s leads to a file, and to a place in it", (document) => {
  const broken = links(document).filter(
    ({ file, anchor }) => !existsSync(`${packageRoot()}/${file}`) || (anchor !== "" && !anchors(file).has(anchor)),
  );
  expect(broken.map(({ link }) => link)).toEqual([]);
});

test("every setting ENV_MANAGER_… that documents name is the engine's, and they name all of these", () => {
  const names = (text: string) => text.match(/\bENV_MANAGER_[A-Z_]*[A-Z]\b/g) ?? [];
  const src = readdirSync(`${packageRoot()}/src`, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  const known = new Set(src.flatMap((path) => names(readFileSync(`${packageRoot()}/src/${path}`, "utf8"))));
  const told = new Set([...DOCUMENTS, ".env.example"].flatMap((path) => names(read(path))));
  // It is no setting of the engine's, but of its tests.
  told.delete("ENV_MANAGER_TEST_LONG");
  expect([...told].sort()).toEqual([...known].sort());
});

test("what documents of the package link to is in the package, except for pictures", () => {
  const [packed] = JSON.parse(
    execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: packageRoot(), encoding: "utf8" }),
  ) as [{ readonly files: readonly { readonly path: string }[] }];
  const files = new Set(packed.files.map(({ path }) => path));
  const documents = DOCUMENTS.filter((path) => files.has(path));
  expect(documents).toContain("README.md");
  const linked = documents.flatMap((path) => links(path).map(({ file }) => file));
  const named = [...read("README.md").matchAll(/`((?:docs|examples)\/[\w./-]*[\w-]|[A-Z_]+\.md|\.env\.example)`/g)].map(
    ([, path = ""]) => path,
  );
  const missing = [...linked, ...named].filter(
    (path) => !path.startsWith("docs/screenshots") && !files.has(path) && ![...files].some((file) => file.startsWith(`${path}/`)),
  );
  expect(missing).toEqual([]);
});

test("a decision's title begins with the number of its file, and the README says which number is none", () => {
  const decisions = readdirSync(`${packageRoot()}/docs/adr`).sort();
  for (const name of decisions) expect(read(`docs/adr/${name}`)).toMatch(new RegExp(`^# ${name.slice(0, 4)}: `));
  const numbers = decisions.map((name) => Number(name.slice(0, 4)));
  const gaps = Array.from({ length: Math.max(...numbers) }, (_, index) => index + 1).filter((number) => !numbers.includes(number));
  expect([...read("README.md").matchAll(/There is no (\d{4})\./g)].map(([, number]) => Number(number))).toEqual(gaps);
});
