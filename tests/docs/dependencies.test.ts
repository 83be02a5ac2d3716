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
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
}

const TEXT = read("docs/dependencies.md");
const OURS = JSON.parse(read("package.json")) as Package;
// Of each package that may be installed, the name it really has, and whether it is there for development alone.
const LOCKED = (
  JSON.parse(read("package-lock.json")) as {
    packages: Readonly<Record<string, { name?: string; version: string; dev?: boolean; license?: string }>>;
  }
).packages;

test.each([
  ["## What the engine runs with", OURS.dependencies],
  ["## What it runs with on Node 22 and later", OURS.optionalDependencies],
  ["## What it is built and tested with", OURS.devDependencies],
] as const)("%s: the packages of package.json, with the licences that they have", (heading, packages = {}) => {
  const told = rows(section(TEXT, heading)).map(([name, licence]) => [code(name), licence]);
  const installed = Object.keys(packages).map((name) => [name, licenceOf(name)]);
  expect(told).toEqual(installed);
});

/** What the package says of itself; one that does not has its licence's text beside it, and of one that is not for this Node the lock file tells. */
function licenceOf(name: string): string | undefined {
  if (OURS.optionalDependencies?.[name] !== undefined) return LOCKED[`node_modules/${name}`]?.license;
  const { license } = JSON.parse(read(`node_modules/${name}/package.json`)) as Package;
  return license ?? (/Apache License\s+Version 2\.0/.test(read(`node_modules/${name}/LICENSE`)) ? "Apache-2.0" : undefined);
}

test("npm run sbom lists each package that the engine runs with, with licence and hash, and none that it is only built with", () => {
  const { stdout, status } = spawnSync("npm run --silent sbom", { cwd: packageRoot(), encoding: "utf8", shell: true });
  expect(status).toBe(0);
  const { components, metadata, dependencies } = JSON.parse(stdout) as Bom;
  expect(metadata.component.name).toBe(OURS.name);
  const locked = Object.entries(LOCKED).filter(([path, { dev }]) => path !== "" && !dev);
  const names = locked.map(([path, { name, version }]) => `${name ?? path.replace(/^.*node_modules\//, "")}@${version}`);
  expect(components.map((component) => component["bom-ref"]).sort()).toEqual([...new Set(names)].sort());
  expect(components.filter(({ licenses, hashes }) => !licenses?.length || !hashes?.length)).toEqual([]);
  const direct = dependencies.find(({ ref }) => ref.startsWith(`${OURS.name}@`))?.dependsOn.map((ref) => ref.replace(/@[^@]*$/, ""));
  const ours = Object.keys({ ...OURS.dependencies, ...OURS.optionalDependencies });
  expect(direct?.sort()).toEqual(ours.map((name) => LOCKED[`node_modules/${name}`]?.name ?? name).sort());
});

test("tells of each install script whether it may run", () => {
  const told = rows(section(TEXT, "## Install scripts")).map(([name, may]) => [code(name), may === "yes"]);
  expect(Object.fromEntries(told)).toEqual(OURS.allowScripts);
});
