import { invalidCall } from "./errors.ts";
import type { Operation } from "./operations.ts";

/** A call, made ready to be sent as often as need be. */
export interface Prepared {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

type Members = Readonly<Record<string, unknown>>;

/** Sorts a call's members into path, query, headers and body. */
export function prepare(operation: Operation, request: Members): Prepared {
  const { idempotencyKey, ifMatch, ...members } = request;
  const rest = new Map(Object.entries(members).filter(([, value]) => value !== undefined));
  const path = operation.path.replace(/:(\w+)/g, (_, name: string) => part(name, take(rest, name)));
  const hasBody = operation.method !== "GET" && operation.method !== "DELETE";
  const inQuery = hasBody ? (operation.query ?? []) : [...rest.keys()];
  const query = new URLSearchParams();
  for (const name of inQuery) if (rest.has(name)) query.set(name, String(take(rest, name)));
  const headers: Record<string, string> = {};
  if (operation.once) headers["idempotency-key"] = typeof idempotencyKey === "string" ? idempotencyKey : newKey();
  if (typeof ifMatch === "string") headers["if-match"] = quoted(ifMatch);
  if (hasBody) headers["content-type"] = "application/json";
  return {
    method: operation.method,
    target: query.size === 0 ? path : `${path}?${query}`,
    headers,
    body: hasBody ? bodyOf(operation, rest) : null,
  };
}

/** Not `randomUUID`, which browsers keep from pages that came over plain HTTP. */
function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function bodyOf(operation: Operation, rest: ReadonlyMap<string, unknown>): string {
  const body = operation.body === undefined ? Object.fromEntries(rest) : rest.get(operation.body);
  try {
    return JSON.stringify(body) ?? "{}";
  } catch {
    // What it says may show what it was given.
    throw invalidCall("The request cannot be written as JSON.", "Give plain data: no BigInt, and nothing that holds itself.");
  }
}

function take(members: Map<string, unknown>, name: string): unknown {
  const value = members.get(name);
  members.delete(name);
  return value;
}

/** One part of the path. A URL's parser takes `.` and `..` for steps, however they are written, and would ask another route. */
function part(name: string, value: unknown): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text === "" || text === "." || text === "..") {
    throw invalidCall(`\`${name}\` is not given, or cannot be part of a path.`, `Give \`${name}\` as text other than ".", ".." and "".`);
  }
  if (/\p{Surrogate}/u.test(text)) throw invalidCall(`\`${name}\` is not well-formed Unicode.`, "Give text without lone surrogates.");
  return encodeURIComponent(text);
}

/** Tags are taken with and without their quotes. */
export function quoted(tag: string): string {
  return tag === "*" || tag.includes('"') ? tag : `"${tag}"`;
}
