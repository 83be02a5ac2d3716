import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A forge as a process of its own: serves the repositories of a folder over smart HTTP, by Git's own `http-backend`. Answers otherwise
 * where the path says so: `/hanging/…` never, `/redirecting/…` with a redirect, `/broken/…` with what is no Git; `/files/…` with the files of the
 * repository alone, `/cut/…` with half of a pack, `/talking/…` with a word in the place of one, and then nothing.
 *
 *     node forge.ts <folder> [<user:password>]
 */

const [, , folder = "", credential = ""] = process.argv;
const wanted = credential === "" ? null : `Basic ${Buffer.from(credential).toString("base64")}`;

const server = createServer((request, response) => {
  const { pathname, search } = new URL(request.url ?? "/", "http://forge");
  if (pathname.startsWith("/hanging/")) return;
  if (pathname.startsWith("/redirecting/"))
    return void response.writeHead(302, { location: pathname.replace("/redirecting/", "/") + search }).end();
  if (pathname.startsWith("/broken/"))
    return void response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>\n<p>no Git</p>\n");
  if (wanted !== null && request.headers.authorization !== wanted) {
    return void response.writeHead(401, { "www-authenticate": 'Basic realm="forge"' }).end();
  }
  if (pathname.startsWith("/files/")) return serve(request, response, pathname.slice("/files".length), "");
  if (pathname.startsWith("/cut/")) return serve(request, response, pathname.slice("/cut".length), search.slice(1), cut);
  if (pathname.startsWith("/talking/")) return serve(request, response, pathname.slice("/talking".length), search.slice(1), talk);
  serve(request, response, pathname, search.slice(1));
});

/** Sends what the repository answers. */
type Send = (response: ServerResponse, body: Buffer) => void;

const PACK = Buffer.from("packfile\n");
const whole: Send = (response, body) => void response.end(body);
const cut: Send = (response, body) =>
  body.includes(PACK) ? void response.write(body.subarray(0, body.length / 2), () => response.destroy()) : whole(response, body);
const talk: Send = (response, body) => {
  if (!body.includes(PACK)) return whole(response, body);
  const word = "\u0002word-of-the-forge\n";
  response.write(`000dpackfile\n${(word.length + 4).toString(16).padStart(4, "0")}${word}`);
};

function serve(request: IncomingMessage, response: ServerResponse, path: string, query: string, send: Send = whole): void {
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(backend.stdin);
  backend.stdin.on("error", () => {});
  const pieces: Buffer[] = [];
  backend.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  backend.on("close", () => {
    const all = Buffer.concat(pieces);
    const end = all.indexOf("\r\n\r\n");
    const headers = Object.fromEntries(
      all
        .toString("latin1", 0, Math.max(0, end))
        .split("\r\n")
        .map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const { status = "200", ...rest } = headers;
    response.writeHead(Number.parseInt(status, 10), rest);
    send(response, all.subarray(end + 4));
  });
}

server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
