import fc from "fast-check";
import type { Operation, Parameter, Reference } from "./document.ts";
import { type JsonValue, jsonText } from "./json-text.ts";
import { type Kind, type Pool, placeholder } from "./pool.ts";
import { hostile, Values } from "./values.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A request as it is made from the seed: what only the engine knows has a placeholder in it. */
export interface FuzzRequest {
  readonly method: string;
  /** The target: path and query, percent-encoded or not. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: Body | null;
  /** Which of the run's tokens, where `headers` have no Authorization of their own. */
  readonly token: number;
}

type Headers = Readonly<Record<string, string>>;

interface Body {
  readonly text: string;
  readonly damage: Damage;
}

/** What happens to a body's bytes on the way. `at` is a part of its length, from 0 to 1. */
interface Damage {
  readonly kind: "none" | "cut" | "not-utf8" | "overlong" | "surrogate" | "more" | "bom" | "spaced" | "gone" | "nul";
  readonly at: number;
}

/** A request as it goes out. */
export interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: Buffer | null;
}

export function render({ method, target, headers, body }: FuzzRequest, pool: Pool): Sent {
  const filled = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, pool.fill(value)]));
  const size = JSON.stringify([target, filled]).length;
  return {
    // What is too large is refused before its method is known: to HEAD with a body, which no client can read.
    method: method === "HEAD" && size > 10_000 ? "GET" : method,
    target: pool.fill(target),
    headers: filled,
    body: body === null ? null : damaged(Buffer.from(pool.fill(body.text)), body.damage),
  };
}

const PIECES: Readonly<Partial<Record<Damage["kind"], Buffer>>> = {
  "not-utf8": Buffer.from([0xff, 0xfe]),
  overlong: Buffer.from([0xc0, 0x80]),
  surrogate: Buffer.from([0xed, 0xa0, 0x80]),
  nul: Buffer.from([0]),
};

function damaged(bytes: Buffer, { kind, at }: Damage): Buffer {
  const place = Math.floor(bytes.length * at);
  const piece = PIECES[kind];
  if (piece !== undefined) return Buffer.concat([bytes.subarray(0, place), piece, bytes.subarray(place)]);
  if (kind === "cut") return bytes.subarray(0, place);
  if (kind === "more") return Buffer.concat([bytes, Buffer.from("}")]);
  if (kind === "bom") return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
  if (kind === "spaced") return Buffer.concat([Buffer.alloc(1_000, " \n"), bytes, Buffer.alloc(1_000, "\t\r")]);
  return kind === "gone" ? Buffer.alloc(0) : bytes;
}

/** Any request to any operation; about half of them are good as far as schemas tell. */
export function requests(reference: Reference, words: Vocabulary): fc.Arbitrary<FuzzRequest> {
  const all = [false, true].flatMap((broken) => {
    const maker = new Maker(new Values(reference.schemas, words, broken), words, broken);
    return reference.operations.map((operation) => ({
      arbitrary: maker.request(operation),
      weight: weightOf(operation) * (broken ? 2 : 3),
    }));
  });
  return fc.oneof(...all, { arbitrary: elsewhere, weight: 20 });
}

/** Seldom what takes long, or ends what others need; often what has most to go wrong. */
const WEIGHTS: Readonly<Record<string, number>> = {
  getOpenApi: 1,
  exportAudit: 1,
  verifyAudit: 1,
  verifyAccessAudit: 1,
  replacePolicy: 2,
  archiveEnvironment: 1,
  getMetrics: 1,
  deleteWebhook: 1,
  pingWebhook: 2,
  createToken: 2,
  openSession: 2,
  promote: 24,
  patchConfig: 10,
  patchState: 10,
  createEnvironment: 8,
  approvePromotion: 10,
};

function weightOf({ operationId, body }: Operation): number {
  return WEIGHTS[operationId] ?? (body === null ? 3 : 5);
}

class Maker {
  readonly #values: Values;
  readonly #words: Vocabulary;
  readonly #broken: boolean;

  constructor(values: Values, words: Vocabulary, broken: boolean) {
    this.#values = values;
    this.#words = words;
    this.#broken = broken;
  }

  request(operation: Operation): fc.Arbitrary<FuzzRequest> {
    const target = fc.tuple(this.#path(operation), this.#query(operation)).map(([path, query]) => path + query);
    return fc
      .record({
        method: this.#method(operation),
        target,
        own: this.#headers(operation),
        body: this.#body(operation),
        token: fc.nat({ max: 40 }),
      })
      .map(({ own, ...request }) => ({
        ...request,
        headers: request.body === null ? own : { "content-type": "application/json", ...own },
      }));
  }

  #method({ method }: Operation): fc.Arbitrary<string> {
    const usual =
      method === "GET"
        ? fc.oneof({ arbitrary: fc.constant("GET"), weight: 9 }, { arbitrary: fc.constant("HEAD"), weight: 1 })
        : fc.constant(method);
    return this.#rarely(
      usual,
      fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE", "SEARCH", "HEAD"),
    );
  }

  #path({ path, parameters }: Operation): fc.Arbitrary<string> {
    const segments = path.split("/").map((segment, index, all) => {
      const name = /^\{(\w+)\}$/.exec(segment)?.[1];
      if (segment === "") return fc.constant(segment);
      if (name === undefined)
        return this.#rarely(fc.constant(segment), fc.constantFrom(segment.toUpperCase(), `${segment}%20`, `%${segment}`));
      const schema = parameters.find((one) => one.in === "path" && one.name === name)?.schema ?? {};
      const field = this.#words.text(name) === undefined ? `${all[index - 1]}/${name}` : name;
      return this.#rarely(this.#values.of(schema, field).map(encoded), fc.constantFrom(...HOSTILE_SEGMENTS));
    });
    const whole = fc.tuple(...segments).map((parts) => parts.join("/"));
    return this.#rarely(
      whole,
      whole.chain((text) => fc.constantFrom(`${text}/`, `/${text}`, `${text}//`, `${text}/..`, `${text};a=1`, `${text}%00`)),
    );
  }

  #query({ parameters }: Operation): fc.Arbitrary<string> {
    const asked = parameters.filter((one) => one.in === "query").map((one) => this.#parameter(one));
    const pairs = fc.tuple(...asked).map((lists) => lists.flat());
    const stray = fc.constantFrom(
      "x=1",
      "at[]=1",
      "at[a]=1",
      "__proto__=1",
      "limit=1e9",
      "%ff=%ff",
      "&&&",
      "=",
      "at=%00",
      "a=b=c",
      `q=${"x".repeat(3_000)}`,
    );
    return this.#rarely(
      pairs,
      fc.tuple(pairs, stray).map(([list, more]) => [...list, more]),
    ).map((list) => (list.length === 0 ? "" : `?${list.join("&")}`));
  }

  #parameter({ name, schema, required }: Parameter): fc.Arbitrary<readonly string[]> {
    const pair = this.#values.of(schema, name).map((value) => `${name}=${encoded(value)}`);
    const given = pair.map((one) => [one]);
    const twice = fc.tuple(pair, pair).map((both) => [...both]);
    const right = required ? given : fc.oneof({ arbitrary: fc.constant<string[]>([]), weight: 2 }, { arbitrary: given, weight: 1 });
    return this.#rarely<readonly string[]>(right, fc.oneof(twice, fc.constant([])));
  }

  #headers({ parameters }: Operation): fc.Arbitrary<Headers> {
    const names = parameters.filter((one) => one.in === "header").map(({ name }) => name.toLowerCase());
    const conditional = names.map((name) => {
      const value = DOCUMENTED_HEADERS[name] ?? fc.constant("x");
      const without = { arbitrary: fc.constant([name, null] as const), weight: 4 };
      return fc.oneof(without, { arbitrary: value.map((text) => [name, text] as const), weight: 1 });
    });
    const documented = fc.tuple(...conditional).map((pairs) => given(pairs));
    if (!this.#broken) return documented;
    const odd = fc
      .constantFrom(...Object.keys(ODD_HEADERS))
      .chain((name) => fc.constantFrom(...(ODD_HEADERS[name] ?? [])).map((value): Headers => ({ [name]: value })));
    const stray = fc.oneof({ arbitrary: fc.constant<Headers>({}), weight: 6 }, { arbitrary: odd, weight: 3 });
    return fc.tuple(documented, stray).map(([own, more]) => ({ ...own, ...more }));
  }

  #body({ body }: Operation): fc.Arbitrary<Body | null> {
    const whole: Damage = { kind: "none", at: 0 };
    if (body === null) return this.#rarely<Body | null>(fc.constant(null), fc.constant({ text: "{}", damage: whole }));
    const text = this.#values.of(body, "").map(jsonText);
    const right = text.map((one): Body => ({ text: one, damage: whole }));
    const wrong = fc.oneof(
      { arbitrary: fc.record({ text, damage: DAMAGE }), weight: 3 },
      { arbitrary: hostile.map((value): Body => ({ text: jsonText(value), damage: whole })), weight: 1 },
      { arbitrary: fc.constantFrom(...HOSTILE_BODIES).map((one): Body => ({ text: one, damage: whole })), weight: 1 },
      { arbitrary: fc.constant(null), weight: 1 },
    );
    return this.#rarely<Body | null>(right, wrong, 10);
  }

  #rarely<Value>(right: fc.Arbitrary<Value>, wrong: fc.Arbitrary<Value>, weight = 3): fc.Arbitrary<Value> {
    return this.#broken ? fc.oneof({ arbitrary: right, weight: 100 - weight }, { arbitrary: wrong, weight }) : right;
  }
}

const DAMAGE: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom<Damage["kind"]>("cut", "not-utf8", "overlong", "surrogate", "more", "bom", "spaced", "gone", "nul"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
});

/** The last two are larger than bodies may be, in bytes and in members. */
const HOSTILE_BODIES = [
  "",
  "null",
  "[]",
  '"text"',
  "{} {}",
  "{}//",
  "{'a':1}",
  '{"a":1,}',
  '{"a":\u0000}',
  "a=1&b=2",
  "<xml/>",
  `{"message":"${"m".repeat(1_050_000)}"}`,
  `{"unset":[${"1,".repeat(50_001)}1]}`,
];

const HOSTILE_SEGMENTS = [
  "%00",
  "%2e%2e%2f",
  "%2e%2e",
  "..",
  ".",
  "",
  "%ff",
  "%c0%af",
  "%E0%A4%A",
  "%",
  "%zz",
  "%F0%9F%9A%80",
  "%ed%a0%80",
  "a%2Fb",
  "__proto__",
  "constructor",
  "create",
  "audit",
  "%63reate",
  "*",
  ":env",
  "{env}",
  "x".repeat(300),
  "x".repeat(17_000),
  "%e2%80%ae",
  "%0d%0aX-Injected:%20yes",
  "'%22%3C%3E",
];

/** A field of a URL: text as it is, any other value as JSON. Half a surrogate pair has no encoding, so it gets what would be its bytes. */
function encoded(value: JsonValue): string {
  const text = typeof value === "string" ? value : jsonText(value).slice(0, 2_000);
  return /\p{Cs}/u.test(text) ? "%ED%A0%80" : encodeURIComponent(text.slice(0, 5_000)).slice(0, 14_000);
}

function given(pairs: readonly (readonly [string, string | null])[]): Headers {
  return Object.fromEntries(pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null));
}

const some = (kind: Kind) => fc.nat({ max: 5 }).map((index) => placeholder(kind, index));
const tags = fc.oneof(
  { arbitrary: some("etag"), weight: 4 },
  { arbitrary: fc.constantFrom("*", '"x"', 'W/"x"', "x", '"', '"a", "b"', "", `"${"x".repeat(2_000)}"`, '"é"'), weight: 1 },
);
const DOCUMENTED_HEADERS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "if-match": tags,
  "if-none-match": tags,
  "idempotency-key": fc.oneof(
    { arbitrary: fc.constantFrom("key-1", "key-2", "key-3", "key-4", "k".repeat(255)), weight: 5 },
    { arbitrary: fc.constantFrom("", " ", "é", "k".repeat(256), "a b"), weight: 1 },
  ),
};

const ODD_HEADERS: Readonly<Record<string, readonly string[]>> = {
  "content-type": [
    "text/plain",
    "application/json; charset=latin1",
    "application/json;charset=utf-8",
    "application/merge-patch+json",
    "",
    "application/json, text/plain",
    "multipart/form-data; boundary=x",
    "é",
  ],
  "content-encoding": ["gzip", "identity", "br", "IDENTITY", ""],
  "x-request-id": ["odd id", "é", "x".repeat(65), "../..", "", "<script>", "own-id.1"],
  "x-actor": ["ada", "root", "", "é", "x".repeat(101), " ada", "a, b"],
  authorization: [
    "",
    "Bearer",
    "Bearer ",
    "bearer ~secret.0~",
    "Basic cm9vdDpyb290",
    "Bearer a b",
    `Bearer ${"x".repeat(12_000)}`,
    "Bearer ~secret.0~",
    "Bearer envm_0000000000000000_",
    "Bearer é",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
  ],
  cookie: ["envm_session=~session.0~", "envm_session=", "envm_session=x; envm_session=y", "__Host-envm_session=~session.0~", ";;;", "é=é"],
  origin: ["null", "https://evil.example", "http://127.0.0.1", "", "http://[", "file://"],
  host: ["evil.example", "127.0.0.1", "", "localhost:99999", "[::1]:1", "127.0.0.1 evil", "LOCALHOST"],
  "sec-fetch-site": ["cross-site", "same-origin", "none", "?"],
  expect: ["100-continue", "200-ok"],
  connection: ["close", "x-request-id", "upgrade"],
  upgrade: ["h2c", "websocket"],
  "transfer-encoding": ["chunked"],
  accept: ["text/html", "*/*;q=0", ""],
  "accept-encoding": ["gzip, br", "*;q=0"],
  range: ["bytes=0-0", "bytes=-1"],
  "x-forwarded-for": ["1.2.3.4", "é", "::1, x"],
  "x-forwarded-proto": ["https", "x"],
  "x-http-method-override": ["DELETE"],
  "x-odd": ["\u00ff\u0080", "\t", "x".repeat(16_000)],
};

/** What no operation has: the reference for people, files that are none, paths that look like others. */
const elsewhere: fc.Arbitrary<FuzzRequest> = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"),
  target: fc.oneof(
    fc.constantFrom(
      "/",
      "/docs",
      "/docs/",
      "/docs/start.js",
      "/docs/swagger-ui.css",
      "/docs/favicon-32x32.png",
      "/docs/index.html",
      "/docs/../openapi.json",
      "/docs/%2e%2e%2fpackage.json",
    ),
    fc.constantFrom(
      "/metrics",
      "/favicon.ico",
      "/env/",
      "//",
      "//env",
      "/ENV",
      "/env//x",
      "/env/create/",
      "/Env/create",
      "/healthz/",
      "/openapi.json/x",
      "/.git/config",
      "/%",
      "/%ff",
      "/?",
      "/#",
    ),
    fc.webPath({ size: "small" }),
    fc.string({ unit: "grapheme-ascii", maxLength: 30 }).map((text) => `/${text.replace(/[^\x21-\x7e]/g, "")}`),
  ),
  headers: fc.constantFrom<Headers>({}, { accept: "text/html" }, { range: "bytes=0-9" }),
  body: fc.constant(null),
  token: fc.nat({ max: 40 }),
});
