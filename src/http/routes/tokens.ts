import { AuditPage, AuditQuery, VerifyQuery, VerifyReply } from "../../schemas/audit.ts";
import {
  CreateTokenBody,
  RevokedToken,
  RotateTokenBody,
  ShownTokenSchema,
  TokenPage,
  TokenParams,
  TokenQuery,
  TokenViewSchema,
} from "../../schemas/tokens.ts";
import { pageRequest } from "../page.ts";
import { type Route, route } from "../route.ts";

const createToken = route({
  method: "post",
  path: "/tokens",
  operationId: "createToken",
  tag: "Access",
  summary: "Create a token",
  description:
    "A role in the projects and environments whose names match, and the right to reveal secrets where that is asked for: no more than the " +
    "caller has themselves. The token is shown in this reply and never again, so that the request takes no Idempotency-Key: sent again, it makes another token.",
  body: CreateTokenBody,
  responses: { 201: { description: "The token.", schema: ShownTokenSchema, headers: ["Location"] } },
  errors: ["invalid_name", "forbidden"],
  handler: async ({ body, caller, domain }) => {
    const token = await domain.tokens.create(caller, body);
    return { status: 201, headers: { location: `/tokens/${token.id}` }, body: token };
  },
});

const listTokens = route({
  method: "get",
  path: "/tokens",
  operationId: "listTokens",
  tag: "Access",
  summary: "List tokens",
  description:
    "Those that reach nothing that the caller does not administer: whose they are, what they may, until when, and when they were last used.",
  query: TokenQuery,
  conditional: "read",
  responses: { 200: { description: "A page of tokens.", schema: TokenPage } },
  errors: ["forbidden"],
  handler: async ({ query, caller, domain }) => ({ body: await domain.tokens.list(caller, pageRequest(query)) }),
});

const getToken = route({
  method: "get",
  path: "/tokens/:id",
  operationId: "getToken",
  tag: "Access",
  summary: "Read one token",
  description: "What is known of it; itself, it is shown by nothing.",
  params: TokenParams,
  conditional: "read",
  responses: { 200: { description: "The token.", schema: TokenViewSchema } },
  errors: ["forbidden", "token_not_found"],
  handler: async ({ params, caller, domain }) => ({ body: await domain.tokens.view(caller, params.id) }),
});

const rotateToken = route({
  method: "post",
  path: "/tokens/:id/rotate",
  operationId: "rotateToken",
  tag: "Access",
  summary: "Replace a token's secret",
  description:
    "The same token with another secret, shown once. The one before is taken for `overlap` longer, so that its users can be moved over.",
  params: TokenParams,
  body: RotateTokenBody,
  emptyBody: true,
  responses: { 200: { description: "The token.", schema: ShownTokenSchema } },
  errors: ["forbidden", "token_not_found", "invalid_transition"],
  handler: async ({ params, body, caller, domain }) => ({ body: await domain.tokens.rotate(caller, params.id, body) }),
});

const revokeToken = route({
  method: "delete",
  path: "/tokens/:id",
  operationId: "revokeToken",
  tag: "Access",
  summary: "Revoke a token",
  description: "It is refused from now on, and the sessions that were opened with it end. Revoking it again changes nothing.",
  params: TokenParams,
  responses: { 200: { description: "It is revoked.", schema: RevokedToken } },
  errors: ["forbidden", "token_not_found"],
  handler: async ({ params, caller, domain }) => ({ body: await domain.tokens.revoke(caller, params.id) }),
});

const listAccessAudit = route({
  method: "get",
  path: "/tokens/audit",
  operationId: "listAccessAudit",
  tag: "Access",
  summary: "Read the audit log of access",
  description: "Tokens made, rotated and revoked, and what was refused to whom: newest first, a hash chain of its own.",
  query: AuditQuery,
  conditional: "read",
  responses: { 200: { description: "A page of records.", schema: AuditPage } },
  errors: ["forbidden"],
  handler: async ({ query, caller, domain }) => {
    const { limit, cursor, ...filter } = query;
    return { body: await domain.audit.listAccess(caller, pageRequest({ limit, cursor }), filter) };
  },
});

const verifyAccessAudit = route({
  method: "get",
  path: "/tokens/audit/verify",
  operationId: "verifyAccessAudit",
  tag: "Access",
  summary: "Verify the audit log of access",
  description: "Recomputes the chain, as for a project.",
  query: VerifyQuery,
  responses: { 200: { description: "Whether the chain is whole.", schema: VerifyReply } },
  errors: ["forbidden"],
  handler: async ({ query, caller, domain }) => ({
    body: await domain.audit.verifyAccess(query.expect ?? null, caller.requestId),
    volatile: true,
  }),
});

export const tokenRoutes: readonly Route[] = [
  createToken,
  listTokens,
  getToken,
  rotateToken,
  revokeToken,
  listAccessAudit,
  verifyAccessAudit,
];
