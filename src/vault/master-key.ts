import { randomBytes } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { link, open, rename, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { AppError } from "../errors.ts";
import { KEY_BYTES, type MasterKey, masterKey } from "./sealing.ts";

/** Characters read of a key file: a key has 44, and white space around it is forgiven. */
const KEY_FILE_BYTES = 256;
const HOW_TO_MAKE = "`openssl rand -base64 32` makes one.";

interface LoadedKey {
  readonly key: MasterKey;
  /** In words, for messages: `ENV_MANAGER_MASTER_KEY`, or the key file's path. */
  readonly origin: string;
}

/**
 * The key file's place beside an SQLite database, `null` for every other store. Where the database is a link, it is beside
 * what that leads to, so that two names of one database share one key.
 *
 * @param storeUrl as in `STORE_URL`
 */
export function keyFilePath(storeUrl: string): string | null {
  if (!storeUrl.startsWith("sqlite:")) return null;
  const rest = storeUrl.slice("sqlite:".length);
  const path = resolve(rest.startsWith("///") ? rest.slice(2) : rest);
  return `${existsSync(path) ? realpathSync(path) : path}.key`;
}

/**
 * The master key for a store: the given text, else the key file beside an SQLite database, which is made where the store
 * holds no vault yet; on `memory:` a random key that dies with the process.
 *
 * @param given `ENV_MANAGER_MASTER_KEY`, or `null`
 * @param sealed whether the store was already started with some key
 * @throws AppError `vault_unavailable` where there is no usable key, with how to mend it
 */
export async function loadMasterKey(storeUrl: string, given: string | null, sealed: boolean): Promise<LoadedKey> {
  if (given !== null) return { key: parseMasterKey(given, "ENV_MANAGER_MASTER_KEY"), origin: "ENV_MANAGER_MASTER_KEY" };
  if (storeUrl.startsWith("memory:")) return { key: masterKey(randomBytes(KEY_BYTES)), origin: "memory" };
  const path = keyFilePath(storeUrl);
  if (path === null) {
    if (sealed) {
      throw unusable(
        "ENV_MANAGER_MASTER_KEY is not set, and this store's secrets are sealed by a key.",
        "Set ENV_MANAGER_MASTER_KEY to that very key: the one of the other engines on this store or, where it was moved here from an SQLite file, what <database>.key holds. Another key is of no use.",
      );
    }
    throw unusable(
      "ENV_MANAGER_MASTER_KEY is not set. Only beside an SQLite file does the engine make a master key of its own; every engine on a shared store must be given the same one.",
      `Set ENV_MANAGER_MASTER_KEY to 32 random bytes in base64, the same for every engine on this store. ${HOW_TO_MAKE}`,
    );
  }
  const key = await readKeyFile(path);
  if (key !== null) return { key, origin: path };
  if (sealed) {
    throw unusable(
      `The key file ${path} is gone, and this database's secrets are sealed by the key that it held.`,
      `Put the file back from a backup (mode 0600), or set ENV_MANAGER_MASTER_KEY to its content. Without that key the secrets cannot be read by anyone.`,
    );
  }
  return { key: await createKeyFile(path), origin: path };
}

/**
 * @param text 32 bytes as base64 or base64url, padded or not
 * @param origin the setting or file that it comes from, for the message; the text itself is never shown
 * @throws AppError `vault_unavailable` where it is anything else
 */
export function parseMasterKey(text: string, origin: string): MasterKey {
  const digits = text.trim().replace(/=+$/, "");
  const bytes = Buffer.from(digits, "base64url");
  // Node skips what it cannot decode; whatever does not come back the same was not base64.
  const same = bytes.toString("base64url") === digits || bytes.toString("base64").replace(/=+$/, "") === digits;
  if (bytes.length !== KEY_BYTES || !same) {
    throw unusable(`The master key in ${origin} is not 32 bytes in base64.`, `Set it to 32 random bytes in base64. ${HOW_TO_MAKE}`);
  }
  return masterKey(bytes);
}

/**
 * The key in a key file, or `null` where there is no such file.
 *
 * @throws AppError `vault_unavailable` where others than its owner may touch the file, or it holds no key
 */
export async function readKeyFile(path: string): Promise<MasterKey | null> {
  let text: string;
  try {
    const file = await open(path, "r");
    try {
      // Asked of the open file, not of the path, which could come to mean another file in between.
      const mode = (await file.stat()).mode & 0o777;
      if (process.platform !== "win32" && (mode & 0o077) !== 0) throw tooOpen(path, mode);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(KEY_FILE_BYTES), 0, KEY_FILE_BYTES, 0);
      text = buffer.toString("latin1", 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (hasCode(error, "ENOENT")) return null;
    throw unusable(`The key file ${path} cannot be read (${codeOf(error)}).`, "Let the user who runs the engine own and read it.", error);
  }
  return parseMasterKey(text, `the key file ${path}`);
}

/**
 * Makes a key file: a whole, durable file of mode 0600 or none at all, and never over one that is there.
 *
 * @param text the key to keep, checked by the caller; a new random one where left out
 */
export async function createKeyFile(path: string, text: string = randomBytes(KEY_BYTES).toString("base64")): Promise<MasterKey> {
  const key = parseMasterKey(text, `the new key for ${path}`);
  const draft = `${path}.tmp`;
  try {
    // A process killed here left a draft that no store was ever sealed by, or that already has its name as well.
    await unlink(draft).catch(ignoreMissing);
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(`${text.trim()}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await claim(draft, path);
    await syncFolder(path);
  } catch (error) {
    if (hasCode(error, "EEXIST")) throw unusable(`The key file ${path} was made by somebody else at the same time.`, "Start again.", error);
    throw unusable(
      `The key file ${path} cannot be written (${codeOf(error)}).`,
      `Let the engine write to that folder, or set ENV_MANAGER_MASTER_KEY. ${HOW_TO_MAKE}`,
      error,
    );
  }
  return key;
}

/** Gives the draft its name unless that is taken. */
async function claim(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    // A file system without hard links: an SQLite file has one engine only, so that nobody races for the name.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(error))) throw error;
    await rename(draft, path);
  }
  await unlink(draft).catch(ignoreMissing);
}

/** Puts the key file `replacement` in the place of `path`, in one durable step. The key that was there is gone. */
export async function replaceKeyFile(replacement: string, path: string): Promise<void> {
  await rename(replacement, path);
  // Left by a kill in `createKeyFile`, it would be the old key's second name.
  await unlink(`${path}.tmp`).catch(ignoreMissing);
  await syncFolder(path);
}

/** Removes a key file for good; one that is not there is fine. */
export async function removeKeyFile(path: string): Promise<void> {
  await unlink(path).catch(ignoreMissing);
  await syncFolder(path);
}

/** A new name is durable only when its folder is. Windows has no such call, and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function tooOpen(path: string, mode: number): AppError {
  return unusable(
    `The key file ${path} has mode ${mode.toString(8).padStart(4, "0")}, so that others than its owner may use it. Whoever has read it can read the secrets.`,
    `Run: chmod 600 "${path}". If somebody else may have read it, change the key too: npm run vault:rotate.`,
  );
}

function unusable(reason: string, fix: string, cause?: unknown): AppError {
  return new AppError("vault_unavailable", { reason, fix, cause });
}

function hasCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, "ENOENT")) throw error;
}
