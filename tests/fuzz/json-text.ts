/** JSON as it may be sent, good or bad: what a JavaScript value cannot hold (a member twice, `1e400`, `-0`) has its text. */
export type JsonValue = null | boolean | number | string | Raw | Pairs | readonly JsonValue[];

/** A piece of JSON text, or of what is none, as it stands. */
export class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An object, with its members in their order: any name, `__proto__` too, and any as often as it comes. */
export class Pairs {
  readonly members: readonly (readonly [string, JsonValue])[];

  constructor(members: readonly (readonly [string, JsonValue])[]) {
    this.members = members;
  }
}

export function jsonText(value: JsonValue): string {
  if (value instanceof Raw) return value.text;
  if (value instanceof Pairs) return `{${value.members.map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`).join(",")}}`;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  return JSON.stringify(value);
}

/** A value out of a document, such as an example. */
export function toJsonValue(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(toJsonValue);
  if (typeof value === "object" && value !== null)
    return new Pairs(Object.entries(value).map(([name, member]) => [name, toJsonValue(member)]));
  return value as null | boolean | number | string;
}
