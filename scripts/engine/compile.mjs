// Makes the cache of the engine's bundle: `node compile.mjs <folder> <bundle>`. V8 keeps what it has compiled until it is asked, so an engine
// starts here, on a database of its own, and answers once.
import { copyFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { THREADS } from "../threads.mjs";
import { cachePath, compile, evaluate, sealed } from "./compiled.mjs";

const require = createRequire(import.meta.url);
const [, , outdir, bundle] = process.argv;
const cache = cachePath(join(outdir, bundle));
// It takes this for the package's folder, where somebody's `.env` may be.
const folder = mkdtempSync(join(tmpdir(), "envm-compile-"));
copyFileSync(new URL("../../package.json", import.meta.url), join(folder, "package.json"));
// Its threads are looked for there too, and they look for libraries.
for (const name of THREADS) copyFileSync(join(outdir, name), join(folder, name));
symlinkSync(join(dirname(require.resolve("better-sqlite3/package.json")), ".."), join(folder, "node_modules"), "junction");
Object.assign(process.env, { STORE_URL: `sqlite:${join(folder, "env.db")}`, ENV_MANAGER_PORT: "0" });
try {
  const script = compile(outdir, bundle);
  // Libraries are found from here, wherever the bundle has been written.
  const engine = await evaluate(script, join(folder, bundle), require).run();
  const { status } = await fetch(`${engine.url}/healthz`);
  if (status !== 200) throw new Error(`/healthz answered ${status}`);
  const data = script.createCachedData();
  await engine.close();
  // Whole or not at all.
  writeFileSync(`${cache}.new`, sealed(data));
  renameSync(`${cache}.new`, cache);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
