import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { expect } from "vitest";
import type { Members } from "../support/engine.ts";

/** What a browser sends to an engine, and whatever a browser would not: nothing is added to a request. */

export interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: unknown;
}

export interface Came {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Members;
}

/** @param url of the engine, without a path */
export function send(url: string, { method = "GET", path, headers = {}, body }: Sent): Promise<Came> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const about = payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers: { ...about, ...headers }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const isJson = response.headers["content-type"]?.startsWith("application/json") === true && text !== "";
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: isJson ? (JSON.parse(text) as Members) : {} });
      });
    });
    request.once("error", reject);
    request.end(payload);
  });
}

export const bearer = (token: string): OutgoingHttpHeaders => ({ authorization: `Bearer ${token}` });

export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: readonly string[];
  /** As a browser sends it back. */
  readonly pair: string;
}

/** The one cookie that a reply sets. */
export function cookieOf({ headers }: Pick<Came, "headers">): Cookie {
  const [line = "", ...more] = headers["set-cookie"] ?? [];
  expect(more).toEqual([]);
  const [pair = "", ...attributes] = line.split("; ");
  const at = pair.indexOf("=");
  return { name: pair.slice(0, at), value: pair.slice(at + 1), attributes, pair };
}

/** Logs in, and gives the cookie. `headers`: what a proxy adds. */
export async function logIn(url: string, token: string, headers: OutgoingHttpHeaders = {}): Promise<Cookie> {
  const reply = await send(url, { method: "POST", path: "/session", headers, body: { token } });
  expect(reply.status, reply.text).toBe(200);
  return cookieOf(reply);
}
