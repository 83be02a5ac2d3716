import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { PROJECT_PAGES } from "../../web/src/shell/pages.ts";
import { pagesOf } from "../dashboard/scene.ts";

const read = (file: string) => readFileSync(join(packageRoot(), file), "utf8");

describe.each(["README.md", "docs/dashboard.md"])("%s", (file) => {
  test("shows pictures that are there", () => {
    const pictures = [...read(file).matchAll(/!\[[^\]]+\]\(([^)]+\.png)\)/g)].map(([, path = ""]) => path);
    expect(pictures.length).toBeGreaterThan(1);
    expect(pictures.filter((path) => !existsSync(join(packageRoot(), dirname(file), path)))).toEqual([]);
  });
});

test("the dashboard's guide tells of every page that a project offers", () => {
  const guide = read("docs/dashboard.md");
  expect(PROJECT_PAGES.filter(({ name }) => !guide.includes(`| ${name} |`))).toEqual([]);
});

test("every page has its pictures: light and dark, wide and narrow", () => {
  const names = ["login", ...Object.keys(pagesOf({ project: "p", promotion: "x" }))].map((name) => name.replaceAll(" ", "-"));
  const looks = ["light-wide", "dark-wide", "light-narrow", "dark-narrow"];
  const files = names.flatMap((name) => looks.map((look) => `docs/screenshots/${name}-${look}.png`));
  expect(files.filter((file) => !existsSync(join(packageRoot(), file)))).toEqual([]);
});
