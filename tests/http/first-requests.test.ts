import { pino } from "pino";
import { expect, test } from "vitest";
import { Authentication } from "../../src/authentication.ts";
import { createApp } from "../../src/http/app.ts";
import { tokenDigest } from "../../src/token-documents.ts";
import { openAccess } from "../access/support.ts";
import { openServer, Wire } from "../limits/support.ts";
import { ROOT_TOKEN, SETTINGS } from "./support.ts";

const PAGE = "https://shop.example";
const CASES: readonly (readonly [what: string, request: string, status: number])[] = [
  ["what there is not", "GET /nothing", 404],
  ["a method that a path does not have", "PATCH /env", 405],
  ["a method that nobody knows", "PROPFIND /env", 405],
  ["all methods", "OPTIONS /env", 405],
  ["a page of another origin", `OPTIONS /ofrep/v1/evaluate/flags\r\nOrigin: ${PAGE}\r\nAccess-Control-Request-Method: POST`, 204],
  ["a file of the dashboard's that there is not", "GET /assets/none.js", 404],
  ["an encoded path", "GET /env/%73hop/%73taging", 404],
  ["a query", "GET /env?limit=1", 200],
  ["a path that is not encoded well", "GET /env/%zz", 400],
  ["an upgrade", "GET /nothing\r\nConnection: Upgrade\r\nUpgrade: websocket", 404],
  ["a body that nobody reads", "POST /nothing\r\nContent-Length: 2\r\n\r\n{}", 404],
];

async function ready(): Promise<number> {
  const { domain, project } = await openAccess();
  await project.create("staging");
  const { tokens, sessions } = domain;
  const authentication = new Authentication({ rootDigest: tokenDigest(ROOT_TOKEN), tokens, sessions, identities: null });
  const settings = { ...SETTINGS, ofrepCorsOrigins: [PAGE] };
  return openServer(createApp({ domain, settings, logger: pino({ level: "silent" }), authentication, readiness: async () => ({}) }));
}

/** As a client sends it that asks for the connection to be closed. */
function written(request: string): string {
  const [head = "", body = ""] = request.split("\r\n\r\n");
  const [line, ...headers] = head.split("\r\n");
  const closing = headers.some((header) => header.startsWith("Connection:")) ? [] : ["Connection: close"];
  return [`${line} HTTP/1.1`, "Host: 127.0.0.1", `Authorization: Bearer ${ROOT_TOKEN}`, ...headers, ...closing, "", body].join("\r\n");
}

async function asked(port: number, request: string): Promise<string> {
  const wire = new Wire(port).send(written(request));
  const text = await wire.receive(/\r\n\r\n/);
  wire.socket.destroy();
  return text.slice(0, text.indexOf("\r\n\r\n")).replace(/\r\n(?:Date|x-request-id): [^\r]+/gi, "");
}

test.each(CASES)("%s is answered as the first request as it is as the second", async (_what, request, status) => {
  const port = await ready();
  const first = await asked(port, request);
  expect(first).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(await asked(port, request)).toBe(first);
});

test("replies keep their order, whether their requests wait for the router or not", async () => {
  const port = await ready();
  const paths = ["/nothing", "/healthz", "/env?limit=1", "/env", "/metrics", "/nothing"];
  const keeping = (path: string) => written(`GET ${path}`).replace("Connection: close\r\n", "");
  const wire = new Wire(port).send(paths.map(keeping).join("") + written("GET /healthz"));
  const statuses = (await wire.replies()).map(({ status }) => status);
  expect(statuses).toEqual([404, 200, 200, 200, 200, 404, 200]);
});
