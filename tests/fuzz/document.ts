import type { Schema, Schemas } from "./schema.ts";

/** The OpenAPI document that an engine serves, as a client has it: nothing here knows the engine's source. */

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly method: string;
  /** As the document writes it: `/env/{project}`. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | null;
  /** By status: of a success the media types with their schemas, of an error the codes. */
  readonly responses: ReadonlyMap<number, DocumentedResponse>;
}

export interface DocumentedResponse {
  readonly content: Readonly<Record<string, Schema>>;
  readonly codes: ReadonlySet<string>;
}

interface RawOperation {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, RawResponse>>;
}

interface RawResponse {
  readonly content?: Readonly<Record<string, { readonly schema: Schema; readonly examples?: Readonly<Record<string, unknown>> }>>;
}

export interface RawDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components: { readonly schemas: Schemas };
}

/** What a request's method and path come to. */
export type Target =
  | { readonly operation: Operation; readonly methods: readonly string[] }
  | { readonly operation: null; readonly methods: readonly string[] };

export class Reference {
  readonly operations: readonly Operation[];
  readonly schemas: Schemas;
  /** Paths, those first that win where several fit. */
  readonly #paths: readonly { readonly segments: readonly string[]; readonly operations: readonly Operation[] }[];

  constructor({ paths, components }: RawDocument) {
    this.schemas = components.schemas;
    const entries = Object.entries(paths).map(([path, methods]) => ({
      segments: path.split("/"),
      operations: Object.entries(methods).map(([method, raw]) => operationOf(method.toUpperCase(), path, raw)),
    }));
    this.#paths = entries.sort((left, right) => compareSegments(left.segments, right.segments));
    this.operations = entries.flatMap(({ operations }) => operations);
  }

  /** Which operation answers, going by the path as it is sent; `methods` are those that its path has. */
  target(method: string, path: string): Target {
    const segments = path.split(/[?#]/, 1)[0]?.split("/") ?? [];
    const found = this.#paths.find((candidate) => fits(candidate.segments, segments));
    const wanted = method === "HEAD" ? "GET" : method;
    const operations = found?.operations ?? [];
    return { operation: operations.find((one) => one.method === wanted) ?? null, methods: operations.map((one) => one.method) };
  }
}

function operationOf(method: string, path: string, raw: RawOperation): Operation {
  const { operationId, parameters, requestBody, responses } = raw;
  const documented = Object.entries(responses).map(([status, response]) => [Number(status), responseOf(Number(status), response)] as const);
  const body = requestBody?.content["application/json"]?.schema ?? null;
  return { operationId, method, path, parameters, body, responses: new Map(documented) };
}

/** The codes of an error are the names of its examples. A 503 may be both: an answer of its own, and an error. */
function responseOf(status: number, { content = {} }: RawResponse): DocumentedResponse {
  const schemas = Object.fromEntries(Object.entries(content).map(([type, { schema }]) => [type, schema]));
  const codes = status < 400 ? [] : Object.values(content).flatMap(({ examples }) => Object.keys(examples ?? {}));
  return { content: schemas, codes: new Set(codes) };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (isParameter(part) ? segments[index] !== "" : part === segments[index]))
  );
}

/** Literal segments before parameters, as routers do. */
function compareSegments(left: readonly string[], right: readonly string[]): number {
  for (const [index, part] of left.entries()) {
    const order = Number(isParameter(part)) - Number(isParameter(right[index] ?? ""));
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function isParameter(segment: string): boolean {
  return segment.startsWith("{");
}
