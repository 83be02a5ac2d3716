import type { Json } from "../ports.ts";

/**
 * The one pretty text of a JSON value: members sorted as in canonical JSON (RFC 8785), two spaces a level, a line feed at the end, so
 * that equal values are equal files and a change of one member is a change of its own lines. `JSON.stringify` would put members
 * whose names are whole numbers first, in an order of its own.
 *
 * @example prettyJson({ b: [], a: 1 }) === '{\n  "a": 1,\n  "b": []\n}\n'
 */
export function prettyJson(value: Json): string {
  return `${write(value, "\n")}\n`;
}

function write(value: Json, line: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${line}  `;
  if (Array.isArray(value))
    return enclose(
      "[",
      (value as readonly Json[]).map((item) => inner + write(item, inner)),
      `${line}]`,
    );
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return enclose(
    "{",
    members.map(([name, member]) => `${inner}${JSON.stringify(name)}: ${write(member, inner)}`),
    `${line}}`,
  );
}

function enclose(open: string, items: readonly string[], close: string): string {
  return items.length === 0 ? open + close.trim() : open + items.join(",") + close;
}
