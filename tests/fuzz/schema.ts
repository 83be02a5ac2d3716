/** JSON Schema, as far as the OpenAPI document uses it: a keyword that is not here is a reason to stop, not to look away. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: TypeName | readonly TypeName[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

export type TypeName = "string" | "number" | "integer" | "boolean" | "null" | "object" | "array";
export type Schemas = Readonly<Record<string, Schema>>;

const KEYWORDS: ReadonlySet<string> = new Set<keyof Schema>([
  "$ref",
  "type",
  "enum",
  "const",
  "anyOf",
  "oneOf",
  "properties",
  "required",
  "additionalProperties",
  "propertyNames",
  "items",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "pattern",
  "format",
  "minimum",
  "maximum",
  "description",
  "examples",
]);

const FORMATS: Readonly<Record<string, RegExp>> = {
  "date-time": /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/,
  uri: /^[a-z][a-z0-9+.-]*:\S+$/i,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
};

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * Compares values with schemas. Stricter than JSON Schema in one thing: where an object's members are listed and nothing is said of
 * others, there may be no others. A reply that has them has something that nobody documented.
 */
export class Checker {
  readonly #schemas: Schemas;

  constructor(schemas: Schemas) {
    this.#schemas = schemas;
    for (const schema of Object.values(schemas)) checkKeywords(schema);
  }

  /** What is wrong with a value that came as JSON, as `path: fault`; empty where nothing is. */
  faults(schema: Schema, value: unknown, path = "$"): readonly string[] {
    if (schema.$ref !== undefined) return this.faults(this.resolve(schema), value, path);
    const json = value as Json;
    const faults = [...plainFaults(schema, json), ...this.#choiceFaults(schema, json)].map((fault) => `${path}: ${fault}`);
    if (Array.isArray(json)) return [...faults, ...this.#itemFaults(schema, json, path)];
    if (typeof json === "object" && json !== null) return [...faults, ...this.#memberFaults(schema, json as Members, path)];
    return faults;
  }

  resolve(schema: Schema): Schema {
    if (schema.$ref === undefined) return schema;
    const name = schema.$ref.replace("#/components/schemas/", "");
    const found = this.#schemas[name];
    if (found === undefined) throw new Error(`The document has no ${schema.$ref}.`);
    return found;
  }

  #choiceFaults({ anyOf, oneOf }: Schema, value: Json): string[] {
    const fitting = (options: readonly Schema[]) => options.filter((option) => this.faults(option, value).length === 0).length;
    const faults: string[] = [];
    if (anyOf !== undefined && fitting(anyOf) === 0) faults.push("fits none of the alternatives");
    if (oneOf !== undefined && fitting(oneOf) !== 1) faults.push("does not fit exactly one of the alternatives");
    return faults;
  }

  #itemFaults({ items, minItems = 0, maxItems = Number.POSITIVE_INFINITY }: Schema, list: readonly Json[], path: string): string[] {
    const count = list.length < minItems || list.length > maxItems ? [`${path}: has ${list.length} items`] : [];
    return items === undefined ? count : [...count, ...list.flatMap((item, index) => this.faults(items, item, `${path}[${index}]`))];
  }

  #memberFaults({ properties, required = [], additionalProperties, propertyNames }: Schema, value: Members, path: string): string[] {
    const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${path}.${name}: is missing`);
    const others = additionalProperties ?? properties === undefined;
    const members = Object.entries(value).flatMap(([name, member]) => {
      const at = `${path}.${name}`;
      const named = propertyNames === undefined ? [] : this.faults(propertyNames, name, `${at} (its name)`);
      const schema = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : others;
      if (schema === false || schema === undefined) return [...named, `${at}: is not documented`];
      return schema === true ? named : [...named, ...this.faults(schema, member, at)];
    });
    return [...missing, ...members];
  }
}

type Members = Readonly<Record<string, Json>>;

function plainFaults(schema: Schema, value: Json): string[] {
  const faults: string[] = [];
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => isOf(type, value))) faults.push(`is no ${types.join(" or ")}: ${shown(value)}`);
  if (schema.enum !== undefined && !schema.enum.includes(value)) faults.push(`is none of ${schema.enum.join(", ")}: ${shown(value)}`);
  if (schema.const !== undefined && schema.const !== value) faults.push(`is not ${shown(schema.const)}: ${shown(value)}`);
  if (typeof value === "string") faults.push(...textFaults(schema, value));
  if (typeof value === "number") faults.push(...numberFaults(schema, value));
  return faults;
}

function isOf(type: TypeName, value: Json): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return type === "integer" ? Number.isInteger(value) : typeof value === type;
}

function textFaults({ minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format }: Schema, value: string): string[] {
  const faults: string[] = [];
  const length = [...value].length;
  if (length < minLength || length > maxLength) faults.push(`has ${length} characters`);
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value)) faults.push(`does not match ${pattern}: ${shown(value)}`);
  if (format !== undefined && !formatOf(format).test(value)) faults.push(`is no ${format}: ${shown(value)}`);
  return faults;
}

function numberFaults({ minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY }: Schema, value: number): string[] {
  return value < minimum || value > maximum ? [`is out of its bounds: ${value}`] : [];
}

function formatOf(format: string): RegExp {
  const known = FORMATS[format];
  if (known === undefined) throw new Error(`The document uses the format ${format}, which nothing here checks.`);
  return known;
}

function checkKeywords(schema: Schema): void {
  const unknown = Object.keys(schema).find((keyword) => !KEYWORDS.has(keyword));
  if (unknown !== undefined) throw new Error(`The document uses the keyword ${unknown}, which nothing here checks.`);
  for (const part of partsOf(schema)) checkKeywords(part);
}

function partsOf({ anyOf = [], oneOf = [], properties = {}, additionalProperties, propertyNames, items }: Schema): readonly Schema[] {
  const single = [additionalProperties, propertyNames, items].filter((part) => typeof part === "object");
  return [...anyOf, ...oneOf, ...Object.values(properties), ...single];
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? String(value);
}
