import fc from "fast-check";
import { type JsonValue, Pairs, Raw, toJsonValue } from "./json-text.ts";
import { Checker, type Schema, type Schemas, type TypeName } from "./schema.ts";
import { membersOf, smallJson, type Vocabulary } from "./vocabulary.ts";

/** Of a hundred values, how many are not what the schema asks for. */
const BROKEN = 4;
/** Of a hundred objects, how many have an optional member: few, since each asks for more, but for those without which a request does little. */
const SELDOM = 6;
const OFTEN: Readonly<Record<string, number>> = {
  base_from: 70,
  strategy: 50,
  set: 80,
  vars: 40,
  secrets: 40,
  flags: 20,
  env_variables: 25,
  expires_in: 35,
  unset: 15,
  remove: 15,
};
const LEFT_OUT: unique symbol = Symbol("left out");
type Member = readonly [string, JsonValue];

const HOSTILE_TEXTS = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "x\udfffy",
  "\u202eabc",
  "\u200b",
  "\ufeff",
  "e\u0301",
  "🚀",
  "\u2028",
  "__proto__",
  "constructor",
  "toString",
  "../../etc/passwd",
  "a/b",
  "%00",
  "null",
  "true",
  "-1",
  "NaN",
  "*",
  "**",
  "~",
  "\\",
  '"',
  "\r\nX-Injected: yes",
  "a".repeat(65),
  "a".repeat(257),
  "é".repeat(2_001),
  "b".repeat(70_000),
];
const HOSTILE_NUMBERS = [
  "0",
  "-1",
  "-0",
  "1.5",
  "1e400",
  "-1e400",
  "1e-400",
  "9007199254740993",
  "1e21",
  "2147483648",
  "00",
  "1.",
  "NaN",
  "0x10",
];
const HOSTILE_NAMES = ["__proto__", "constructor", "prototype", "", "\0", "\ud800", "x".repeat(600), "hasOwnProperty", "id", "unknown"];
const nested = (depth: number, open: string, close: string) =>
  new Raw(open.repeat(depth) + (open === "[" ? "" : "1") + close.repeat(depth));

/** What no schema asks for. */
export const hostile: fc.Arbitrary<JsonValue> = fc.oneof(
  { arbitrary: fc.constantFrom<JsonValue>(...HOSTILE_TEXTS), weight: 6 },
  { arbitrary: fc.constantFrom(...HOSTILE_NUMBERS).map((text) => new Raw(text)), weight: 3 },
  { arbitrary: fc.constantFrom<JsonValue>(null, true, false, 0, [], new Pairs([]), [[]], [null]), weight: 4 },
  { arbitrary: fc.string({ unit: "binary", maxLength: 60 }), weight: 2 },
  {
    arbitrary: fc
      .tuple(fc.constantFrom(60, 64, 65, 70, 5_000), fc.boolean())
      .map(([depth, list]) => (list ? nested(depth, "[", "]") : nested(depth, '{"a":', "}"))),
    weight: 1,
  },
  { arbitrary: fc.constantFrom(...HOSTILE_NAMES).map((name) => new Pairs([[name, new Pairs([[name, 1]])]])), weight: 1 },
  { arbitrary: fc.constant(new Raw('{"a":1,"a":2}')), weight: 1 },
  { arbitrary: fc.array(fc.constant<JsonValue>("x"), { minLength: 50, maxLength: 200, size: "max" }), weight: 1 },
);

/** Makes values from schemas: good ones, or such of which about every second is broken somewhere. */
export class Values {
  readonly #checker: Checker;
  readonly #words: Vocabulary;
  readonly #broken: boolean;

  constructor(schemas: Schemas, words: Vocabulary, broken: boolean) {
    this.#checker = new Checker(schemas);
    this.#words = words;
    this.#broken = broken;
  }

  /** @param field the name of the field or parameter that the value is for; where several share one, `operation.name` */
  of(schema: Schema, field: string): fc.Arbitrary<JsonValue> {
    const right = this.#right(this.#checker.resolve(schema), field);
    return this.#broken ? fc.oneof({ arbitrary: right, weight: 100 - BROKEN }, { arbitrary: hostile, weight: BROKEN }) : right;
  }

  #right(schema: Schema, field: string): fc.Arbitrary<JsonValue> {
    const words = this.#words.text(field);
    if (words === undefined) return this.#made(schema, field);
    // Words are of the fields' own kind, but a field of the same name elsewhere may be something else.
    return schema.type === "object" ? this.#made(schema, field) : words;
  }

  #made(schema: Schema, field: string): fc.Arbitrary<JsonValue> {
    const options = schema.anyOf ?? schema.oneOf;
    if (options !== undefined) return fc.oneof(...options.map((option) => this.of(option, field)));
    if (schema.const !== undefined) return fc.constant(toJsonValue(schema.const));
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum.map(toJsonValue));
    if (schema.type === undefined) return smallJson;
    return fc.oneof(...[schema.type].flat().map((type) => this.#ofType(type, schema, field)));
  }

  #ofType(type: TypeName, schema: Schema, field: string): fc.Arbitrary<JsonValue> {
    switch (type) {
      case "string":
        return textOf(schema);
      case "integer":
        return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? Math.max(1_000, (schema.minimum ?? 0) + 1_000) });
      case "number":
        return fc.double({ noNaN: true, noDefaultInfinity: true });
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "array":
        return this.#list(schema, field);
      case "object":
        return this.#object(schema, field);
    }
  }

  #list({ items = {}, minItems = 0, maxItems = 4 }: Schema, field: string): fc.Arbitrary<JsonValue> {
    return fc.array(this.of(items, `${field}[]`), { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 4)) });
  }

  #object({ properties, required = [], additionalProperties }: Schema, field: string): fc.Arbitrary<JsonValue> {
    if (properties === undefined) {
      const value = typeof additionalProperties === "object" ? additionalProperties : {};
      const name = this.#words.memberName(field) ?? fc.string({ maxLength: 12 });
      return membersOf(this.#broken ? mostlyRight(name, fc.constantFrom(...HOSTILE_NAMES)) : name, this.of(value, `${field}.*`));
    }
    const members = Object.entries(properties).map(([name, schema]) => this.#member(name, schema, required.includes(name)));
    const listed = fc.tuple(...members).map((all) => all.filter((member): member is Member => member !== LEFT_OUT));
    return (this.#broken ? fc.tuple(listed, this.#extra()) : fc.tuple(listed, fc.constant([]))).map(
      ([known, extra]) => new Pairs([...known, ...extra]),
    );
  }

  /** A required member is there, but for a broken value now and then. */
  #member(name: string, schema: Schema, required: boolean): fc.Arbitrary<Member | typeof LEFT_OUT> {
    const member = this.of(schema, name).map((value): Member => [name, value]);
    const absent = required ? (this.#broken ? BROKEN : 0) : 100 - (OFTEN[name] ?? SELDOM);
    return fc.oneof({ arbitrary: fc.constant<typeof LEFT_OUT>(LEFT_OUT), weight: absent }, { arbitrary: member, weight: 100 - absent });
  }

  /** Fields that nobody asked for, or one a second time. */
  #extra(): fc.Arbitrary<readonly Member[]> {
    const name = fc.constantFrom(...HOSTILE_NAMES, "project_id", "env", "message", "vars");
    const extra = fc.tuple(name, hostile).map((member): readonly Member[] => [member]);
    return fc.oneof({ arbitrary: fc.constant<readonly Member[]>([]), weight: 100 - BROKEN }, { arbitrary: extra, weight: BROKEN });
  }
}

function mostlyRight<Value>(right: fc.Arbitrary<Value>, wrong: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.oneof({ arbitrary: right, weight: 100 - BROKEN }, { arbitrary: wrong, weight: BROKEN });
}

function textOf({ pattern, minLength = 0, maxLength = 30 }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, "u"));
  return fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 30)) });
}
