import * as z from "zod";
import type { Engine, Members, Method, Reply } from "../support/engine.ts";

/** What `/openapi.json` says of one status of one operation. */
interface DocumentedReply {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>;
}

export interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly responses: Readonly<Record<string, DocumentedReply>>;
}

type JsonSchema = Readonly<Record<string, unknown>>;

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly headers: Readonly<Record<string, { readonly required?: boolean }>>;
  };
}

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** Headers that say how a reply is carried, kept or shown: HTTP's and the browser's matter, the same for every route. */
const CARRIED = new Set(
  (
    "cache-control connection content-length content-security-policy content-type cross-origin-opener-policy cross-origin-resource-policy " +
    "date keep-alive permissions-policy referrer-policy transfer-encoding vary x-accel-buffering x-content-type-options x-frame-options " +
    "strict-transport-security"
  ).split(" "),
);

/** Asks a running engine, and holds each answer to what its own `/openapi.json` says: its status, its headers, its code, every member of its body. */
export class Documented {
  /** What an answer had, or lacked, that the document does not say; each once. */
  readonly faults = new Set<string>();
  /** `<operationId> <status>` of all that were answered. */
  readonly seen = new Set<string>();
  readonly operations: readonly { readonly method: Method; readonly path: string; readonly operation: Operation }[];
  readonly #engine: Engine;
  readonly #document: OpenApi;
  readonly #schemas = new Map<string, z.ZodType>();

  private constructor(engine: Engine, document: OpenApi) {
    this.#engine = engine;
    this.#document = document;
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase() as Method, path, operation })),
    );
  }

  static async of(engine: Engine): Promise<Documented> {
    const { body } = await engine.get<OpenApi>("/openapi.json");
    return new Documented(engine, body);
  }

  async ask(method: Method, path: string, { body, headers = {} }: Asked = {}): Promise<Reply<Members>> {
    const operation = this.#operationOf(method, path.split("?", 1)[0] ?? "");
    const reply = await this.#engine.request(method, path, body, headers);
    const where = `${operation.operationId} ${reply.status}`;
    this.seen.add(where);
    const documented = operation.responses[String(reply.status)];
    if (documented === undefined) this.faults.add(`${where}: the status is not documented (${reply.text.slice(0, 200)})`);
    else
      for (const fault of [...this.#headerFaults(documented, reply), ...this.#bodyFaults(documented, reply)])
        this.faults.add(`${where}: ${fault}`);
    return reply;
  }

  #operationOf(method: Method, path: string): Operation {
    const segments = path.split("/");
    const fits = this.operations.filter((one) => {
      const wanted = one.path.split("/");
      return (
        one.method === method &&
        wanted.length === segments.length &&
        wanted.every((name, at) => name.startsWith("{") || name === segments[at])
      );
    });
    const literals = (one: { readonly path: string }) => one.path.split("/").filter((name) => !name.startsWith("{")).length;
    const [found] = fits.sort((left, right) => literals(right) - literals(left));
    if (found === undefined) throw new Error(`the document has no ${method} ${path}`);
    return found.operation;
  }

  *#headerFaults({ headers = {} }: DocumentedReply, reply: Reply<Members>): Iterable<string> {
    const told = Object.keys(headers).map((name) => name.toLowerCase());
    for (const name of Object.keys(reply.headers)) {
      if (!CARRIED.has(name) && !told.includes(name)) yield `the header ${name} is not documented`;
    }
    for (const [name, { $ref }] of Object.entries(headers)) {
      const { required = false } = this.#document.components.headers[$ref.split("/").at(-1) ?? ""] ?? {};
      if (required && !(name.toLowerCase() in reply.headers)) yield `the header ${name} is missing`;
    }
  }

  *#bodyFaults({ description, content }: DocumentedReply, { status, headers, text, body }: Reply<Members>): Iterable<string> {
    const code = body?.code;
    if (status >= 400 && typeof code === "string" && !description.includes(`\`${code}\``)) yield `the code ${code} is not documented`;
    const type = headers["content-type"]?.split(";", 1)[0] ?? "";
    if (content === undefined) {
      if (text !== "") yield "its body is not documented";
      return;
    }
    const schema = content[type]?.schema;
    if (schema === undefined) {
      yield `its content type ${type} is not documented`;
      return;
    }
    if (type === "text/plain") return;
    const values =
      type === "application/json"
        ? [body]
        : text
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line));
    for (const value of values) {
      const { error } = this.#schema(schema).safeParse(value);
      for (const { path, message } of error?.issues ?? []) {
        yield `/${path.map((part) => (typeof part === "number" ? "n" : String(part))).join("/")}: ${message}`;
      }
    }
  }

  #schema(schema: JsonSchema): z.ZodType {
    const text = JSON.stringify(schema);
    let made = this.#schemas.get(text);
    if (made === undefined) {
      const whole = { ...(closed(schema) as JsonSchema), $defs: closed(this.#document.components.schemas) };
      const local = JSON.parse(JSON.stringify(whole).replaceAll('"#/components/schemas/', '"#/$defs/')) as JsonSchema;
      made = z.fromJSONSchema(local as Parameters<typeof z.fromJSONSchema>[0]);
      this.#schemas.set(text, made);
    }
    return made;
  }
}

/** The same schema, whose objects have no members but those that it names: readers have to bear with others, but nobody is told of them. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const members = Object.entries(schema).filter(([name]) => name !== "examples" && name !== "example");
  const copy = Object.fromEntries(members.map(([name, value]) => [name, name === "properties" ? mapped(value) : closed(value)]));
  return "properties" in copy && typeof copy.properties === "object" && "type" in copy && copy.additionalProperties === undefined
    ? { ...copy, additionalProperties: false }
    : copy;
}

/** Names are no words of the schema's. */
function mapped(properties: unknown): unknown {
  return Object.fromEntries(Object.entries(properties as object).map(([name, value]) => [name, closed(value)]));
}
