import { usage } from "./failure.ts";

/** What a JSON or YAML text holds. Its errors name the place and show nothing of the content. @throws Failure */
export async function parsedDocument(text: string, path: string): Promise<unknown> {
  if (/^\s*[[{"]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch (error) {
      if (/\.ya?ml$/.test(path) === false) throw usage(`${path}${placeIn(text, error)}: this is not valid JSON.`, "Mend it there.");
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

/** Where JSON.parse gave up, as far as it says. */
function placeIn(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  if (position !== undefined) return `, line ${text.slice(0, Number(position)).split("\n").length}`;
  return /end of JSON input/.test(message) ? `, line ${text.split("\n").length}` : "";
}
