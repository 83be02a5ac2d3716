import { randomBytes } from "node:crypto";
import { type FileHandle, lstat, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failed, fileFailure, systemCode, usage } from "./failure.ts";

/** What is written: a text, or parts of one as they come. */
type Content = string | AsyncIterable<string>;

/** Whether what is exported goes to standard output. */
export function isStdout(file: string | undefined): file is undefined {
  return file === undefined || file === "-" || file === "/dev/stdout";
}

/**
 * Writes a file as a whole or not at all: into a file beside it, which takes its place when everything is on the disk. What is no
 * regular file (a device, a pipe) is written to as it is.
 * @throws Failure
 */
export async function writeWhole(path: string, content: Content, { mode }: { readonly mode?: number } = {}): Promise<void> {
  const existing = await stat(path).catch(() => null);
  try {
    if (existing !== null && !existing.isFile()) return await writeInto(path, "w", content, existing.isDirectory() ? "EISDIR" : null);
    const target = await destination(path);
    const beside = join(dirname(target), `.envm-${randomBytes(8).toString("hex")}.tmp`);
    const kept = mode ?? (existing === null ? 0o666 : existing.mode & 0o777);
    try {
      await writeInto(beside, "wx", content, null, kept, mode !== undefined || existing !== null);
      await rename(beside, target);
    } catch (error) {
      await unlink(beside).catch(() => {});
      throw error;
    }
  } catch (error) {
    throw systemCode(error) === null ? error : fileFailure("written", path, error);
  }
}

async function writeInto(
  path: string,
  flags: string,
  content: Content,
  refusal: string | null,
  mode = 0o666,
  exact = false,
): Promise<void> {
  if (refusal !== null) throw Object.assign(new Error(refusal), { code: refusal });
  const file = await open(path, flags, mode);
  try {
    // The mask of the process may have taken away what was asked for.
    if (exact) await file.chmod(mode);
    for await (const part of typeof content === "string" ? [content] : content) await file.writeFile(part);
    await synced(file);
  } finally {
    await file.close();
  }
}

/** Pipes and devices cannot be synced. */
async function synced(file: FileHandle): Promise<void> {
  await file.sync().catch((error: unknown) => {
    if (!["EINVAL", "ENOTSUP", "EROFS"].includes(systemCode(error) ?? "")) throw error;
  });
}

/** Where a link leads: what takes the link's place would leave its file behind. */
async function destination(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return isLink ? realpath(path) : path;
}

/** A text file as a whole. @throws Failure where it cannot be read, is too large or is no text */
export async function readText(path: string, limit: number): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const bytes = await readBytes(file.createReadStream({ autoClose: false }), limit);
      return decoded(bytes, path, limit);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw systemCode(error) === null ? error : fileFailure("read", path, error);
  }
}

export async function readStdin(limit: number): Promise<string> {
  return decoded(await readBytes(process.stdin, limit), "standard input", limit);
}

/** `null` where there is more than `limit`. */
async function readBytes(stream: AsyncIterable<unknown>, limit: number): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    const bytes = Buffer.from(part as Uint8Array);
    size += bytes.length;
    if (size > limit) return null;
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

function decoded(bytes: Buffer | null, path: string, limit: number): string {
  if (bytes === null) throw failed(`${path} is larger than ${limit} bytes.`, "Give less at a time.");
  try {
    // A byte order mark is no part of the text.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw usage(`${path} is not UTF-8 text.`, "Save it as UTF-8.");
  }
}
