import { AuditKeySet, AuditPage, AuditQuery, AuditRecordSchema, VerifyQuery, VerifyReply } from "../../schemas/audit.ts";
import { ProjectParams } from "../../schemas/common.ts";
import { pageRequest } from "../page.ts";
import { type Route, route } from "../route.ts";

const listAudit = route({
  method: "get",
  path: "/env/:project/audit",
  operationId: "listAudit",
  tag: "Audit",
  summary: "Read the audit log",
  description: "Who did what, when, to which environment; newest first, by environment, action or actor where asked.",
  params: ProjectParams,
  query: AuditQuery,
  conditional: "read",
  responses: { 200: { description: "A page of records.", schema: AuditPage } },
  errors: ["invalid_name", "project_not_found"],
  async handler({ params, query, caller, domain }) {
    const { limit, cursor, ...filters } = query;
    return { body: await domain.audit.list(caller, params.project, pageRequest({ limit, cursor }), filters) };
  },
});

const verifyAudit = route({
  method: "get",
  path: "/env/:project/audit/verify",
  operationId: "verifyAudit",
  tag: "Audit",
  summary: "Verify the audit log",
  description: "Recomputes the hash chain from its start. With `expect`, a head noted earlier, it also finds a log whose end was cut off.",
  params: ProjectParams,
  query: VerifyQuery,
  responses: { 200: { description: "Whether the chain is whole.", schema: VerifyReply } },
  errors: ["invalid_name", "project_not_found"],
  handler: async ({ params, query, caller, domain }) => ({
    body: await domain.audit.verify(params.project, query.expect ?? null, caller.requestId),
    volatile: true,
  }),
});

const exportAudit = route({
  method: "get",
  path: "/env/:project/audit/export",
  operationId: "exportAudit",
  tag: "Audit",
  summary: "Export the audit log",
  description:
    "Every record, oldest first, one JSON object on each line. The header `Audit-Signature` is a JWS over `{project_id, records, head, exported_at}`, whose head covers every record; the key is one of `GET /.well-known/jwks.json`.",
  params: ProjectParams,
  responses: {
    200: {
      description: "One record on each line.",
      schema: AuditRecordSchema,
      contentType: "application/x-ndjson",
      headers: ["Audit-Signature"],
    },
  },
  errors: ["invalid_name", "project_not_found", "vault_unavailable", "write_conflict", "overloaded", "storage_full"],
  async handler({ params, domain }) {
    const { records, statement } = await domain.audit.export(params.project);
    return { lines: records, headers: { "audit-signature": await domain.auditSigning.sign(statement) } };
  },
});

const getAuditKeys = route({
  method: "get",
  path: "/.well-known/jwks.json",
  operationId: "getAuditKeys",
  tag: "Audit",
  summary: "What exports of audit logs are signed with",
  description:
    "Public keys as a JSON Web Key Set, oldest first; the last one signs. The first export makes the first one. No key is ever taken away.",
  conditional: "read",
  responses: { 200: { description: "The keys.", schema: AuditKeySet } },
  errors: ["internal_error"],
  async handler({ domain }) {
    const keys = await domain.auditSigning.keys();
    return { body: { keys: keys.map((key) => ({ kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig", ...key })) } };
  },
});

export const auditRoutes: readonly Route[] = [listAudit, verifyAudit, exportAudit, getAuditKeys];
