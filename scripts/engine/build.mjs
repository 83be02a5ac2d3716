// Builds the engine: one script of its own code, libraries apart, and what V8 makes of the script, so that a start compiles next to nothing.
// Why: docs/adr/0020-a-start-finds-its-code-compiled.md
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildThreads } from "../threads.mjs";

/** Libraries that are large and that no start needs: each a file of its own, read by whoever needs it. */
const APART = ["@openfeature/flagd-core", "cloudevents", "express", "jose", "pg", "prom-client", "redis", "undici"];

/** Many times what it takes. */
const COMPILE_MS = 60_000;

const librariesApart = {
  name: "libraries-apart",
  setup(bundle) {
    bundle.onResolve({ filter: /^[@a-z]/ }, ({ path }) => (APART.includes(path) ? { path: `./lib/${path}.cjs`, external: true } : null));
  },
};

/** A module that is written here instead of the library's own. */
function instead(module, contents) {
  return {
    name: `instead-of-${module}`,
    setup(bundle) {
      bundle.onResolve({ filter: new RegExp(`^${module}$`) }, ({ path }) => ({ path, namespace: module }));
      bundle.onLoad({ filter: /.*/, namespace: module }, () => ({ contents }));
    },
  };
}

/**
 * Express loads its body parsers, with their character sets, whenever it is loaded: a third of all that it brings. The engine reads
 * bodies itself (`src/http/json.ts`), so the bundle does without.
 */
const withoutBodyParser = instead("body-parser", "module.exports = {};");
/** `better-sqlite3` looks in ten places for its native code, which npm has put into this one. */
const sqliteAddon = instead("bindings", 'module.exports = () => require("better-sqlite3/build/Release/better_sqlite3.node");');

/**
 * @param {string} root the package's folder
 * @param {string} outdir where to
 * @returns {Promise<{ bundle: string, trouble: string | null }>} the script's file in `outdir`; why it is not compiled, where it is not
 */
export async function buildEngine(root, outdir) {
  // CommonJS: V8 can be given the compiled code of a script and, in Node 20, not that of an ES module.
  const options = {
    absWorkingDir: root,
    outdir,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    minifyWhitespace: true,
    legalComments: "linked",
    logLevel: "warning",
  };
  const { metafile } = await build({
    ...options,
    entryPoints: { engine: "src/index.ts" },
    // By its name it has the cache of these very bytes, or none.
    entryNames: "[name]-[hash]",
    metafile: true,
    sourcemap: true,
    define: { "import.meta.url": "bundleUrl" },
    banner: { js: 'const bundleUrl=require("node:url").pathToFileURL(__filename).href;' },
    // Scripts that are not Node's own to load have none. They become `require`.
    supported: { "dynamic-import": false },
    external: ["better-sqlite3/build/*", "better-sqlite3-napi", "swagger-ui-dist"],
    plugins: [librariesApart, sqliteAddon],
  });
  await build({ ...options, entryPoints: Object.fromEntries(APART.map((name) => [`lib/${name}`, name])), plugins: [withoutBodyParser] });
  const bundle = basename(Object.keys(metafile.outputs).find((file) => file.endsWith(".cjs")) ?? "");
  await build({
    ...options,
    entryPoints: { index: "scripts/engine/start.mjs" },
    format: "esm",
    outExtension: {},
    define: { BUNDLE: JSON.stringify(bundle) },
  });
  await buildThreads(root, outdir);
  return { bundle, trouble: compiled(outdir, bundle) };
}

/** What any program needs of the process that starts it. */
const PASSED_ON = ["PATH", "TMPDIR", "TEMP", "SystemRoot"];

/** In a process without flags, which each start would have to be given too, and without anybody's settings. @returns what went wrong */
function compiled(outdir, bundle) {
  const { status, stderr, error } = spawnSync(process.execPath, [fileURLToPath(new URL("compile.mjs", import.meta.url)), outdir, bundle], {
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.includes(name))),
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    timeout: COMPILE_MS,
  });
  return status === 0 ? null : (error?.message ?? stderr);
}
