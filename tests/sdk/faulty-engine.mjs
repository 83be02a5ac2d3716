// What answers as no engine should: each scene below a path of its own. `GET /seen/<scene>` says what was asked.
import { createServer } from "node:http";

const json = { "content-type": "application/json" };
const error = (code, more = {}) =>
  JSON.stringify({ status: "error", code, reason: "As it is.", fix_suggestion: "Wait.", details: {}, request_id: "r", ...more });
const done = JSON.stringify({ status: "updated" });

const awayTwice = (n, response) =>
  n < 3
    ? response.writeHead(503, { ...json, "retry-after": "0" }).end(error("store_unavailable"))
    : response.writeHead(200, json).end(done);

/** Scene → what the nth request of it is answered. */
const SCENES = {
  "away-twice": awayTwice,
  "away-while-set": awayTwice,
  "away-for-long": (_n, response) => response.writeHead(429, { ...json, "retry-after": "3600" }).end(error("too_many_requests")),
  "lost-answer": (n, response) => (n < 2 ? response.destroy() : response.writeHead(200, json).end(done)),
  "lost-answers": (_n, response) => response.destroy(),
  nginx: (_n, response) => response.writeHead(200, { ...json, etag: 'W/"abc"' }).end(done),
  apache: (_n, response) => response.writeHead(200, { ...json, etag: '"abc-gzip"' }).end(done),
  brotli: (_n, response) => response.writeHead(200, { ...json, etag: 'W/"abc-br"' }).end(done),
  internal: (_n, response) => response.writeHead(500, json).end(error("internal_error")),
  proxy: (_n, response) => response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>"),
  "small-proxy": (_n, response) => response.writeHead(413, { "content-type": "text/html" }).end("<h1>Request Entity Too Large</h1>"),
  page: (_n, response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Log in first</h1>"),
  moved: (_n, response) => response.writeHead(301, { location: "http://elsewhere.example.com/" }).end(),
  silent: () => undefined,
  half: (_n, response) => {
    response.writeHead(200, { ...json, "content-length": 1_000 });
    response.write('{"vars":{', () => response.destroy());
  },
  cut: (_n, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.write('{"seq":1}\n{"seq":2}\n{"se', () => response.destroy());
  },
  broken: (_n, response) => response.writeHead(200, { "content-type": "application/x-ndjson" }).end('{"seq":1}\nnot JSON\n'),
  "no-stream": (_n, response) => response.writeHead(404, json).end(error("route_not_found")),
};

const seen = new Map();
const server = createServer((request, response) => {
  const [, scene = "", ...rest] = request.url.split("/");
  if (scene === "seen") {
    response.writeHead(200, json).end(JSON.stringify(seen.get(rest[0]) ?? []));
    return;
  }
  const key = request.headers["idempotency-key"] ?? null;
  seen.set(scene, [...(seen.get(scene) ?? []), { method: request.method, key }]);
  SCENES[scene](seen.get(scene).length, response);
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
