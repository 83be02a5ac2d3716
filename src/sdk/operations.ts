/** Where each route is and how it is asked: the runtime half of the client. Its types are in `types.ts`. */

export interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As the reference has it: `/env/:project`. */
  readonly path: string;
  /** Takes an Idempotency-Key: sent again, it has the first one's answer. */
  readonly once?: true;
  /** Changes nothing, though it is a POST: may be sent again. */
  readonly repeatable?: true;
  /** Takes If-Match. */
  readonly guarded?: true;
  /** Members that go into the query string of a request that has a body; of one without, all do. */
  readonly query?: readonly string[];
  /** The member that is the whole body, where a body's own members cannot stand beside the others. */
  readonly body?: string;
  /** What comes back where it is not one JSON value. */
  readonly reply?: "lines" | "events" | "text";
  /** Statuses besides 2xx whose body is an answer. */
  readonly answers?: readonly number[];
}

const get = <const Path extends string>(path: Path) => ({ method: "GET", path }) as const;
const once = <const Method extends Operation["method"], const Path extends string>(method: Method, path: Path) =>
  ({ method, path, once: true }) as const;
const guarded = <const Method extends Operation["method"], const Path extends string>(method: Method, path: Path) =>
  ({ method, path, once: true, guarded: true }) as const;

const OFREP_QUERY = ["project_id", "env", "flagConfigEtag", "flagConfigLastModified"] as const;

export const OPERATIONS = {
  createEnvironment: once("POST", "/env/create"),
  listProjects: get("/env"),
  listEnvironments: get("/env/:project"),
  getEnvironment: get("/env/:project/:env"),
  archiveEnvironment: once("POST", "/env/archive"),
  restoreEnvironment: once("POST", "/env/restore"),
  holdEnvironment: once("POST", "/env/hold"),
  resumeEnvironment: once("POST", "/env/resume"),
  extendEnvironment: once("POST", "/env/extend"),
  getState: get("/env/:project/:env/state"),
  getCollection: get("/env/:project/:env/state/:collection"),
  getComponent: get("/env/:project/:env/state/:collection/:name"),
  replaceState: guarded("PUT", "/env/:project/:env/state"),
  patchState: guarded("PATCH", "/env/:project/:env/state"),
  getConfig: get("/env/:project/:env/config"),
  patchConfig: guarded("PATCH", "/env/:project/:env/config"),
  getFlags: get("/env/:project/:env/flags"),
  replaceFlags: { ...guarded("PUT", "/env/:project/:env/flags"), query: ["keep", "bump", "version", "message"], body: "file" },
  evaluateFlag: { method: "POST", path: "/ofrep/v1/evaluate/flags/:key", query: OFREP_QUERY, repeatable: true, answers: [400, 404] },
  evaluateFlags: { method: "POST", path: "/ofrep/v1/evaluate/flags", query: OFREP_QUERY, repeatable: true },
  getRuntime: get("/env/:project/:env/runtime"),
  revealSecrets: { method: "POST", path: "/env/:project/:env/secrets/reveal", query: ["at"], repeatable: true },
  promote: once("POST", "/env/promote"),
  getPromotionReadiness: get("/env/:project/:env/readiness"),
  listPromotions: get("/env/:project/promotions"),
  getPromotion: get("/env/:project/promotions/:id"),
  approvePromotion: once("POST", "/env/promotions/:id/approve"),
  rejectPromotion: once("POST", "/env/promotions/:id/reject"),
  rollback: once("POST", "/env/rollback"),
  listRevisions: get("/env/:project/:env/revisions"),
  getRevision: get("/env/:project/:env/revisions/:n"),
  listVersions: get("/env/:project/versions"),
  getVersion: get("/env/:project/versions/:version"),
  compare: get("/env/compare"),
  getActive: get("/env/:project/:env/active"),
  watchProject: { ...get("/env/:project/watch"), reply: "events" },
  watchEnvironment: { ...get("/env/:project/:env/watch"), reply: "events" },
  reportDeployment: once("POST", "/env/deployments"),
  getPolicy: get("/env/:project/policy"),
  replacePolicy: { ...guarded("PUT", "/env/:project/policy"), body: "policy" },
  listAudit: get("/env/:project/audit"),
  verifyAudit: get("/env/:project/audit/verify"),
  exportAudit: { ...get("/env/:project/audit/export"), reply: "lines" },
  getAuditKeys: get("/.well-known/jwks.json"),
  listSinks: get("/env/:project/sinks"),
  createWebhook: { method: "POST", path: "/env/:project/webhooks" },
  listWebhooks: get("/env/:project/webhooks"),
  getWebhook: get("/env/:project/webhooks/:id"),
  patchWebhook: once("PATCH", "/env/:project/webhooks/:id"),
  deleteWebhook: once("DELETE", "/env/:project/webhooks/:id"),
  rotateWebhook: { method: "POST", path: "/env/:project/webhooks/:id/rotate" },
  pingWebhook: { method: "POST", path: "/env/:project/webhooks/:id/ping" },
  listDeliveries: get("/env/:project/webhooks/:id/deliveries"),
  setMirror: once("PUT", "/env/:project/git/mirror"),
  getMirror: get("/env/:project/git/mirror"),
  removeMirror: once("DELETE", "/env/:project/git/mirror"),
  getGitSource: get("/env/:project/:env/git"),
  putGitSource: { method: "PUT", path: "/env/:project/:env/git" },
  deleteGitSource: once("DELETE", "/env/:project/:env/git"),
  pull: once("POST", "/env/:project/:env/git/pull"),
  takePush: { method: "POST", path: "/env/:project/:env/git/hook" },
  createToken: { method: "POST", path: "/tokens" },
  listTokens: get("/tokens"),
  getToken: get("/tokens/:id"),
  rotateToken: { method: "POST", path: "/tokens/:id/rotate" },
  revokeToken: { method: "DELETE", path: "/tokens/:id" },
  listAccessAudit: get("/tokens/audit"),
  verifyAccessAudit: get("/tokens/audit/verify"),
  openSession: { method: "POST", path: "/session" },
  getSession: get("/session"),
  closeSession: { method: "DELETE", path: "/session" },
  getHealth: get("/healthz"),
  getMetrics: { ...get("/metrics"), reply: "text" },
  getReadiness: { ...get("/readyz"), answers: [503] },
  getOpenApi: get("/openapi.json"),
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationId = keyof typeof OPERATIONS;
