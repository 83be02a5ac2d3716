// Bundles the engine and its commands into dist/: one file each and chunks, so that a start reads little.
import { chmodSync, copyFileSync, existsSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { build as buildPages } from "vite";
import { buildSdk } from "./sdk.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Another folder than `dist` where one is named. */
const outdir = resolve(root, process.argv[2] ?? "dist");

/** Output, without its ending → source. The engine is bundled apart: each file that it shared with others would be one more to open at a start. */
const engine = { index: "src/index.ts" };
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

const missing = Object.values({ ...engine, ...tools }).filter((file) => !existsSync(join(root, file)));
if (missing.length > 0) {
  console.error(`build: there is no ${missing.join(" and no ")}`);
  process.exit(1);
}

/**
 * Express loads its body parsers, with their character sets, at every start: a third of all that it brings. The engine reads
 * bodies itself (`src/http/json.ts`), so the bundle does without.
 */
const withoutBodyParser = {
  name: "without-body-parser",
  setup(bundle) {
    bundle.onResolve({ filter: /^body-parser$/ }, ({ path }) => ({ path, namespace: "left-out" }));
    bundle.onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: "module.exports = {};" }));
  },
};

rmSync(outdir, { recursive: true, force: true });
const options = {
  absWorkingDir: root,
  outdir,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  splitting: true,
  sourcemap: true,
  minifyWhitespace: true,
  plugins: [withoutBodyParser],
  legalComments: "linked",
  // Native code, and files that are served as they are.
  external: ["better-sqlite3", "swagger-ui-dist"],
  // Express and pino are CommonJS: bundled into ES modules, their `require` of Node's own modules needs one to call.
  banner: { js: 'import { createRequire as bundleRequire } from "node:module"; const require = bundleRequire(import.meta.url);' },
  chunkNames: "chunk-[hash]",
  logLevel: "warning",
};
await build({ ...options, entryPoints: engine });
await build({ ...options, entryPoints: tools });
// Looked for beside what starts it.
copyFileSync(join(root, "src/storage/sqlite-checkpoint-worker.mjs"), join(outdir, "sqlite-checkpoint-worker.mjs"));
// `envm` is started by its name.
chmodSync(join(outdir, "cli/main.js"), 0o755);
await buildSdk(root, join(outdir, "sdk"));

// The dashboard's pages.
await buildPages({ configFile: join(root, "web/vite.config.ts"), logLevel: "error", build: { outDir: join(outdir, "web") } });
