import { LIMITS } from "../limits.ts";
import type { ReplyOf } from "../sdk/index.ts";

/**
 * The engine's replies in words. Whatever somebody may have written (names, messages, reasons) stands in double quotes, with nothing
 * invisible in it: it is told as data, and an assistant is told so too.
 */

/** Characters that are not seen, or that make a text read as what it is not: controls, overrides, tags, separators of lines. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

export function quoted(text: string): string {
  const cut = text.length > LIMITS.mcpQuoted ? `${text.slice(0, LIMITS.mcpQuoted)}…` : text;
  return visible(JSON.stringify(cut));
}

/** A sentence of the engine's own, which quotes what others wrote. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => [...Array(character.length).keys()].map((at) => unit(character.charCodeAt(at))).join(""));
}

/** Of these JSON shows the reader what they are. */
const SEEN = /[\t\n\r]/;

/** The engine's reply for a program, which many programs show to an assistant as it is: nothing invisible in it either, in names or values. */
export function seen(value: unknown): unknown {
  if (typeof value === "string") return value.replace(UNSEEN, (character) => (SEEN.test(character) ? character : visible(character)));
  if (Array.isArray(value)) return value.map(seen);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [seen(name), seen(member)]));
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Some names, and how many more there are. */
export function names(list: readonly string[], count: number = list.length): string {
  const told = list.slice(0, LIMITS.mcpNames);
  const more = count - told.length;
  return told.map(quoted).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

type Diff = ReplyOf<"rollback">["diff_from_previous"];
type Check = ReplyOf<"promote">["checks"][number];
type Conflict = NonNullable<ReplyOf<"promote">["conflicts"]>[number];

/** What changes in an environment, a line for each kind. */
export function diffLines({ components, env_updated, flags_changed }: Diff): string[] {
  const parts: readonly (readonly [string, number, readonly string[]])[] = [
    ["components added", components.added.count, components.added.names],
    ["components changed", components.changed.count, components.changed.names],
    ["components removed", components.removed.count, components.removed.names],
    ["vars and secrets", env_updated.length, env_updated],
    ["flags", flags_changed.length, flags_changed],
  ];
  const lines = parts.filter(([, count]) => count > 0).map(([label, count, list]) => `- ${label} (${count}): ${names(list, count)}`);
  return lines.length === 0 ? ["- no component and no config changes"] : lines;
}

export function checkLines(checks: readonly Check[]): string[] {
  const asked = checks.filter(({ status }) => status !== "skipped");
  return asked.flatMap(({ name, status, reason, fix }) => [
    `- ${name}: ${status}: ${quoted(reason)}`,
    ...(fix === undefined || status === "passed" ? [] : [`  to fix: ${quoted(fix)}`]),
  ]);
}

export function conflictLines(conflicts: readonly Conflict[]): string[] {
  const told = conflicts.slice(0, LIMITS.mcpNames);
  const lines = told.map(
    ({ component, our_change, their_change }) => `- ${quoted(component)}: the target's was ${our_change}, the source's ${their_change}`,
  );
  return told.length < conflicts.length ? [...lines, `- and ${conflicts.length - told.length} more`] : lines;
}

export function lines(...parts: readonly (string | null | readonly string[])[]): string {
  return parts
    .flat()
    .filter((line) => line !== null)
    .join("\n");
}
