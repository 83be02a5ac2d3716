import type { Authentication } from "../../authentication.ts";
import type { Caller } from "../../model.ts";
import { OpenSessionBody, SessionClosed, SessionOpened, SessionView } from "../../schemas/tokens.ts";
import type { Principal } from "../../tokens.ts";
import { sessionCookie } from "../auth.ts";
import { LOGIN_BODY } from "../json.ts";
import { type Route, route } from "../route.ts";

/** Logging in and out of the dashboard. `authentication` is null where auth is off: then everybody is in. */
export function sessionRoutes(authentication: Authentication | null): readonly Route[] {
  const openSession = route({
    method: "post",
    path: "/session",
    operationId: "openSession",
    tag: "Access",
    summary: "Log in with a token",
    description:
      "Opens a session for a browser: an HttpOnly, SameSite=Strict cookie in place of the token, for 12 hours at most and no longer than the token " +
      "holds. With it, what changes anything must come from a page that the engine serves. Programs send their token with each request instead.",
    body: OpenSessionBody,
    bodyBounds: LOGIN_BODY,
    responses: { 200: { description: "Logged in.", schema: SessionOpened, headers: ["Set-Cookie"] } },
    errors: ["unauthorized", "too_many_requests", "identity_unavailable"],
    async handler({ body, connection }) {
      const principal = await connection.signIn(body.token);
      const reply = { status: "logged_in", ...whoIs(principal.subject, principal) };
      if (authentication === null) return { body: { ...reply, expires_at: null } };
      const { secret, expiresAt, lastsMs } = await authentication.openSession(principal);
      const seconds = Math.max(0, Math.floor(lastsMs / 1_000));
      return {
        headers: { "set-cookie": cookie(connection.secure, secret, seconds) },
        body: { ...reply, expires_at: new Date(expiresAt).toISOString() },
      };
    },
  });

  const getSession = route({
    method: "get",
    path: "/session",
    operationId: "getSession",
    tag: "Access",
    summary: "Ask who one is",
    description: "Whom the token or the session is taken for, and what it may do where.",
    conditional: "read",
    responses: { 200: { description: "Who asks.", schema: SessionView } },
    errors: [],
    handler: ({ caller }) => ({ body: whoIs(caller.actor, caller) }),
  });

  const closeSession = route({
    method: "delete",
    path: "/session",
    operationId: "closeSession",
    tag: "Access",
    summary: "Log out",
    description: "Ends the session in the cookie, on every instance, and takes the cookie away.",
    responses: { 200: { description: "Logged out.", schema: SessionClosed, headers: ["Set-Cookie"] } },
    errors: [],
    async handler({ connection }) {
      if (connection.session !== null) await authentication?.closeSession(connection.session);
      return { headers: { "set-cookie": cookie(connection.secure, "", 0) }, body: { status: "logged_out" } };
    },
  });

  return [openSession, getSession, closeSession];
}

function whoIs(actor: string, { token, grants }: Pick<Principal | Caller, "token" | "grants">) {
  return { actor, token_id: token, grants };
}

function cookie(secure: boolean, value: string, seconds: number): string {
  const attributes = [`${sessionCookie(secure)}=${value}`, "Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${seconds}`];
  return [...attributes, ...(secure ? ["Secure"] : [])].join("; ");
}
