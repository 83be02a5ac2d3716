import { AppError } from "../errors.ts";
import type { SecretEntry } from "../ports.ts";

/**
 * Where an entry lies below the mount: `<prefix>/<project>/<env>/<NAME>/<id>`, one path for each. What is neither a letter, a
 * digit, `_` nor `-` is written as `~` and two hexadecimal digits for each byte: a path may not end in a period, and what
 * stands between here and the vault may make more of `..` or of `%2E` than was meant.
 *
 *     entryPath(["environment-manager"], { project: "pf-777", env: "staging", name: "mail.key", id: "a1" })
 *     // ["environment-manager", "pf-777", "staging", "mail~2Ekey", "a1"]
 */
export function entryPath(prefix: readonly string[], { project, env, name, id }: SecretEntry): string[] {
  return [...prefix, ...[project, env, name, id].map(encode)];
}

/** The entry at a path, or `null` where there is none that the engine could have put. */
export function entryAt(prefix: readonly string[], path: readonly string[]): SecretEntry | null {
  const parts = path.slice(prefix.length).map(decode);
  const [project, env, name, id] = parts;
  if (parts.length !== 4 || !prefix.every((part, index) => part === path[index])) return null;
  return project && env && name && id ? { project, env, name, id } : null;
}

/** The parts of a mount or a prefix, as `team/secret`. @throws AppError `invalid_request`, naming the setting */
export function partsOf(setting: string, path: string): string[] {
  const parts = path.replace(/^\/+|\/+$/g, "").split("/");
  if (parts.every((part) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(part) && !part.endsWith("."))) return parts;
  throw new AppError("invalid_request", {
    reason: `${setting} is "${path}". It must be a path such as team/secret, of letters, digits, "_", "-" and ".".`,
    fix: `Correct ${setting}.`,
  });
}

function encode(part: string): string {
  return part.replace(/[^A-Za-z0-9_-]/gu, (character) => [...Buffer.from(character)].map((byte) => `~${hex(byte)}`).join(""));
}

/** `null` for what `encode` does not make. */
function decode(part: string): string | null {
  const text = Buffer.from(
    part.replace(/~([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    "latin1",
  );
  const decoded = text.toString("utf8");
  return encode(decoded) === part ? decoded : null;
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
