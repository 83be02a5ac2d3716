import fc from "fast-check";

/** What no HTTP library sends: requests whose framing is broken, and bytes that are none. */
export interface WireRequest {
  readonly what: string;
  /** In Latin-1. `{host}` and `{auth}` are put in as it goes out. */
  readonly text: string;
  /** It is the beginning of a request that never ends: nothing has to come back. */
  readonly unfinished: boolean;
}

const HOST = "Host: {host}\r\n{auth}";
const LAST = "Connection: close\r\n\r\n";
const JSON_TYPE = "Content-Type: application/json\r\n";
const BODY = '{"project_id":"fuzz-shared","env":"development","reason":"wire"}';

const get = (more: string, target = "/env/fuzz-shared") => `GET ${target} HTTP/1.1\r\n${HOST}${more}${LAST}`;
const post = (more: string, body: string) => `POST /env/hold HTTP/1.1\r\n${HOST}${JSON_TYPE}${more}\r\n${body}`;

/** Each of them is answered: with a reply or several, and then the connection ends. */
const ANSWERED: Readonly<Record<string, string>> = {
  "a length that is too short": post(`Content-Length: ${BODY.length - 9}\r\n`, BODY),
  "a negative length": post("Content-Length: -5\r\n", BODY),
  "a length that is no number": post("Content-Length: 0x10\r\n", BODY),
  "a length with a sign": post(`Content-Length: +${BODY.length}\r\n`, BODY),
  "two lengths": post(`Content-Length: ${BODY.length}\r\nContent-Length: 5\r\n`, BODY),
  "a length beyond all numbers": post("Content-Length: 99999999999999999999999\r\n", BODY),
  "a length and chunks": post(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`),
  "a chunk whose size is none": post("Transfer-Encoding: chunked\r\n", `zz\r\n${BODY}\r\n0\r\n\r\n`),
  "a chunk that is longer than it says": post("Transfer-Encoding: chunked\r\n", `3\r\n${BODY}\r\n0\r\n\r\n`),
  "a coding that nobody knows": post("Transfer-Encoding: gzip, chunked\r\n", `0\r\n\r\n`),
  "chunked twice": post("Transfer-Encoding: chunked, chunked\r\n", `0\r\n\r\n`),
  "chunks in HTTP/1.0": `POST /env/hold HTTP/1.0\r\n${HOST}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "NUL in a header": get("X-Odd: a\0b\r\n"),
  "a folded header": get("X-Odd: a\r\n b\r\n"),
  "a space before the colon": get("X-Odd : a\r\n"),
  "a header without a name": get(": a\r\n"),
  "a bare line feed": get("X-Odd: a\nX-Other: b\r\n"),
  "a bare carriage return": get("X-Odd: a\rX-Other: b\r\n"),
  "no host": `GET /healthz HTTP/1.1\r\n${LAST}`,
  "two hosts": get("Host: evil.example\r\n"),
  "HTTP/1.0 without a host": `GET /healthz HTTP/1.0\r\n${LAST}`,
  "HTTP/2's preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "HTTP/3.7": `GET /healthz HTTP/3.7\r\n${HOST}${LAST}`,
  "HTTP/0.9": "GET /healthz\r\n\r\n",
  "a whole address": get("", "http://{host}/healthz"),
  "a whole address of another host": get("", "http://evil.example/healthz"),
  "an address without a path": get("", "healthz"),
  "a fragment": get("", "/healthz#x"),
  "bytes beyond ASCII in the target": get("", "/env/\xff\xfe"),
  "a space in the target": get("", "/env/a b"),
  "a tunnel": `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n`,
  "all of it": `OPTIONS * HTTP/1.1\r\n${HOST}${LAST}`,
  "a method that there is not": `FOO /healthz HTTP/1.1\r\n${HOST}${LAST}`,
  "a method in small letters": `get /healthz HTTP/1.1\r\n${HOST}${LAST}`,
  "a TLS handshake": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
  "a target that is too long": get("", `/env/${"x".repeat(20_000)}`),
  "headers that are too many": get("X-Odd: 1\r\n".repeat(120)),
  "headers that are too large": get(`X-Odd: ${"x".repeat(20_000)}\r\n`),
  "an expectation that nobody knows": post("Expect: a-miracle\r\nContent-Length: 2\r\nConnection: close\r\n", "{}"),
  "an upgrade to HTTP/2": `GET /healthz HTTP/1.1\r\n${HOST}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\r\n`,
  "three requests at once": `GET /healthz HTTP/1.1\r\n${HOST}\r\nGET /env HTTP/1.1\r\n${HOST}\r\n${get("")}`,
  "a request and then nonsense": `GET /healthz HTTP/1.1\r\n${HOST}\r\n\0\0\0\r\n\r\n`,
  "line feeds before the request": `\r\n\r\n${get("")}`,
};

const UNFINISHED: Readonly<Record<string, string>> = {
  "a length that is too long": post(`Content-Length: ${BODY.length + 10}\r\n`, BODY),
  "headers that do not end": `GET /healthz HTTP/1.1\r\n${HOST}X-Odd:`,
  "a chunk that does not come": post("Transfer-Encoding: chunked\r\n", `ff\r\n${BODY}`),
  "the first letter": "G",
  nothing: "",
};

const whole = Object.entries(ANSWERED).map(([what, text]): WireRequest => ({ what, text, unfinished: false }));
const begun = Object.entries(UNFINISHED).map(([what, text]): WireRequest => ({ what, text, unfinished: true }));
/** A good request, cut off somewhere. */
const cut = fc.nat({ max: 200 }).map((length): WireRequest => {
  const text = post(`Content-Length: ${BODY.length}\r\n`, BODY);
  return { what: `a request cut off at ${length}`, text: text.slice(0, length), unfinished: true };
});

export const wireRequests: fc.Arbitrary<WireRequest> = fc.oneof(
  { arbitrary: fc.constantFrom(...whole), weight: 8 },
  { arbitrary: fc.constantFrom(...begun), weight: 1 },
  { arbitrary: cut, weight: 2 },
);
