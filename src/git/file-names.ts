import { LIMITS } from "../limits.ts";

/**
 * Names as file names, reversibly: what a file system, Git or a shell takes for something else is written as `%` and the two
 * hexadecimal digits of each of its UTF-8 bytes.
 */

/** What stands as it is, inside a name: ASCII that means nothing to any file system, and letters, marks and digits of all scripts. */
const PLAIN = /^[A-Za-z0-9 !#$&'()+,\-.;=@[\]^_{}\p{L}\p{M}\p{N}]$/u;
const PLAIN_ASCII_LOWER = /^[a-z0-9 !#$&'()+,\-.;=@[\]^_{}]$/;
/** Windows opens a device for these, whatever stands after the first dot. */
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ ]*(\.|$)/i;
/** Ends the name of a folder that holds the rest of a long name. No escape ends so. */
const GOES_ON = "%";
/** Begins the rest of a long name, which alone could be what no file may be called. */
const REST = "+";

/** How a name is written: `folded` where case or accents must not tell it from others. */
export type Spelling = "plain" | "folded";

/** What names have in common that some file systems take for one: compare nothing but these with one another. */
export function foldedName(name: string): string {
  return name.normalize("NFKC").toUpperCase().toLowerCase();
}

/**
 * A name as one path segment or, where it is long, as several. `encodeName("a/b", "plain")` is `a%2Fb`.
 * @throws URIError for what has no UTF-8 form
 */
export function encodeName(name: string, spelling: Spelling): string {
  // What is not in its composed form looks like what is, and some file systems bring it there.
  const isComposed = name.normalize("NFC") === name;
  const parts = escaped(name, spelling === "folded" || !isComposed ? PLAIN_ASCII_LOWER : PLAIN);
  const whole = parts.join("");
  if (Buffer.byteLength(whole) <= LIMITS.gitNameBytes) return whole;
  return chunks(spelling === "folded" ? parts : escaped(name, PLAIN_ASCII_LOWER)).join("/");
}

/** The name behind what `encodeName` wrote; `null` for what it never writes. */
export function decodeName(path: string): string | null {
  const segments = path.split("/");
  const parts = segments.map((segment, index) => {
    const begun = index === 0 ? segment : segment.startsWith(REST) ? segment.slice(REST.length) : null;
    if (index === segments.length - 1) return begun;
    return begun?.endsWith(GOES_ON) ? begun.slice(0, -GOES_ON.length) : null;
  });
  if (parts.includes(null)) return null;
  const name = unescaped(parts.join(""));
  if (name === null) return null;
  return path === encodeName(name, "plain") || path === encodeName(name, "folded") ? name : null;
}

function escaped(name: string, plain: RegExp): string[] {
  const characters = [...name];
  const isDevice = DEVICE.test(name);
  const last = characters.length - 1;
  return characters.map((character, index) => {
    const isHidden = index === 0 && (character === "." || character === " " || character === "-" || character === REST || isDevice);
    const isDropped = index === last && (character === "." || character === " ");
    return !isHidden && !isDropped && plain.test(character) ? character : bytes(character);
  });
}

function bytes(character: string): string {
  if (/^\p{Surrogate}$/u.test(character)) throw new URIError("a lone surrogate has no UTF-8 form");
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function unescaped(text: string): string | null {
  try {
    // What is no escape at all goes through as it is, and is refused by being written differently.
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function chunks(parts: readonly string[]): string[] {
  const found: string[] = [""];
  for (const part of parts) {
    const current = found.length - 1;
    if (Buffer.byteLength((found[current] ?? "") + part) > LIMITS.gitNameBytes - REST.length - GOES_ON.length) {
      found[current] += GOES_ON;
      found.push(REST + part);
    } else found[current] += part;
  }
  return found;
}
