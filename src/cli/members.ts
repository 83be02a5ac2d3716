import { BOUNDS } from "./bounds.ts";
import { cut, shown } from "./width.ts";

const LONGEST = 100;

/** Which members of two JSON values differ, a line for each, deepest members first reached: `~ /fields/name: "text" → "choice"`. */
export function memberChanges(left: unknown, right: unknown): string[] {
  const lines: string[] = [];
  let more = 0;
  const tell = (line: string) => {
    if (lines.length < BOUNDS.membersTold) lines.push(line);
    else more++;
  };
  compare(left, right, "", tell);
  return more === 0 ? lines : [...lines, `… and ${more} more`];
}

function compare(left: unknown, right: unknown, path: string, tell: (line: string) => void): void {
  if (left === right) return;
  const at = path === "" ? "(all of it)" : shown(path);
  if (left === undefined) tell(`+ ${at}: ${text(right)}`);
  else if (right === undefined) tell(`- ${at}: ${text(left)}`);
  else if (isContainer(left) && isContainer(right) && Array.isArray(left) === Array.isArray(right)) {
    for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
      compare(member(left, name), member(right, name), `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, tell);
    }
  } else tell(`~ ${at}: ${text(left)} → ${text(right)}`);
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function member(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function text(value: unknown): string {
  return cut(shown(JSON.stringify(value) ?? ""), LONGEST);
}
