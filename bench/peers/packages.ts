import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

/** What is measured beside the engine, exactly: a figure about "the latest" could not be repeated. None of them is a dependency. */
const PEERS = {
  "@dotenvx/dotenvx": "2.38.2",
  "@growthbook/growthbook": "1.8.0",
  jsondiffpatch: "0.7.7",
  microdiff: "1.6.0",
  "unleash-client": "6.12.1",
  // The newest that runs on Node 20.
  "unleash-server": "7.5.1",
} as const;

type Peer = keyof typeof PEERS;

const INSTALL_MS = 300_000;

/** Outside of the tree, and kept: the next run downloads nothing. */
export const CACHE =
  process.env.ENV_MANAGER_BENCH_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "environment-manager-bench");

/** Gets the packages that are not there yet. Where it cannot, the rows that need them fail and say so. */
export async function installPeers(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const wanted = `${JSON.stringify({ private: true, dependencies: PEERS }, null, 2)}\n`;
  const list = join(CACHE, "package.json");
  if (existsSync(list) && readFileSync(list, "utf8") === wanted && missing().length === 0) return;
  writeFileSync(list, wanted);
  console.error(`npm installs ${Object.keys(PEERS).length} packages into ${CACHE} …`);
  try {
    const command = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"];
    await promisify(execFile)("npm", command, { cwd: CACHE, timeout: INSTALL_MS });
  } catch (error) {
    console.error(
      `npm could not install ${missing().join(", ") || "all of them"}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function missing(): string[] {
  return (Object.keys(PEERS) as Peer[]).filter((name) => installedVersion(name) !== PEERS[name]);
}

/** The folder of a package. */
export function folderOf(name: Peer): string {
  return join(CACHE, "node_modules", name);
}

/** `unleash-client 6.12.1`: what is really there. */
export function named(name: Peer): string {
  return `${name} ${installedVersion(name) ?? ""}`;
}

function installedVersion(name: Peer): string | null {
  const file = join(folderOf(name), "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version : null;
}

/** What a package exports. Its types are not here: the caller says what it uses of it. */
export async function loadPeer<Module>(name: Peer): Promise<Module> {
  if (installedVersion(name) === null) throw new Error(`${name} is not installed: run npm run bench:peers where npm reaches its registry`);
  const path = createRequire(join(CACHE, "package.json")).resolve(name);
  const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  // What a CommonJS module exports comes as its default.
  return { ...(typeof module.default === "object" ? module.default : {}), ...module } as Module;
}

/** The version of a package that the engine itself runs with. */
export function installedEngineVersion(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}
