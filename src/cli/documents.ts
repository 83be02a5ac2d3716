import { Failure, usage } from "./failure.ts";

/** What a JSON or YAML text holds. Its errors name the place and show nothing of the content. @throws Failure */
export async function parsedDocument(text: string, path: string): Promise<unknown> {
  // YAML takes it for null, which is what a program that failed, or a variable that is not set, would put in the place of what is there.
  if (text.trim() === "") throw usage(`${path}: there is nothing in it.`, "Give its content; where null is meant, write null.");
  if (/^\s*[[{"]/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      checkNumbers(text, path);
      return value;
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (!/\.ya?ml$/.test(path)) throw usage(`${path}${placeIn(text, error)}: this is not valid JSON.`, "Mend it there.");
    }
  }
  const { parseDocument } = await import("./yaml.ts");
  const document = parseDocument(text, { uniqueKeys: true, logLevel: "silent" });
  const [error] = document.errors;
  if (error === undefined) {
    try {
      return document.toJS({ maxAliasCount: 100 });
    } catch {
      throw usage(`${path}: its aliases unfold into too much.`, "Write it without aliases.");
    }
  }
  const line = error.linePos?.[0].line;
  throw usage(`${path}${line === undefined ? "" : `, line ${line}`}: this is neither valid JSON nor valid YAML.`, "Mend it there.");
}

const TEXTS_AND_NUMBERS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** JSON.parse makes another number of one that has too many digits, without a word: what was meant must not be lost on the way. */
function checkNumbers(text: string, path: string): void {
  for (const { 0: found, index } of text.matchAll(TEXTS_AND_NUMBERS)) {
    if (found.startsWith('"') || found.length < 16) continue;
    const value = Number(found);
    if (Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value))) continue;
    const line = text.slice(0, index).split("\n").length;
    throw usage(`${path}, line ${line}: this number has more digits than JSON's readers keep.`, "Write it as text, in quotes.");
  }
}

/** Where JSON.parse gave up, as far as it says. */
function placeIn(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  if (position !== undefined) return `, line ${text.slice(0, Number(position)).split("\n").length}`;
  return /end of JSON input/.test(message) ? `, line ${text.split("\n").length}` : "";
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
