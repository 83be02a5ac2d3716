import { readdirSync, readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { type Key, makeKey } from "./provider.ts";
import { DISCOVERY, type FakeIssuer, fakeIssuer, faultOf, goodClaims, json, sign, verifierOf } from "./support.ts";

let key: Key;

beforeAll(async () => {
  key = await makeKey("key");
});

const text =
  (body: string): RequestListener =>
  (_request, response) =>
    response.end(body);

const redirect =
  (to: string): RequestListener =>
  (_request, response) =>
    response.writeHead(302, { location: to }).end();

const silent: RequestListener = () => {};

const stalling: RequestListener = (_request, response) => {
  response.write("{");
};

/** Of unknown length, until nobody listens. */
const endless: RequestListener = (_request, response) => {
  const chunk = " ".repeat(16 * 1024);
  const more = () => {
    while (!response.destroyed && response.write(chunk)) {
      // Until the connection takes no more.
    }
  };
  response.on("drain", more);
  more();
};

const bomb: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(1024 * 1024, " ")));
};

describe("discovery is refused, and no token accepted, where the issuer's configuration", () => {
  test.each<[string, (issuer: FakeIssuer) => RequestListener, RegExp]>([
    ["speaks for another issuer", ({ url }) => json({ issuer: "https://id.example.com", jwks_uri: `${url}/keys` }), /another issuer/],
    ["speaks for the issuer with a slash", ({ url }) => json({ issuer: `${url}/`, jwks_uri: `${url}/keys` }), /another issuer/],
    ["speaks for nobody", ({ url }) => json({ jwks_uri: `${url}/keys` }), /another issuer/],
    ["redirects", ({ url }) => redirect(`${url}/elsewhere`), /answered 302, and redirects are not followed/],
    ["is missing", () => (_request, response) => response.writeHead(404).end(), /answered 404/],
    [
      "is larger than 64 KiB",
      ({ url }) => json({ issuer: url, jwks_uri: `${url}/keys`, note: "x".repeat(65_536) }),
      /more than 65536 bytes/,
    ],
    ["never ends", () => endless, /more than 65536 bytes/],
    ["is small on the way alone", () => bomb, /more than 65536 bytes/],
    ["is not JSON", () => text("<html>"), /not a JSON object/],
    ["is a list", () => json([]), /not a JSON object/],
    ["is empty", () => text(""), /not a JSON object/],
    ["is no text", () => (_request, response) => response.end(Buffer.from([0xff, 0xfe])), /not UTF-8/],
    [
      "breaks off",
      () => (_request, response) => response.writeHead(200, { "content-length": 9 }).write("{", () => response.destroy()),
      /terminated/,
    ],
    ["names no keys", ({ url }) => json({ issuer: url }), /`jwks_uri`/],
    ["names keys that travel in the open", ({ url }) => json({ issuer: url, jwks_uri: "http://id.example.com/keys" }), /`jwks_uri`/],
    [
      "names keys on a host that only begins like loopback",
      ({ url }) => json({ issuer: url, jwks_uri: "http://127.0.0.1.example.com" }),
      /`jwks_uri`/,
    ],
    ["names keys in a file", ({ url }) => json({ issuer: url, jwks_uri: "file:///keys" }), /`jwks_uri`/],
    ["brings the keys along", ({ url }) => json({ issuer: url, jwks_uri: "data:application/json,{}" }), /`jwks_uri`/],
    ["names keys by what is no text", ({ url }) => json({ issuer: url, jwks_uri: [`${url}/keys`] }), /`jwks_uri`/],
  ])("%s", async (_what, listener, why) => {
    const issuer = await fakeIssuer([key]);
    issuer.answers(DISCOVERY, listener(issuer));
    const fault = await faultOf(verifierOf(issuer.url), await sign(key, goodClaims(issuer.url)));
    expect((fault.cause as Error).message).toMatch(why);
    expect(issuer.asked).toEqual([DISCOVERY]);
  });
});

describe("keys are refused where their answer", () => {
  test.each<[string, (issuer: FakeIssuer) => RequestListener, RegExp]>([
    ["redirects", ({ url }) => redirect(`${url}/elsewhere`), /answered 302, and redirects are not followed/],
    ["is larger than 256 KiB", () => json({ keys: [], note: "x".repeat(262_144) }), /more than 262144 bytes/],
    ["is not JSON", () => text("<html>"), /not a JSON Web Key Set/],
    ["holds no list of keys", () => json({ keys: {} }), /not a JSON Web Key Set/],
    ["holds what is no key", () => json({ keys: ["key"] }), /not a JSON Web Key Set/],
  ])("%s", async (_what, listener, why) => {
    const issuer = await fakeIssuer([key]);
    issuer.answers("/keys", listener(issuer));
    const fault = await faultOf(verifierOf(issuer.url), await sign(key, goodClaims(issuer.url)));
    expect((fault.cause as Error).message).toMatch(why);
    expect(issuer.asked).toEqual([DISCOVERY, "/keys"]);
  });
});

describe("an issuer that is too slow is given up:", () => {
  test.each<[string, string, RequestListener]>([
    ["its configuration does not come", DISCOVERY, silent],
    ["its configuration does not end", DISCOVERY, stalling],
    ["its keys do not come", "/keys", silent],
    ["its keys do not end", "/keys", stalling],
  ])("%s", async (_what, path, listener) => {
    const issuer = await fakeIssuer([key]);
    issuer.answers(path, listener);
    const oidc = verifierOf(issuer.url, { timeoutMs: 200 });
    const fault = await faultOf(oidc, await sign(key, goodClaims(issuer.url)));
    expect((fault.cause as Error).message).toMatch(/did not answer within 200 ms/);
    expect(oidc.status().status).toBe("down");
  });
});

test("an issuer whose name ends in a slash is asked below it", async () => {
  const issuer = await fakeIssuer([key]);
  const name = `${issuer.url}/realms/main/`;
  issuer.answers(`/realms/main${DISCOVERY}`, json({ issuer: name, jwks_uri: `${issuer.url}/keys` }));
  expect(await verifierOf(name).verify(await sign(key, goodClaims(name)))).not.toBeNull();
});

test("requests go out by the function that is given, for JSON, and follow no redirect", async () => {
  const asked: unknown[] = [];
  const issuer = "https://id.example.com";
  const oidc = verifierOf(issuer, {
    fetch: async (url, { headers, redirect }) => {
      asked.push({ url, headers, redirect });
      return new Response(JSON.stringify({ issuer, jwks_uri: "https://keys.example.com/all", keys: [] }));
    },
  });
  expect(await oidc.verify(await sign(key, goodClaims(issuer)))).toBeNull();
  const by = { headers: { accept: "application/json" }, redirect: "manual" };
  const keys = { url: "https://keys.example.com/all", ...by };
  expect(asked).toEqual([{ url: `${issuer}${DISCOVERY}`, ...by }, keys, keys]);
});

test("an issuer that is reached by https may not send us to this machine's own http", async () => {
  const local = await fakeIssuer([key]);
  const issuer = "https://id.example.com";
  const document = new Response(JSON.stringify({ issuer, jwks_uri: `${local.url}/keys` }));
  const oidc = verifierOf(issuer, { fetch: async (url, init) => (url.startsWith(issuer) ? document : fetch(url, init)) });
  const fault = await faultOf(oidc, await sign(key, goodClaims(issuer)));
  expect((fault.cause as Error).message).toMatch(/`jwks_uri` is not an https URL/);
  expect(local.asked).toEqual([]);
});

describe("an issuer is refused at once where it", () => {
  test.each<[string, string, RegExp]>([
    ["is no URL", "id.example.com", /must be an https URL/],
    ["is empty", "", /must be an https URL/],
    ["travels in the open", "http://id.example.com", /must be an https URL/],
    ["only begins like loopback", "http://127.0.0.1.example.com", /must be an https URL/],
    ["is a file", "file:///etc/keys", /must be an https URL/],
    ["has a query", "https://id.example.com?tenant=1", /without user, password, query and fragment/],
    ["has a fragment", "https://id.example.com#main", /without user, password, query and fragment/],
    ["has a password", "https://ada:pass-of-ada@id.example.com", /without user, password, query and fragment/],
    ["has a password that travels in the open", "http://ada:pass-of-ada@id.example.com", /without user, password, query and fragment/],
  ])("%s", (_what, issuer, why) => {
    expect(() => verifierOf(issuer)).toThrow(why);
    expect(() => verifierOf(issuer)).not.toThrow(/pass-of-ada/);
  });

  test.each(["https://id.example.com/realms/main", "http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000"])(
    "but %s is taken",
    (issuer) => {
      expect(verifierOf(issuer).status()).toEqual({ status: "ok" });
    },
  );
});

test("a start loads no code for tokens: jose is imported where the first one comes", () => {
  const folder = new URL("../../src/identity/", import.meta.url);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  expect(sources.join("\n")).toMatch(/await import\("jose"\)/);
  for (const source of sources) expect(source).not.toMatch(/^import (?!type ).* from "jose";$/m);
});

test("why an issuer is not even asked is said: a port that is kept for something else than the web", async () => {
  const issuer = "http://127.0.0.1:4190";
  const { cause } = await faultOf(verifierOf(issuer), await sign(key, goodClaims(issuer)));
  expect((cause as Error).message).toBe(`${issuer}${DISCOVERY}: fetch failed (bad port).`);
});
