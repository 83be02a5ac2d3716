// Makes the cache of the engine's bundle: `node compile.mjs <folder> <bundle>`. V8 keeps what it has compiled until it is asked, so an engine
// starts here, on a database of its own, and answers once.
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { THREADS } from "../threads.mjs";
import { cachePath, compile, evaluate, sealed } from "./compiled.mjs";

const [, , outdir, bundle] = process.argv;
const cache = cachePath(join(outdir, bundle));
// It takes this for the package's folder, where somebody's `.env` may be.
const folder = mkdtempSync(join(tmpdir(), "envm-compile-"));
copyFileSync(new URL("../../package.json", import.meta.url), join(folder, "package.json"));
// Nor are its threads there.
for (const name of THREADS) writeFileSync(join(folder, name), `import ${JSON.stringify(pathToFileURL(join(outdir, name)).href)};`);
Object.assign(process.env, { STORE_URL: `sqlite:${join(folder, "env.db")}`, ENV_MANAGER_PORT: "0" });
try {
  const script = compile(outdir, bundle);
  // Libraries are found from here, wherever the bundle has been written.
  const engine = await evaluate(script, join(folder, bundle), createRequire(import.meta.url)).run();
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
