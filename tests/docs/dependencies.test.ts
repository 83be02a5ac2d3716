import { expect, test } from "vitest";
import { code, read, rows, section } from "./support.ts";

interface Package {
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
}

const TEXT = read("docs/dependencies.md");
const OURS = JSON.parse(read("package.json")) as Package;

test.each([
  ["## What the engine runs with", OURS.dependencies],
  ["## What it is built and tested with", OURS.devDependencies],
] as const)("%s: the packages of package.json, with the licences that they have", (heading, packages = {}) => {
  const told = rows(section(TEXT, heading)).map(([name, licence]) => [code(name), licence]);
  const installed = Object.keys(packages).map((name) => [name, (JSON.parse(read(`node_modules/${name}/package.json`)) as Package).license]);
  expect(told).toEqual(installed);
});

test("tells of each install script whether it may run", () => {
  const told = rows(section(TEXT, "## Install scripts")).map(([name, may]) => [code(name), may === "yes"]);
  expect(Object.fromEntries(told)).toEqual(OURS.allowScripts);
});
