import type { Received } from "./connection.ts";
import type { DocumentedResponse, Operation, Reference } from "./document.ts";
import type { Sent } from "./requests.ts";
import { Checker, type Schema } from "./schema.ts";

/**
 * Says what is wrong with a reply, going by the document alone. No 5xx is let pass: the engine of a run has its disk, its vault and few
 * clients, so that none of the documented reasons for one is there.
 */
export class Judge {
  readonly #reference: Reference;
  readonly #checker: Checker;

  constructor(reference: Reference) {
    this.#reference = reference;
    this.#checker = new Checker(reference.schemas);
  }

  /** Which operation answered, and everything that is wrong with how. */
  faults(sent: Sent, received: Received): { readonly operation: string; readonly faults: readonly string[] } {
    const { operation, methods } = this.#reference.target(sent.method, sent.target);
    const { status } = received;
    const name = operation?.operationId ?? "none";
    if (status >= 500) return { operation: name, faults: [`answers ${status}`] };
    if (status >= 400) return { operation: name, faults: this.#errorFaults(sent, received, operation, methods) };
    if (operation === null) return { operation: name, faults: pageFaults(sent, received) };
    const documented = operation.responses.get(status);
    if (documented === undefined) return { operation: name, faults: [`answers ${status}, which is not documented`] };
    const faults = status === 304 ? unchangedFaults(sent, received) : this.#bodyFaults(sent, received, documented);
    return { operation: name, faults: [...faults, ...idFaults(sent, received)] };
  }

  /** Of a reply to what is no request that a route could have: an error like every other, or a reply of `/healthz` and the like. */
  wireFaults(received: Received): readonly string[] {
    if (received.status >= 500) return [`answers ${received.status}`];
    return received.status >= 400 ? this.#shapeFaults(received) : [];
  }

  #errorFaults(sent: Sent, received: Received, operation: Operation | null, methods: readonly string[]): readonly string[] {
    if (received.headers["cache-control"] !== "no-store") return ["an error that may be kept by a cache"];
    if (sent.method === "HEAD")
      return codesOf(operation, methods, received.status).size > 0 || isTransport(received, "")
        ? emptyFaults(received)
        : [`answers HEAD with ${received.status}, which is not documented`];
    if (sent.target.startsWith("/ofrep/") && !neverCame(received))
      return [...this.#ofrepFaults(received, operation), ...idFaults(sent, received)];
    const shape = this.#shapeFaults(received);
    if (shape.length > 0) return shape;
    const { code } = JSON.parse(received.text) as { readonly code: string };
    if (isTransport(received, code)) return [];
    const known = codesOf(operation, methods, received.status);
    const documented = known.has(code) ? [] : [`answers ${received.status} ${code}, which is not documented`];
    return [...documented, ...idFaults(sent, received)];
  }

  /** OFREP has a shape of its own for errors, and no codes of the engine's. */
  #ofrepFaults(received: Received, operation: Operation | null): readonly string[] {
    if (operation !== null && !isTransport(received, "") && operation.responses.get(received.status) === undefined)
      return [`answers ${received.status}, which is not documented`];
    const body = parsed(received.text);
    if (body === undefined) return ["an error whose body is no JSON"];
    return this.#checker.faults({ $ref: "#/components/schemas/OfrepError" }, body).map((fault) => `an error of another shape: ${fault}`);
  }

  #shapeFaults({ text, headers }: Received): readonly string[] {
    const body = parsed(text);
    if (body === undefined) return ["an error whose body is no JSON"];
    const faults = this.#checker.faults({ $ref: "#/components/schemas/Error" }, body);
    if (faults.length > 0) return [`an error of another shape: ${faults.join("; ")}`];
    const { reason, fix_suggestion, request_id } = body as Readonly<Record<string, string>>;
    if (reason?.trim() === "" || fix_suggestion?.trim() === "") return ["an error that says nothing"];
    return request_id === headers["x-request-id"] ? [] : ["an error whose request_id is not that of its header"];
  }

  #bodyFaults(sent: Sent, received: Received, { content }: DocumentedResponse): readonly string[] {
    const type = received.headers["content-type"]?.split(";", 1)[0] ?? "";
    const schema = content[type];
    if (received.status === 204) return emptyFaults(received);
    if (schema === undefined) return [`answers ${received.status} as ${type || "nothing"}, which is not documented`];
    if (sent.method === "HEAD") return emptyFaults(received);
    const isJson = type.endsWith("json") || type === "text/event-stream";
    const texts = textsOf(type, received.text);
    return [...new Set(texts.flatMap((text) => (isJson ? this.#valueFaults(schema, text) : this.#checker.faults(schema, text))))];
  }

  #valueFaults(schema: Schema, text: string): readonly string[] {
    const value = parsed(text);
    if (value === undefined) return ["a reply that is no JSON"];
    // The place in a list says nothing: the same fault of many items is one.
    return this.#checker.faults(schema, value).map((fault) => `a reply that its schema refuses: ${fault.replace(/\[\d+\]/g, "[]")}`);
  }
}

/** What a reply's schema describes: all of it, each line, or the data of each event. */
function textsOf(type: string, text: string): readonly string[] {
  if (type === "application/x-ndjson") return text.split("\n").slice(0, -1);
  // Of a stream that was left before its end, the last event may have come in part.
  if (type === "text/event-stream")
    return [...text.slice(0, text.lastIndexOf("\n\n") + 1).matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? "");
  return [text];
}

/** Where no operation is documented, what every request has to expect. */
const ANYWHERE = ["invalid_request", "unauthorized", "forbidden", "host_not_allowed", "origin_not_allowed", "too_many_requests"];

function codesOf(operation: Operation | null, methods: readonly string[], status: number): ReadonlySet<string> {
  if (operation !== null) return operation.responses.get(status)?.codes ?? new Set();
  return new Set([...ANYWHERE, methods.length > 0 ? "method_not_allowed" : "route_not_found"]);
}

/** What never got to a route: it is refused, and the connection closed. */
function isTransport({ status, headers }: Received, code: string): boolean {
  if (headers.connection !== "close") return false;
  return status === 431 || status === 408 || (status === 400 && (code === "invalid_request" || code === ""));
}

/** The same, as the engine says it before it knows what is asked for: in its own shape, on OFREP's paths too. */
function neverCame(received: Received): boolean {
  const { code } = (parsed(received.text) ?? {}) as { readonly code?: string };
  return code !== undefined && isTransport(received, code);
}

/** The reference for people and the dashboard are no operations: pages, scripts, styles. */
function pageFaults({ target }: Sent, { status, headers }: Received): readonly string[] {
  const isPage =
    status === 200 && /^\/docs(?:\/[a-z0-9-]+\.(?:js|css|png))?(?:\?|$)/i.test(target) && headers["content-type"] !== undefined;
  const isUnchanged = status === 304 && target.startsWith("/docs/");
  const isDashboard =
    status === 200 &&
    /^(?:\/+(?:login|settings|projects(?:\/.*)?)?\/?)?(?:\?|$)/i.test(target) &&
    String(headers["content-type"]).startsWith("text/html");
  return isPage || isDashboard || isUnchanged ? [] : [`answers ${status} where no operation is documented`];
}

function unchangedFaults({ headers }: Sent, received: Received): readonly string[] {
  const faults = emptyFaults(received);
  if (received.headers.etag === undefined) return [...faults, "a 304 without an ETag"];
  return headers["if-none-match"] === undefined ? [...faults, "a 304 that nobody asked for"] : faults;
}

function emptyFaults({ text }: Received): string[] {
  return text === "" ? [] : ["a body where there can be none"];
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

function idFaults({ headers }: Sent, received: Received): readonly string[] {
  const given = headers["x-request-id"];
  const got = String(received.headers["x-request-id"] ?? "");
  if (given !== undefined && REQUEST_ID.test(given)) return got === given ? [] : ["a reply with another X-Request-Id than the request's"];
  return REQUEST_ID.test(got) ? [] : ["a reply without an X-Request-Id"];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
