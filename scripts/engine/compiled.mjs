// Loads a bundle with what V8 made of it when it was built. Beside `<name>.cjs` lies `<name>.cache`: a SHA-256, then V8's data.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";

const DIGEST_BYTES = 32;

/** What the bundle `name` in `folder` exports. */
export function load(folder, name) {
  const path = join(folder, name);
  const cachedData = forDebugging() ? null : cacheOf(path);
  // Whatever has no cache is Node's own to load, which also knows source maps and debuggers.
  return cachedData === null ? createRequire(path)(path) : evaluate(compile(folder, name, cachedData), path, createRequire(path));
}

/** Where V8 cannot use the data, since it runs with other flags, it compiles the source: `cachedDataRejected` tells. */
export function compile(folder, name, cachedData) {
  // The build writes ASCII.
  const source = readFileSync(join(folder, name), "latin1");
  // V8 keeps the file's name with the code, so it is one that says nothing of this machine. (Nor may it be cut out of a path here: V8 would
  // keep all of that.)
  return new Script(`(function(exports,require,module,__filename,__dirname){${source}\n})`, { filename: name, cachedData });
}

export function evaluate(script, path, require) {
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, path, dirname(path));
  return module.exports;
}

export function cachePath(path) {
  return path.replace(/\.cjs$/, ".cache");
}

/** The file for V8's `data`. */
export function sealed(data) {
  return Buffer.concat([digestOf(data), data]);
}

/** `null` where there is none that is whole and this Node's own: V8 hardly looks at what it is given, and would crash. */
function cacheOf(path) {
  let file;
  try {
    file = readFileSync(cachePath(path));
  } catch {
    return null;
  }
  const data = file.subarray(DIGEST_BYTES);
  return digestOf(data).equals(file.subarray(0, DIGEST_BYTES)) ? data : null;
}

function digestOf(data) {
  return createHash("sha256").update(`${process.version} ${process.platform} ${process.arch}\n`).update(data).digest();
}

function forDebugging() {
  return process.sourceMapsEnabled || process.execArgv.some((flag) => flag.startsWith("--inspect"));
}
