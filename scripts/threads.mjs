// The threads of the SQLite store. Each is a file of its own, which is looked for beside whatever starts it.
import { copyFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const WRITING = "src/storage/sqlite-writing-thread.ts";
const CHECKPOINTS = "src/storage/sqlite-checkpoint-worker.mjs";

/** What `buildThreads` makes. */
export const THREADS = [basename(WRITING).replace(".ts", ".mjs"), basename(CHECKPOINTS)];

/**
 * @param {string} root the package's folder
 * @param {string} outdir where to
 */
export async function buildThreads(root, outdir) {
  await build({
    absWorkingDir: root,
    outdir,
    entryPoints: [WRITING],
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    sourcemap: true,
    minifyWhitespace: true,
    external: ["better-sqlite3"],
    logLevel: "warning",
  });
  copyFileSync(join(root, CHECKPOINTS), join(outdir, basename(CHECKPOINTS)));
}
