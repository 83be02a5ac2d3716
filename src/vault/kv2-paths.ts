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

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
