import { parse } from "dotenv";
import { type DotenvContent, DotenvError, readDotenv as readText } from "../dotenv/read.ts";
import { failed, usage } from "./failure.ts";

/** Reads a `.env` file. @throws Failure with its name and the line; nothing of the content is part of it */
export function readDotenv(text: string, path: string): DotenvContent {
  try {
    return readText(text);
  } catch (error) {
    if (error instanceof DotenvError) throw usage(`${path}, ${error.message}.`, error.fix);
    throw error;
  }
}

/**
 * Variables as a `.env` file that dotenv reads back as they are. It has no way to write some values (one with all three kinds of
 * quotes and a line end, for example): those are refused by name, never written as something else.
 * @throws Failure
 */
export function writeDotenv(values: Readonly<Record<string, string>>): string {
  const text = Object.entries(values)
    .map(([name, value]) => `${name}=${written(name, value)}\n`)
    .join("");
  // Quotes reach over lines: what is right by itself is looked at once more as a whole.
  const read = parse(text);
  const wrong = Object.entries(values).find(([name, value]) => read[name] !== value);
  if (wrong !== undefined) throw unwritable(wrong[0]);
  return text;
}

function written(name: string, value: string): string {
  const candidates = [
    ...(/^[\w./:@%+,=-]*$/.test(value) ? [value] : []),
    ...(/['\r]|\\$/.test(value) ? [] : [`'${value}'`]),
    ...(/["]|\\[nr]|\\$/.test(value) ? [] : [`"${value.replaceAll("\r", "\\r").replace(/\n/g, value.includes("\r") ? "\\n" : "\n")}"`]),
    ...(/[`\r]|\\$/.test(value) ? [] : [`\`${value}\``]),
    ...(/[#\r\n]|^['"`]|^\s|\s$/.test(value) ? [] : [value]),
  ];
  const found = candidates.find((candidate) => parse(`${name}=${candidate}\n`)[name] === value);
  if (found === undefined) throw unwritable(name);
  return found;
}

function unwritable(name: string): Error {
  return failed(
    `The value of ${name} cannot be written in a .env file: its syntax has no way to hold it.`,
    "Use --format json, yaml or shell.",
  );
}
