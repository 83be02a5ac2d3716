import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { packageRoot } from "../../src/package.ts";

/** Programs of the tests that are processes of their own: files in `tests`, without their ending. */
const CHILDREN = [
  "engines/tls-client",
  "git/forge",
  "git/stand-ins/follower",
  "identity/children/provider",
  "sinks/stand-ins/engine",
  "sinks/stand-ins/receiver",
  "storage/children/hold",
  "storage/children/write-and-leave",
  "storage/children/write-loop",
  "validation/children/validation-engine",
  "vault/stand-ins/held-engine",
  "vault/stand-ins/kv2-server",
  "vault/stand-ins/puraify-server",
] as const;

const FOLDER = join(packageRoot(), "node_modules/.cache/tests");

/** The script that Node runs for one of them: bundled, for it starts in a small part of the time that its source takes. */
export function childScript(name: (typeof CHILDREN)[number]): string {
  return join(FOLDER, `${name.replaceAll("/", "-")}.mjs`);
}

/** Before the tests, and before each run of those that are watched. */
export default async function buildBefore(project: TestProject): Promise<void> {
  await build();
  project.onTestsRerun(build);
}

async function build(): Promise<void> {
  const [esbuild, { buildThreads, REQUIRE }] = await Promise.all([import("esbuild"), import("../../scripts/threads.mjs")]);
  await esbuild.build({
    absWorkingDir: packageRoot(),
    entryPoints: CHILDREN.map((name) => ({ in: `tests/${name}.ts`, out: childScript(name).slice(FOLDER.length + 1, -".mjs".length) })),
    outdir: FOLDER,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    banner: { js: REQUIRE },
    logLevel: "warning",
  });
  // Looked for beside whatever opens a SQLite store.
  await buildThreads(packageRoot(), FOLDER);
}
