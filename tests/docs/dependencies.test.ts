import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { code, read, rows, section } from "./support.ts";

interface Bom {
  readonly metadata: { readonly component: { readonly name: string } };
  readonly components: readonly {
    readonly "bom-ref": string;
    readonly licenses?: readonly object[];
    readonly hashes?: readonly object[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Package {
  readonly name?: string;
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
  const installed = Object.keys(packages).map((name) => [name, licenceOf(name)]);
  expect(told).toEqual(installed);
});

/** What the package says of itself; one that does not has its licence's text beside it. */
function licenceOf(name: string): string | undefined {
  const { license } = JSON.parse(read(`node_modules/${name}/package.json`)) as Package;
  return license ?? (/Apache License\s+Version 2\.0/.test(read(`node_modules/${name}/LICENSE`)) ? "Apache-2.0" : undefined);
}

test("npm run sbom lists each package that the engine runs with, with licence and hash, and none that it is only built with", () => {
  const { stdout, status } = spawnSync("npm run --silent sbom", { cwd: packageRoot(), encoding: "utf8", shell: true });
  expect(status).toBe(0);
  const { components, metadata, dependencies } = JSON.parse(stdout) as Bom;
  expect(metadata.component.name).toBe(OURS.name);
  // The lock file says of each package whether it is there for development alone.
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, { version: string; dev?: boolean }> };
  const locked = Object.entries(packages).filter(([path, { dev }]) => path !== "" && !dev);
  const names = locked.map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version}`);
  expect(components.map((component) => component["bom-ref"]).sort()).toEqual([...new Set(names)].sort());
  expect(components.filter(({ licenses, hashes }) => !licenses?.length || !hashes?.length)).toEqual([]);
  const direct = dependencies.find(({ ref }) => ref.startsWith(`${OURS.name}@`))?.dependsOn.map((ref) => ref.replace(/@[^@]*$/, ""));
  expect(direct?.sort()).toEqual(Object.keys(OURS.dependencies ?? {}).sort());
});

test("tells of each install script whether it may run", () => {
  const told = rows(section(TEXT, "## Install scripts")).map(([name, may]) => [code(name), may === "yes"]);
  expect(Object.fromEntries(told)).toEqual(OURS.allowScripts);
});
