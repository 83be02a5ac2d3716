import { ANY_SIZE, scanJson } from "../json-text/scan.ts";
import { Failure, usage } from "./failure.ts";

/** What a JSON or YAML text holds. Its errors name the place and show nothing of the content. @throws Failure */
export async function parsedDocument(text: string, path: string): Promise<unknown> {
  // YAML takes it for null, which is what a program that failed, or a variable that is not set, would put in the place of what is there.
  if (text.trim() === "") throw usage(`${path}: there is nothing in it.`, "Give its content; where null is meant, write null.");
  if (/^\s*[[{"]/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      checkKept(text, path);
      return value;
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (!/\.ya?ml$/.test(path)) throw usage(`${path}${placeIn(text, error)}: this is not valid JSON.`, "Mend it there.");
    }
  }
  const { parseDocument, visit } = await import("./yaml.ts");
  const document = parseDocument(text, { uniqueKeys: true, intAsBigInt: true, logLevel: "silent" });
  const [error] = document.errors;
  if (error === undefined) {
    visit(document, {
      Scalar(_key, node) {
        if (typeof node.value !== "bigint" && typeof node.value !== "number") return;
        const number = Number(node.value);
        if (!isKept(node.value, number)) throw changed(`${path}, line ${lineAt(text, node.range?.[0] ?? 0)}`);
        node.value = number;
      },
    });
    try {
      return document.toJS({ maxAliasCount: 100 });
    } catch {
      throw usage(`${path}: its aliases unfold into too much.`, "Write it without aliases.");
    }
  }
  const line = error.linePos?.[0].line;
  throw usage(`${path}${line === undefined ? "" : `, line ${line}`}: this is neither valid JSON nor valid YAML.`, "Mend it there.");
}

/**
 * JSON.parse makes another number of one that no double is, and takes the last of two members of one name, without a word: what was meant
 * must not be lost on the way. So it is held to what the engine takes, which hears no more of it.
 */
function checkKept(text: string, path: string): void {
  try {
    scanJson(Buffer.from(text), ANY_SIZE);
  } catch (error) {
    throw usage(error instanceof Error ? error.message.replace(/^The body/, path) : String(error), "Mend it there.");
  }
}

/** Whether JSON has the number as it was written; a fraction may be rounded. */
function isKept(written: bigint | number, number: number): boolean {
  if (!Number.isFinite(number)) return false;
  return typeof written === "number" || BigInt(number) === written || String(number) === String(written);
}

function changed(place: string): Failure {
  return usage(`${place}: a number does not fit a double, and would change.`, "Write it as text, in quotes.");
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Where JSON.parse gave up, as far as it says. */
function placeIn(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  if (position !== undefined) return `, line ${lineAt(text, Number(position))}`;
  return /end of JSON input/.test(message) ? `, line ${text.split("\n").length}` : "";
}
