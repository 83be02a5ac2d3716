// The threads of the SQLite store. Each is a file of its own, which is looked for beside whatever starts it.
import { basename } from "node:path";
import { build } from "esbuild";

const WRITING = "src/storage/sqlite-writing-thread.ts";
const CHECKPOINTS = "src/storage/sqlite-checkpoint-worker.mjs";

/** What `buildThreads` makes. */
export const THREADS = [basename(WRITING).replace(".ts", ".mjs"), basename(CHECKPOINTS)];

/** Native code, which stays where npm has put it. Of the two, `src/storage/sqlite-driver.cjs` loads one, which depends on the version of Node. */
export const SQLITE_DRIVERS = ["better-sqlite3", "better-sqlite3-napi"];

/** What comes before an ES module into which CommonJS is bundled: its `require` of what is not bundled needs one to call. */
export const REQUIRE = 'import { createRequire as bundleRequire } from "node:module"; const require = bundleRequire(import.meta.url);';

/**
 * @param {string} root the package's folder
 * @param {string} outdir where to
 */
export async function buildThreads(root, outdir) {
  await build({
    absWorkingDir: root,
    outdir,
    entryPoints: [WRITING, CHECKPOINTS],
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    sourcemap: true,
    minifyWhitespace: true,
    external: SQLITE_DRIVERS,
    banner: { js: REQUIRE },
    logLevel: "warning",
  });
}
