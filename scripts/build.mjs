// Bundles the engine and its commands into dist/, so that a start reads little.
import { chmodSync, existsSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { build as buildPages } from "vite";
import { buildEngine } from "./engine/build.mjs";
import { buildSdk } from "./sdk.mjs";
import { REQUIRE, SQLITE_DRIVERS } from "./threads.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [folder = "dist", ...more] = process.argv.slice(2);
// All that is in the folder goes: what was typed for something else must not name one.
if (folder === "" || folder.startsWith("-") || more.length > 0) {
  console.error("build: it takes one folder, or none for dist: node scripts/build.mjs [folder]");
  process.exit(2);
}
const outdir = resolve(root, folder);

/** Output, without its ending → source. */
const tools = {
  "cli/main": "src/cli/main.ts",
  "scripts/demo": "scripts/demo.ts",
  "scripts/family-engine": "scripts/demo/family/engine.ts",
  "scripts/store-check": "scripts/store-check.ts",
  "scripts/store-copy": "scripts/store-copy.ts",
  "scripts/store-backup": "scripts/store-backup.ts",
  "scripts/store-restore": "scripts/store-restore.ts",
  "scripts/store-deltas": "scripts/store-deltas.ts",
  "scripts/vault-move": "scripts/vault-move.ts",
  "scripts/audit-rotate": "scripts/audit-rotate.ts",
  "scripts/vault-rotate": "scripts/vault-rotate.ts",
};

const missing = ["src/index.ts", ...Object.values(tools)].filter((file) => !existsSync(join(root, file)));
if (missing.length > 0) {
  console.error(`build: there is no ${missing.join(" and no ")}`);
  process.exit(1);
}

rmSync(outdir, { recursive: true, force: true });
const { trouble } = await buildEngine(root, outdir);
if (trouble !== null) console.error(`build: each start will compile the engine, since it could not be done here:\n${trouble}`);
await build({
  absWorkingDir: root,
  outdir,
  entryPoints: tools,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  splitting: true,
  sourcemap: true,
  minifyWhitespace: true,
  legalComments: "linked",
  // Native code, and files that are served as they are.
  external: [...SQLITE_DRIVERS, "swagger-ui-dist"],
  // Some libraries are CommonJS.
  banner: { js: REQUIRE },
  chunkNames: "chunk-[hash]",
  logLevel: "warning",
});
// `envm` is started by its name.
chmodSync(join(outdir, "cli/main.js"), 0o755);
await buildSdk(root, join(outdir, "sdk"));

// The dashboard's pages. Under a test runner's NODE_ENV they would be React's for development: half as large again, and slower.
process.env.NODE_ENV = "production";
await buildPages({ configFile: join(root, "web/vite.config.ts"), logLevel: "error", build: { outDir: join(outdir, "web") } });
