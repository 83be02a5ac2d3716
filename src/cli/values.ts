import { BOUNDS } from "./bounds.ts";
import { usage } from "./failure.ts";
import { readStdin, readText } from "./files.ts";
import type { Prompts } from "./prompts.ts";

/** `NAME=VALUE`, or `NAME` alone: its value is asked for, or comes from standard input. */
interface Assignment {
  readonly name: string;
  /** As typed: a value, `-`, `@FILE`, or `null` where none was. */
  readonly given: string | null;
}

interface ReadingValues {
  readonly prompts: Prompts;
  /** Whether an empty value is meant; left out where none can be. */
  readonly empty?: boolean;
  /** Whether what is typed at the prompt shows. */
  readonly hidden: boolean;
}

export function assignments(typed: readonly string[]): Assignment[] {
  const first = typed[0];
  // `set NAME VALUE`, as Heroku's and Vercel's users type it.
  if (typed.length === 2 && first !== undefined && !first.includes("=") && typed[1] !== undefined && !/^[A-Za-z_][\w.-]*=/.test(typed[1])) {
    return [{ name: first, given: typed[1] }];
  }
  const found = typed.map((text): Assignment => {
    const at = text.indexOf("=");
    return at === -1 ? { name: text, given: null } : { name: text.slice(0, at), given: text.slice(at + 1) };
  });
  const twice = found.find(({ name }, index) => found.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw usage(`${twice.name} is given twice.`, "Give each name once.");
  if (found.filter(({ given }) => given === "-").length > 1)
    throw usage("Standard input can be one value only.", "Give the others as @FILE.");
  return found;
}

/** The values themselves, never shown anywhere. @throws Failure where one is empty and was not meant to be */
export async function readValues(found: readonly Assignment[], how: ReadingValues): Promise<Record<string, string>> {
  const values: [string, string][] = [];
  for (const { name, given } of found) values.push([name, await readValue(name, given, how)]);
  return Object.fromEntries(values);
}

/** `-` is standard input and `@FILE` a file, without the line end that tools put at their end; `@@…` is a value that starts with `@`. */
export async function readValue(name: string, given: string | null, { prompts, empty, hidden }: ReadingValues): Promise<string> {
  const value = await found();
  if (value === "" && !empty) {
    throw usage(
      `The value of ${name} is empty.`,
      `Give its value${empty === undefined ? "" : ", or say --empty where an empty one is meant"}.`,
    );
  }
  if (value.includes("\0")) throw usage(`The value of ${name} holds a NUL character.`, "Give text: encode bytes, for example as base64.");
  return value;

  async function found(): Promise<string> {
    if (given === null) {
      if (empty && !prompts.possible) return "";
      if (!prompts.possible && process.stdin.isTTY !== true) return withoutLineEnd(await readStdin(BOUNDS.inputBytes));
      const otherwise = `Give it as ${name}=VALUE, from standard input as ${name}=-, or from a file as ${name}=@FILE.`;
      return hidden ? prompts.hidden(`Value of ${name}`, otherwise) : prompts.text(`Value of ${name}`, { otherwise });
    }
    if (given === "-") return withoutLineEnd(await readStdin(BOUNDS.inputBytes));
    if (given.startsWith("@@")) return given.slice(1);
    if (given.startsWith("@")) return withoutLineEnd(await readText(given.slice(1), BOUNDS.inputBytes));
    return given;
  }
}

/** A document that a command takes: a file's name, `@FILE`, or `-`. */
export function readDocument(given: string, limit: number = BOUNDS.inputBytes): Promise<string> {
  return given === "-" ? readStdin(limit) : readText(given.startsWith("@") ? given.slice(1) : given, limit);
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}
