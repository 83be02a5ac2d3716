import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Fetch } from "../../src/identity/oidc.ts";
import { type Key, makeKey, type RunningProvider, startProvider } from "./provider.ts";
import { fakeIssuer, faultOf, goodClaims, json, publicKeys, sign, standingClock, verifierOf } from "./support.ts";

const MINUTE = 60_000;

let first: Key;
let second: Key;
const providers: RunningProvider[] = [];

beforeAll(async () => {
  first = await makeKey("first");
  second = await makeKey("second");
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(providers.splice(0).map((provider) => provider.kill()));
});

async function providerWith(...keys: Key[]): Promise<RunningProvider> {
  const provider = await startProvider(keys);
  providers.push(provider);
  return provider;
}

describe("against a provider of its own process:", () => {
  test("many tokens at once share one question, and nothing is asked before the first", async () => {
    const provider = await providerWith(first);
    const oidc = verifierOf(provider.issuer);
    expect(oidc.status()).toEqual({ status: "ok" });
    expect(await provider.asked()).toEqual({ discovery: 0, keys: 0 });
    const tokens = await Promise.all(Array.from({ length: 20 }, () => provider.token({ roles: ["developers"] })));
    const identities = await Promise.all(tokens.map((token) => oidc.verify(token)));
    expect(identities.filter((identity) => identity?.subject === "ada")).toHaveLength(20);
    expect(await provider.asked()).toEqual({ discovery: 1, keys: 1 });
    expect(oidc.status()).toEqual({ status: "ok" });
  });

  test("a rotated key is found at its first token, and a removed one is forgotten within 10 minutes", async () => {
    const clock = standingClock();
    const provider = await providerWith(first);
    const oidc = verifierOf(provider.issuer, { now: clock.now });
    const old = await provider.token({ roles: ["developers"] });
    expect(await oidc.verify(old)).not.toBeNull();

    await provider.rotate([second, first]);
    const tokens = await Promise.all(Array.from({ length: 10 }, () => provider.token({ roles: ["developers"] })));
    for (const token of tokens) expect(await oidc.verify(token)).not.toBeNull();
    expect(await oidc.verify(old)).not.toBeNull();
    expect(await provider.asked()).toEqual({ discovery: 1, keys: 2 });

    await provider.rotate([second]);
    clock.advance(10 * MINUTE - 1);
    const late = await sign(first, { ...goodClaims(provider.issuer), exp: clock.now().getTime() / 1000 + 3600 });
    expect(await oidc.verify(late)).not.toBeNull();
    clock.advance(1);
    expect(await oidc.verify(late)).toBeNull();
    expect(await provider.asked()).toEqual({ discovery: 2, keys: 4 });
  });

  test("a thousand tokens of unknown keys cost one question in 30 seconds", async () => {
    const clock = standingClock();
    const provider = await providerWith(first);
    const oidc = verifierOf(provider.issuer, { now: clock.now });
    expect(await oidc.verify(await provider.token({ roles: ["developers"] }))).not.toBeNull();
    const junk = (from: number) =>
      Promise.all(Array.from({ length: 500 }, (_, n) => sign(first, goodClaims(provider.issuer), { kid: `unknown-${from + n}` })));
    const atOnce = await junk(0);
    expect(new Set(await Promise.all(atOnce.map((token) => oidc.verify(token))))).toEqual(new Set([null]));
    for (const token of await junk(500)) expect(await oidc.verify(token)).toBeNull();
    expect(await provider.asked()).toEqual({ discovery: 1, keys: 2 });

    clock.advance(30_000);
    for (const token of atOnce.slice(0, 10)) expect(await oidc.verify(token)).toBeNull();
    expect(await provider.asked()).toEqual({ discovery: 1, keys: 3 });
  });

  test("while the issuer is away its keys serve for an hour, and not without an end", async () => {
    const clock = standingClock();
    const provider = await providerWith(first);
    const oidc = verifierOf(provider.issuer, { now: clock.now });
    const claims = { ...goodClaims(provider.issuer), exp: clock.now().getTime() / 1000 + 7200 };
    const known = await sign(first, claims);
    expect(await oidc.verify(known)).not.toBeNull();
    await provider.kill();

    clock.advance(11 * MINUTE);
    expect(await oidc.verify(known)).not.toBeNull();
    expect(await oidc.verify(await sign(first, { ...claims, jti: "another" }))).not.toBeNull();
    expect(oidc.status()).toEqual({ status: "ok", reason: expect.stringContaining("ECONNREFUSED") });
    clock.advance(49 * MINUTE - 1);
    expect(await oidc.verify(known)).not.toBeNull();
    clock.advance(1);
    await faultOf(oidc, known);
    expect(oidc.status()).toEqual({ status: "down", reason: expect.stringContaining("ECONNREFUSED") });
  });

  test("while the issuer is away, a key that is not known is neither trusted nor refused", async () => {
    const provider = await providerWith(first);
    const oidc = verifierOf(provider.issuer);
    expect(await oidc.verify(await sign(first, goodClaims(provider.issuer)))).not.toBeNull();
    await provider.kill();
    const token = await sign(second, goodClaims(provider.issuer));
    await faultOf(oidc, token);
    await faultOf(oidc, token);
    expect(await oidc.verify(await sign(first, { ...goodClaims(provider.issuer), jti: "another" }))).not.toBeNull();
  });

  test("a verifier that never had keys says so, and says nothing of the token", async () => {
    const provider = await providerWith(first);
    const token = await provider.token({ roles: ["developers"], email: "ada@example.com" });
    await provider.kill();
    const fault = await faultOf(verifierOf(provider.issuer), token);
    const told = [fault.fix];
    for (let error: unknown = fault; error instanceof Error; error = error.cause) told.push(error.message);
    expect(told.join("\n")).toContain(provider.issuer);
    for (const secret of [...token.split("."), "ada", "developers"]) expect(told.join("\n")).not.toContain(secret);
  });
});

describe("an issuer that fails", () => {
  test("is left alone for 10 seconds, and asked again after them", async () => {
    const clock = standingClock();
    const issuer = await fakeIssuer([first]);
    issuer.answers("/keys", (_request, response) => response.writeHead(500).end());
    const oidc = verifierOf(issuer.url, { now: clock.now });
    const token = await sign(first, goodClaims(issuer.url));
    for (let n = 0; n < 5; n++) await faultOf(oidc, token);
    await Promise.all(Array.from({ length: 5 }, () => faultOf(oidc, token)));
    expect(issuer.asked.filter((path) => path === "/keys")).toHaveLength(1);

    issuer.answers("/keys", json({ keys: await publicKeys([first]) }));
    clock.advance(10_000);
    expect(await oidc.verify(token)).not.toBeNull();
    expect(oidc.status()).toEqual({ status: "ok" });
  });

  test("is found to be back by whoever asks for the status, though no token comes", async () => {
    const clock = standingClock();
    const issuer = await fakeIssuer([first]);
    issuer.answers("/keys", (_request, response) => response.writeHead(500).end());
    let asked = 0;
    const counted: Fetch = (url, init) => {
      asked++;
      return fetch(url, init);
    };
    const oidc = verifierOf(issuer.url, { now: clock.now, fetch: counted });
    const token = await sign(first, goodClaims(issuer.url));
    await faultOf(oidc, token);
    issuer.answers("/keys", json({ keys: await publicKeys([first]) }));
    expect(oidc.status().status).toBe("down");
    expect(asked).toBe(2);
    clock.advance(10_000);
    expect(oidc.status().status).toBe("down");
    expect(asked).toBe(3);
    // The token waits for what the status began.
    expect(await oidc.verify(token)).not.toBeNull();
    expect(oidc.status()).toEqual({ status: "ok" });
    expect(asked).toBe(4);
  });

  test("and moved its keys meanwhile is asked where they are", async () => {
    const clock = standingClock();
    const issuer = await fakeIssuer([first]);
    const oidc = verifierOf(issuer.url, { now: clock.now });
    expect(await oidc.verify(await sign(first, goodClaims(issuer.url)))).not.toBeNull();
    issuer.answers("/keys", (_request, response) => response.writeHead(404).end());
    issuer.answers("/.well-known/openid-configuration", json({ issuer: issuer.url, jwks_uri: `${issuer.url}/moved` }));
    issuer.answers("/moved", json({ keys: await publicKeys([second]) }));
    const token = await sign(second, goodClaims(issuer.url));
    await faultOf(oidc, token);
    clock.advance(30_000);
    expect(await oidc.verify(token)).not.toBeNull();
  });

  test("does not get a second life by a clock that is set back", async () => {
    const clock = standingClock();
    const issuer = await fakeIssuer([first]);
    const oidc = verifierOf(issuer.url, { now: clock.now });
    const token = await sign(first, goodClaims(issuer.url));
    expect(await oidc.verify(token)).not.toBeNull();
    issuer.answers("/keys", (_request, response) => response.writeHead(500).end());
    clock.advance(-24 * 60 * MINUTE);
    await faultOf(oidc, token);
  });
});

describe("a token without the name of its key", () => {
  test("is tried with each key that would do", async () => {
    const issuer = await fakeIssuer([first, second, await makeKey("ec", "ES256")]);
    const oidc = verifierOf(issuer.url);
    for (const key of [first, second]) {
      expect(await oidc.verify(await sign(key, goodClaims(issuer.url), { kid: undefined }))).not.toBeNull();
    }
    expect(await oidc.verify(await sign(await makeKey("other"), goodClaims(issuer.url), { kid: undefined }))).toBeNull();
  });

  test("is not tried with more than 16", async () => {
    const issuer = await fakeIssuer();
    const decoys = Array.from({ length: 15 }, (_, n) => ({ ...second, kid: `decoy-${n}` }));
    const token = await sign(first, goodClaims(issuer.url), { kid: undefined });
    issuer.answers("/keys", json({ keys: await publicKeys([...decoys, first]) }));
    expect(await verifierOf(issuer.url).verify(token)).not.toBeNull();
    issuer.answers("/keys", json({ keys: await publicKeys([second, ...decoys, first]) }));
    expect(await verifierOf(issuer.url).verify(token)).toBeNull();
  });
});

test("keys that cannot verify anything are passed over: secrets, keys for encryption, keys of another algorithm, weak keys", async () => {
  const issuer = await fakeIssuer();
  const [jwk] = await publicKeys([first], ["kid"]);
  const token = await sign(first, goodClaims(issuer.url));
  const judge = async (published: object) => {
    issuer.answers("/keys", json({ keys: [{ kty: "unheard-of" }, published] }));
    return (await verifierOf(issuer.url).verify(token)) !== null;
  };
  expect(await judge({ ...jwk })).toBe(true);
  expect(await judge({ ...jwk, use: "enc" })).toBe(false);
  expect(await judge({ ...jwk, alg: "PS256" })).toBe(false);
  expect(await judge({ ...jwk, n: "AQAB" })).toBe(false);
  expect(await judge({ ...jwk, n: undefined })).toBe(false);
  expect(await judge({ kty: "oct", kid: "first", k: "c2VjcmV0" })).toBe(false);
  expect(await judge({ ...first.jwk })).toBe(false);
});

describe("the memory of verified tokens", () => {
  test("saves a hot token its signature, and none but that very token", async () => {
    const issuer = await fakeIssuer([first]);
    const checks = vi.spyOn(crypto.subtle, "verify");
    const oidc = verifierOf(issuer.url);
    const token = await sign(first, goodClaims(issuer.url));
    const identity = await oidc.verify(token);
    for (let n = 0; n < 100; n++) expect(await oidc.verify(token)).toBe(identity);
    expect(checks).toHaveBeenCalledTimes(1);
    expect(await oidc.verify(`${token.slice(0, -4)}AAAA`)).toBeNull();
    expect(checks).toHaveBeenCalledTimes(2);
  });

  test("outlives the keys' renewal where they stay the same, and not where they change", async () => {
    const clock = standingClock();
    const issuer = await fakeIssuer([first]);
    const checks = vi.spyOn(crypto.subtle, "verify");
    const oidc = verifierOf(issuer.url, { now: clock.now });
    const token = await sign(first, { ...goodClaims(issuer.url), exp: clock.now().getTime() / 1000 + 7200 });
    await oidc.verify(token);
    clock.advance(10 * MINUTE);
    await oidc.verify(token);
    expect(issuer.asked).toHaveLength(4);
    expect(checks).toHaveBeenCalledTimes(1);
    issuer.answers("/keys", json({ keys: await publicKeys([second, first]) }));
    clock.advance(10 * MINUTE);
    expect(await oidc.verify(token)).not.toBeNull();
    expect(checks).toHaveBeenCalledTimes(2);
  });

  test("keeps the newest 10,000", async () => {
    const key = await makeKey("ed", "EdDSA");
    const issuer = await fakeIssuer([key]);
    const oidc = verifierOf(issuer.url);
    const token = (n: number) => sign(key, { ...goodClaims(issuer.url), exp: 4_000_000_000, jti: n });
    const verify = async (n: number) => (await oidc.verify(await token(n))) !== null;
    expect([await verify(0), await verify(1)]).toEqual([true, true]);
    for (let from = 2; from <= 10_000; from += 101) {
      const batch = await Promise.all(Array.from({ length: 101 }, (_, n) => verify(from + n)));
      expect(batch).not.toContain(false);
    }
    const checks = vi.spyOn(crypto.subtle, "verify");
    await oidc.verify(await token(10_000));
    await oidc.verify(await token(1));
    expect(checks).toHaveBeenCalledTimes(0);
    await oidc.verify(await token(0));
    expect(checks).toHaveBeenCalledTimes(1);
  });
});
