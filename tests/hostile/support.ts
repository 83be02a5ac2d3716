import { type Agent, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { expect } from "vitest";
import { bodyOf } from "../support/body.ts";
import type { Engine, Members, Reply } from "../support/engine.ts";

/** What whoever means harm sends, and who they are. */

export const ROOT = "root-token-of-the-hostile-tests";

/** Of a value that must be seen nowhere: long enough to occur by itself nowhere, and no word of the engine's. */
export const canary = (name: string): string => `canary-${name}-5d1c90f7`;

export interface Question {
  readonly method?: string;
  /** Goes out as it is. */
  readonly path: string;
  /** `null`: none at all. */
  readonly token?: string | null;
  /** Text and bytes as they are; anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: OutgoingHttpHeaders;
  readonly agent?: Agent;
}

/** One request, as whoever has the token: the root token where none is given. */
export function ask<Body = Members>(engine: Engine, question: Question): Promise<Reply<Body>> {
  const { method = "GET", path, token = ROOT, body, headers, agent } = question;
  const payload = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const sent: OutgoingHttpHeaders = {
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...(payload !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
    ...headers,
  };
  const { hostname, port } = new URL(engine.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers: sent, agent: agent ?? false }, (response) => {
      bodyOf(response).then((text) => {
        const isJson = /[/+]json\b/.test(response.headers["content-type"] ?? "") && text !== "";
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          body: (isJson ? JSON.parse(text) : undefined) as Body,
        });
      }, reject);
    });
    request.once("error", reject);
    request.end(payload);
  });
}

/** Asserts the status and gives the body. */
export async function succeed<Body = Members>(engine: Engine, question: Question, status = 200): Promise<Body> {
  const reply = await ask<Body>(engine, question);
  expect(reply.status, reply.text.slice(0, 2_000)).toBe(status);
  return reply.body;
}

export interface TokenWish {
  readonly name?: string;
  readonly role: string;
  readonly projects: readonly string[];
  readonly envs?: readonly string[];
  readonly rights?: readonly string[];
}

export interface Issued {
  readonly id: string;
  readonly token: string;
}

/** A token that the root token makes. */
export function issue(engine: Engine, { name = "mallory", ...wish }: TokenWish): Promise<Issued> {
  return succeed<Issued>(engine, { method: "POST", path: "/tokens", body: { name, ...wish } }, 201);
}

export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Everything that came. */
  readonly text: string;
}

/** Sends bytes that no client would and gives what came back until the engine closed. */
export function sendRaw(engine: Engine, bytes: string): Promise<RawReply> {
  const { hostname, port } = new URL(engine.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(parsed(text)));
    socket.write(bytes, "latin1");
  });
}

function parsed(text: string): RawReply {
  const [statusLine = "", ...lines] = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => [line.replace(/:.*/, "").toLowerCase(), line.replace(/^[^:]*: ?/, "")]));
  return { status: Number(statusLine.split(" ")[1]), headers, text };
}

/** A request's bytes, with lines of headers exactly as given. */
export function rawRequest(engine: Engine, method: string, path: string, ...lines: readonly string[]): string {
  const own = [`Host: ${new URL(engine.url).host}`, `Authorization: Bearer ${ROOT}`, "Connection: close"];
  return [`${method} ${path} HTTP/1.1`, ...own, ...lines, "", ""].join("\r\n");
}

export interface Operation {
  readonly id: string;
  /** Upper case. */
  readonly method: string;
  /** As the document has it: `/env/{project}`. */
  readonly path: string;
  readonly open: boolean;
  /** The names of the path's parameters. */
  readonly names: readonly string[];
  /** The example of the body, where the operation takes one. */
  readonly example: Members | null;
  /** The schema of the body, where the operation takes one, and the names of its query. */
  readonly schema: Members | null;
  readonly query: readonly string[];
}

interface DocumentedOperation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: { readonly "application/json": { readonly schema: { $ref: string }; readonly example: Members } };
  };
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Members>> };
}

/** Every operation that the engine's own document names. */
export async function operationsOf(engine: Engine): Promise<readonly Operation[]> {
  const { paths, components } = await succeed<ApiDocument>(engine, { path: "/openapi.json", token: null });
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, security, parameters, requestBody }]): Operation => {
      const media = requestBody?.content["application/json"];
      const namesIn = (where: string) => parameters.filter((parameter) => parameter.in === where).map(({ name }) => name);
      return {
        id: operationId,
        method: method.toUpperCase(),
        path,
        open: security?.length === 0,
        names: namesIn("path"),
        query: namesIn("query"),
        example: media?.example ?? null,
        schema: media === undefined ? null : (components.schemas[media.schema.$ref.split("/").at(-1) ?? ""] ?? null),
      };
    }),
  );
  expect(operations.length).toBeGreaterThan(40);
  return operations;
}

/** A path with its parameters filled in, as they are. */
export function filled(path: string, names: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => names[name] ?? `missing-${name}`);
}
