import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { CompactSign, exportJWK } from "jose";
import { expect } from "vitest";
import type { Grant } from "../../src/access.ts";
import type { AppError } from "../../src/errors.ts";
import { type Oidc, type OidcOptions, openOidc } from "../../src/identity/oidc.ts";
import { later } from "../support/clean-up.ts";
import { AUDIENCE, type Key } from "./provider.ts";

export const ADMIN: Grant = { role: "admin", projects: ["*"], envs: ["*"], rights: ["secrets:reveal"] };
export const EDITOR: Grant = { role: "editor", projects: ["pf-*"], envs: ["development"], rights: [] };

/** A verifier for the claim `roles`, whose values `admins` and `developers` are granted something. */
export function verifierOf(issuer: string, options: Partial<OidcOptions> = {}): Oidc {
  const roles = new Map([
    ["admins", ADMIN],
    ["developers", EDITOR],
  ]);
  return openOidc({ issuer, audience: AUDIENCE, claim: "roles", roles, actorClaim: "sub", ...options });
}

/** A clock that stands until it is set. */
export function standingClock(): { readonly now: () => Date; advance(ms: number): void } {
  let at = Date.now();
  return {
    now: () => new Date(at),
    advance: (ms) => {
      at += ms;
    },
  };
}

export function seconds(date: Date = new Date()): number {
  return Math.floor(date.getTime() / 1000);
}

/** The claims of a token that is accepted. */
export function goodClaims(issuer: string): Record<string, unknown> {
  return { iss: issuer, aud: AUDIENCE, sub: "ada", exp: seconds() + 600, roles: ["developers"] };
}

/** Signs what no provider would. `claims` may be text that is no JSON of ours. */
export async function sign(
  key: Key,
  claims: Readonly<Record<string, unknown>> | string,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const text = typeof claims === "string" ? claims : JSON.stringify(claims);
  const signer = new CompactSign(new TextEncoder().encode(text));
  return signer
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
    .sign(key.privateKey, { crit: { urgent: true } });
}

/** The fault that `verify` throws where it cannot tell. */
export async function faultOf(oidc: Oidc, token: string): Promise<AppError> {
  const fault = await oidc.verify(token).then(
    (identity) => expect.fail(`verified as ${JSON.stringify(identity)}`),
    (error: AppError) => error,
  );
  expect(fault).toMatchObject({ name: "AppError", code: "identity_unavailable" });
  expect(fault.fix).toMatch(/\w/);
  return fault;
}

export interface FakeIssuer {
  readonly url: string;
  /** The paths asked for, in order. */
  readonly asked: string[];
  /** What it answers to a path, from now on. */
  answers(path: string, listener: RequestListener): void;
}

export const DISCOVERY = "/.well-known/openid-configuration";

/** An issuer that can be told to misbehave, for one test. Until then it publishes the keys given. */
export async function fakeIssuer(keys: readonly Key[] = []): Promise<FakeIssuer> {
  const listeners = new Map<string, RequestListener>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const listener = listeners.get(path) ?? ((_, missing) => missing.writeHead(404).end());
    listener(request, response);
  });
  later(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  listeners.set(DISCOVERY, json({ issuer: url, jwks_uri: `${url}/keys` }));
  listeners.set("/keys", json({ keys: await publicKeys(keys) }));
  return { url, asked, answers: (path, listener) => void listeners.set(path, listener) };
}

/** Public keys as an issuer publishes them. */
export async function publicKeys(keys: readonly Key[], members: readonly string[] = ["kid", "alg"]): Promise<readonly object[]> {
  const told = (key: Key) => Object.fromEntries(Object.entries(key).filter(([name]) => members.includes(name)));
  return Promise.all(keys.map(async (key) => ({ ...(await exportJWK(key.publicKey)), ...told(key) })));
}

export function json(value: unknown): RequestListener {
  return (_request, response) => response.setHeader("content-type", "application/json").end(JSON.stringify(value));
}
