import { exportSPKI, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { looksLikeJwt, type OidcOptions } from "../../src/identity/oidc.ts";
import { AUDIENCE, type Key, makeKey, type RunningProvider, startProvider } from "./provider.ts";
import { ADMIN, EDITOR, goodClaims, seconds, sign, standingClock, verifierOf } from "./support.ts";

let provider: RunningProvider;
let key: Key;

beforeAll(async () => {
  key = await makeKey("rsa");
  const others = [await makeKey("pss", "PS256"), await makeKey("ec", "ES256"), await makeKey("ed", "EdDSA")];
  provider = await startProvider([key, ...others]);
});

afterAll(async () => provider.kill());

describe("a token that the provider made", () => {
  test("tells who it is, what that grants, and until when", async () => {
    const token = await provider.token({ roles: ["developers"] });
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
    const identity = await verifierOf(provider.issuer).verify(token);
    expect(identity).toEqual({ subject: "ada", actor: "ada", grants: [EDITOR], expiresAt: exp * 1000 });
  });

  test.each(["RS256", "PS256", "ES256", "EdDSA"])("may be signed by %s", async (alg) => {
    const token = await provider.token({ roles: "admins" }, { alg });
    expect(await verifierOf(provider.issuer).verify(token)).toMatchObject({ grants: [ADMIN] });
  });

  test("is refused where it is for another audience", async () => {
    const token = await provider.token({ roles: ["developers"] }, { audience: "https://other.example.com" });
    expect(await verifierOf(provider.issuer).verify(token)).toBeNull();
    expect(await verifierOf(provider.issuer, { audience: "https://other.example.com" }).verify(token)).not.toBeNull();
  });

  test("is refused by the verifier of another issuer, even with the same keys", async () => {
    const other = await startProvider([key]);
    const token = await other.token({ roles: ["developers"] });
    expect(await verifierOf(other.issuer).verify(token)).not.toBeNull();
    expect(await verifierOf(provider.issuer).verify(token)).toBeNull();
    await other.kill();
  });

  test("is refused once it is expired, however often it was accepted before", async () => {
    const clock = standingClock();
    const oidc = verifierOf(provider.issuer, { now: clock.now });
    const token = await provider.token({ roles: ["developers"] });
    expect(await oidc.verify(token)).not.toBeNull();
    clock.advance(300_000);
    expect(await oidc.verify(token)).not.toBeNull();
    clock.advance(310_000);
    expect(await oidc.verify(token)).toBeNull();
  });
});

test("what tokens are judged by and what they grant has a digest: the same for the same settings, and another for any other", () => {
  const rules = (issuer: string, options: Partial<OidcOptions> = {}) => Buffer.from(verifierOf(issuer, options).rules).toString("hex");
  const issuer = "https://id.example.com";
  const others = [
    rules("https://id.example.com/"),
    rules(issuer, { audience: "another" }),
    rules(issuer, { claim: "groups" }),
    rules(issuer, { actorClaim: "email" }),
    rules(issuer, { roles: new Map([["admins", ADMIN]]) }),
    rules(issuer, {
      roles: new Map([
        ["admins", EDITOR],
        ["developers", EDITOR],
      ]),
    }),
  ];
  expect(rules(issuer)).toBe(rules(issuer));
  expect(new Set([rules(issuer), ...others]).size).toBe(7);
});

describe("the claim decides what is granted:", () => {
  const granted = async (claims: Record<string, unknown>, claim: string) => {
    const identity = await verifierOf(provider.issuer, { claim }).verify(await provider.token(claims));
    return identity?.grants ?? null;
  };

  test.each<[string, Record<string, unknown>, string, unknown]>([
    ["one value as text", { roles: "developers" }, "roles", [EDITOR]],
    ["several values are several grants", { roles: ["developers", "admins"] }, "roles", [EDITOR, ADMIN]],
    ["a value twice is one grant", { roles: ["admins", "admins"] }, "roles", [ADMIN]],
    ["values that are not mapped grant nothing more", { roles: ["guests", "developers"] }, "roles", [EDITOR]],
    ["what is no text grants nothing", { roles: [1, null, ["admins"], { admins: true }, "developers"] }, "roles", [EDITOR]],
    ["a nested claim", { realm_access: { roles: ["admins"] } }, "realm_access.roles", [ADMIN]],
    [
      "a nested claim below a name with dots",
      { resource_access: { "env.web": { roles: ["admins"] } } },
      "resource_access.env.web.roles",
      [ADMIN],
    ],
    ["a claim with dots in its name", { "https://example.com/roles": ["admins"] }, "https://example.com/roles", [ADMIN]],
    ["no value that is mapped", { roles: ["guests"] }, "roles", null],
    ["an empty list", { roles: [] }, "roles", null],
    ["no claim", {}, "roles", null],
    ["an object", { roles: { developers: true } }, "roles", null],
    ["another letter case", { roles: ["Developers"] }, "roles", null],
    ["the names of what every object has", { roles: ["constructor", "__proto__", "toString"] }, "roles", null],
    ["a claim that every object has", {}, "constructor.name", null],
    ["an element of a list", { roles: ["admins"] }, "roles.0", null],
  ])("%s", async (_what, claims, claim, expected) => {
    expect(await granted(claims, claim)).toEqual(expected);
  });
});

describe("the person is named", () => {
  test.each<[string, Record<string, unknown>, string, string]>([
    ["by the claim that the operator chose", { email: "ada@example.com" }, "email", "ada@example.com"],
    ["by a nested claim", { profile: { name: "Ada" } }, "profile.name", "Ada"],
    ["by the subject where the token lacks the claim", {}, "email", "ada"],
    ["by the subject where the claim is empty", { email: " " }, "email", "ada"],
    ["by the subject where the claim is no text", { email: ["ada@example.com"] }, "email", "ada"],
    ["by the subject where the claim would forge a line of a log", { email: "ada\ngrace" }, "email", "ada"],
    ["by the subject where the claim ends in a space", { email: "root " }, "email", "ada"],
    ["by the subject where the claim is too long", { email: "a".repeat(257) }, "email", "ada"],
  ])("%s", async (_how, claims, actorClaim, actor) => {
    const token = await provider.token({ roles: ["developers"], ...claims });
    expect(await verifierOf(provider.issuer, { actorClaim }).verify(token)).toMatchObject({ subject: "ada", actor });
  });

  test.each(["ro\u200bot", "\u202etoor", "root\ufeff", "root\u2028"])(
    "by the subject where the claim looks like another name: %j",
    async (email) => {
      const token = await sign(key, { ...goodClaims(provider.issuer), email });
      expect(await verifierOf(provider.issuer, { actorClaim: "email" }).verify(token)).toMatchObject({ subject: "ada", actor: "ada" });
    },
  );
});

/** Tokens that the provider's own key signed, each wrong in one way. */
describe("a signed token", () => {
  const verify = async (
    claims: Record<string, unknown> | string,
    header: Record<string, unknown> = {},
    options: Partial<OidcOptions> = {},
  ) => verifierOf(provider.issuer, options).verify(await sign(key, claims, header));
  const good = () => goodClaims(provider.issuer);

  test("is accepted with nothing wrong, as an ID token is", async () => {
    expect(await verify(good())).toMatchObject({ subject: "ada" });
    expect(await verify({ ...good(), aud: ["https://other.example.com", AUDIENCE] })).toMatchObject({ subject: "ada" });
  });

  test.each(["JWT", "at+jwt", "AT+JWT", "application/at+jwt", undefined])("may have the type %s", async (typ) => {
    expect(await verify(good(), { typ })).not.toBeNull();
  });

  test.each(["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", ""])("may not have the type %j", async (typ) => {
    expect(await verify(good(), { typ })).toBeNull();
  });

  test.each<[string, Record<string, unknown>]>([
    ["another issuer", { iss: "https://id.example.com" }],
    ["an issuer that differs by a slash", { iss: undefined, slash: true }],
    ["no issuer", { iss: undefined }],
    ["another audience", { aud: "https://other.example.com" }],
    ["an audience that ours begins", { aud: `${AUDIENCE}.evil.example` }],
    ["no audience", { aud: undefined }],
    ["an end that has passed", { exp: seconds() - 60 }],
    ["no end", { exp: undefined }],
    ["an end that is text", { exp: String(seconds() + 600) }],
    ["a beginning that lies ahead", { nbf: seconds() + 60 }],
    ["no subject", { sub: undefined }],
    ["an empty subject", { sub: "" }],
    ["a subject that is no text", { sub: { name: "ada" } }],
    ["a subject that would forge a line of a log", { sub: "ada\ngrace" }],
    ["a subject that is too long", { sub: "a".repeat(257) }],
  ])("is refused with %s", async (_what, { slash, ...claims }) => {
    expect(await verify({ ...good(), ...claims, ...(slash === true && { iss: `${provider.issuer}/` }) })).toBeNull();
  });

  test("is refused with an end that no clock reaches", async () => {
    expect(await verify(JSON.stringify({ ...good(), exp: 1 }).replace('"exp":1', '"exp":1e999'))).toBeNull();
  });

  test.each(["null", "[]", '"ada"', "no JSON", ""])("is refused where its claims are %j", async (claims) => {
    expect(await verify(claims)).toBeNull();
  });

  test("is refused with an extension that is not understood", async () => {
    expect(await verify(good(), { crit: ["urgent"], urgent: 1 })).toBeNull();
  });

  test("may be 5 seconds too late or too early, as clocks differ", async () => {
    const clock = standingClock();
    const at = seconds(clock.now());
    const judge = async (claims: Record<string, unknown>) => (await verify({ ...good(), ...claims }, {}, { now: clock.now })) !== null;
    expect(await judge({ exp: at - 4 })).toBe(true);
    expect(await judge({ exp: at - 5 })).toBe(false);
    expect(await judge({ nbf: at + 5 })).toBe(true);
    expect(await judge({ nbf: at + 6 })).toBe(false);
  });

  test("is refused where it is longer than 16 KiB", async () => {
    expect(await verify({ ...good(), note: "x".repeat(11_000) })).not.toBeNull();
    expect(await verify({ ...good(), note: "x".repeat(13_000) })).toBeNull();
  });
});

describe("a forged token is refused:", () => {
  const verify = (token: string) => verifierOf(provider.issuer).verify(token);
  const good = () => goodClaims(provider.issuer);

  test("no signature at all", async () => {
    const unsigned = new UnsecuredJWT(good()).encode();
    expect(await verify(unsigned)).toBeNull();
    expect(await verify(`${unsigned}AAAA`)).toBeNull();
    const named = [{ alg: "none", kid: "rsa" }, good()].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
    expect(await verify(`${named.join(".")}.AAAA`)).toBeNull();
  });

  test("a signature whose secret is the public key", async () => {
    const pem = await exportSPKI(key.publicKey);
    const secrets = [pem, pem.trim(), JSON.stringify(await crypto.subtle.exportKey("jwk", key.publicKey))];
    for (const secret of secrets) {
      const hmac = { name: "HMAC", hash: "SHA-256" };
      const forger = { ...key, alg: "HS256", privateKey: await crypto.subtle.importKey("raw", Buffer.from(secret), hmac, false, ["sign"]) };
      expect(await verify(await sign(forger, good()))).toBeNull();
    }
  });

  test("a key that the token brings along, or says where to find", async () => {
    const forger = await makeKey(key.kid);
    const jwk = (await crypto.subtle.exportKey("jwk", forger.publicKey)) as Record<string, unknown>;
    expect(await verify(await sign(forger, good()))).toBeNull();
    expect(await verify(await sign(forger, good(), { jwk }))).toBeNull();
    expect(await verify(await sign(forger, good(), { jku: `${provider.issuer}/jwks` }))).toBeNull();
  });

  test("other claims, another header or another signature than were signed", async () => {
    const token = await sign(key, good());
    const [header = "", claims = "", signature = ""] = token.split(".");
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(await verify(token)).not.toBeNull();
    expect(await verify([header, encode({ ...good(), roles: ["admins"] }), signature].join("."))).toBeNull();
    expect(await verify([encode({ alg: "RS512", kid: key.kid }), claims, signature].join("."))).toBeNull();
    expect(await verify([encode({ alg: "ES256", kid: "ec" }), claims, signature].join("."))).toBeNull();
    expect(await verify([header, claims, `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`].join("."))).toBeNull();
    expect(await verify([header, claims, signature.slice(4)].join("."))).toBeNull();
  });

  test.each(["none", "HS256", "HS512", "RS1", "ES256K", "A128KW", "dir", "toString"])(
    "the algorithm %s, without a question",
    async (alg) => {
      const parts = [{ alg, kid: key.kid }, good()].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
      const nobody = () => expect.fail("The issuer was asked.");
      expect(await verifierOf(provider.issuer, { fetch: nobody }).verify(`${parts.join(".")}.AAAA`)).toBeNull();
    },
  );

  test.each(["", ".", "..", "a.b.c", "a.b", "a.b.c.d", "eyJ.eyJ.eyJ", "e30.e30.e30", "ä.b.c", " a.b.c", "a.b.c\n"])(
    "%j, without a question to the issuer",
    async (token) => {
      const nobody = () => expect.fail("The issuer was asked.");
      expect(await verifierOf(provider.issuer, { fetch: nobody }).verify(token)).toBeNull();
    },
  );
});

test.each<[string, boolean]>([
  ["eyJhbGciOiJFUzI1NiJ9.e30.c2ln", true],
  ["a.b.c-_", true],
  ["envm_0123_abcdef", false],
  ["a.b", false],
  ["a.b.", false],
  ["a.b.c.d", false],
  ["a.b.c=", false],
  ["a.b.c\n", false],
])("whether %j looks like a JWT", (token, does) => {
  expect(looksLikeJwt(token)).toBe(does);
});

test("whatever is longer than 16 KiB does not look like a JWT", () => {
  expect(looksLikeJwt(`a.b.${"c".repeat(16 * 1024 - 4)}`)).toBe(true);
  expect(looksLikeJwt(`a.b.${"c".repeat(16 * 1024 - 3)}`)).toBe(false);
});
