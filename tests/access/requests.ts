import type { OperationId } from "../../src/http/rights.ts";
import type { JsonObject } from "../../src/ports.ts";

/** One request of each operation, to wherever a test wants it to go: a request that succeeds, where all that it names is there. */

/** How a name ends: what the token reaches, what it does not, what there is not. All of one length, so that replies are too. */
export type Ending = "own" | "far" | "nil";

export interface Place {
  readonly project: Ending;
  /** Of the environments that the request names, in the order of the table's needs; all others are its own. */
  readonly envs?: readonly Ending[];
}

export const projectAt = (ending: Ending): string => `pf-${ending}`;

/** What was made before, by the ending of its project: nobody can choose its name. */
export interface Made {
  readonly tokens: Readonly<Record<Ending, string>>;
  /** Promotions that wait: one to be approved, and one to be rejected. */
  readonly promotions: Readonly<Record<Ending, readonly [approve: string, reject: string]>>;
  /** Opens a session. */
  readonly token: string;
}

export interface Built {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
}

interface Names {
  readonly project: string;
  env(what: string, slot?: number): string;
  readonly made: Made;
  readonly ending: Ending;
  /** Different each time. */
  readonly fresh: string;
}

/** A version that was made in `stg-own`, and that all others began with. */
export const VERSION = "v9.9.1";

const COMMIT = { id: "a".repeat(40), author: "Grace", email: "grace@example.com", at: "2026-01-31T12:00:00.000Z", message: "Pulled" };

const inPath = ({ project, env }: Names): Built => ({ path: { project, env: env("stg") } });
const inBody =
  (what: string, more: JsonObject = {}) =>
  (names: Names): Built => ({
    body: { project_id: names.project, env: names.env(what), ...more },
  });
const inProject = ({ project }: Names): Built => ({ path: { project } });
const nothing = (): Built => ({});
const theToken = ({ made, ending }: Names): Built => ({ path: { id: made.tokens[ending] } });

/** One that does not exist: who may not look after webhooks is told before anybody looks for it. */
const theWebhook = ({ project }: Names): Built => ({ path: { project, id: "0123456789abcdef" } });

/** An operation that has no row here does not compile. */
const REQUESTS: Readonly<Record<OperationId, (names: Names) => Built>> = {
  getMetrics: nothing,
  listSinks: inProject,
  setMirror: ({ project }) => ({ path: { project }, body: { url: "https://mirror.example.com/pf.git", token: "a-token-of-the-mirror" } }),
  getMirror: inProject,
  removeMirror: inProject,
  createWebhook: (names) => ({ ...inProject(names), body: { url: "https://hooks.example.com/a" } }),
  listWebhooks: inProject,
  getWebhook: theWebhook,
  patchWebhook: (names) => ({ ...theWebhook(names), body: { active: true } }),
  deleteWebhook: theWebhook,
  rotateWebhook: (names) => ({ ...theWebhook(names), body: {} }),
  pingWebhook: (names) => ({ ...theWebhook(names), body: {} }),
  listDeliveries: theWebhook,
  createEnvironment: ({ project, env, fresh }) => ({
    body: { project_id: project, new_environment: env(fresh, 0), base_from: env("stg", 1) },
  }),
  listProjects: nothing,
  listEnvironments: inProject,
  getEnvironment: inPath,
  archiveEnvironment: inBody("arc"),
  restoreEnvironment: inBody("arc"),
  holdEnvironment: inBody("stg"),
  resumeEnvironment: inBody("stg"),
  extendEnvironment: inBody("pre", { expires_in: "2h" }),
  getState: inPath,
  getCollection: (names) => ({ path: { ...inPath(names).path, collection: "flows" } }),
  getComponent: (names) => ({ path: { ...inPath(names).path, collection: "flows", name: "a" } }),
  replaceState: (names) => ({ ...inPath(names), body: { state: { flows: { a: { v: 1 }, b: { v: 1 } } } } }),
  patchState: (names) => ({ ...inPath(names), body: { set: { "flows/c": { v: 1 } } } }),
  getConfig: inPath,
  patchConfig: (names) => ({ ...inPath(names), body: { vars: { REGION: "us" }, secrets: { API_KEY: "sk-changed" } } }),
  getFlags: inPath,
  replaceFlags: (names) => ({ ...inPath(names), body: { flags: { beta: true } } }),
  evaluateFlag: ({ project, env }) => ({ path: { key: "beta" }, query: { project_id: project, env: env("stg") }, body: {} }),
  evaluateFlags: ({ project, env }) => ({ query: { project_id: project, env: env("stg") }, body: {} }),
  getRuntime: inPath,
  revealSecrets: (names) => ({ ...inPath(names), body: {} }),
  promote: ({ project, env }) => ({ body: { project_id: project, source_env: env("stg", 0), target_env: env("prd", 1) } }),
  getPromotionReadiness: ({ project, env }) => ({ path: { project, env: env("prd", 1) }, query: { source: env("stg", 0) } }),
  listPromotions: inProject,
  getPromotion: ({ project, made, ending }) => ({ path: { project, id: made.promotions[ending][0] } }),
  approvePromotion: ({ project, made, ending }) => ({ path: { id: made.promotions[ending][0] }, body: { project_id: project } }),
  rejectPromotion: ({ project, made, ending }) => ({ path: { id: made.promotions[ending][1] }, body: { project_id: project } }),
  rollback: inBody("stg", { to: VERSION }),
  listRevisions: inPath,
  getRevision: (names) => ({ path: { ...inPath(names).path, n: "1" } }),
  listVersions: inProject,
  getVersion: (names) => ({ path: { ...inProject(names).path, version: VERSION } }),
  compare: ({ project, env }) => ({ query: { project_id: project, left: env("stg", 0), right: `${env("prd", 1)}@${VERSION}` } }),
  getActive: inPath,
  watchEnvironment: inPath,
  watchProject: inProject,
  reportDeployment: inBody("stg", { version: VERSION, status: "deployed" }),
  getPolicy: inProject,
  replacePolicy: (names) => ({ ...inProject(names), body: {} }),
  listAudit: inProject,
  verifyAudit: inProject,
  exportAudit: inProject,
  getGitSource: inPath,
  putGitSource: (names) => ({ ...inPath(names), body: { url: "https://git.example.com/platform.git", branch: "main" } }),
  deleteGitSource: inPath,
  pull: (names) => ({ ...inPath(names), body: { commit: COMMIT, set: { "flows/pulled": { v: 1 } } } }),
  takePush: (names) => ({ ...inPath(names), body: { ref: "refs/heads/main" } }),
  createToken: ({ project }) => ({ body: { name: "new", role: "client", projects: [project], envs: ["stg-own"] } }),
  listTokens: nothing,
  getToken: theToken,
  rotateToken: (names) => ({ ...theToken(names), body: {} }),
  revokeToken: theToken,
  listAccessAudit: nothing,
  verifyAccessAudit: nothing,
  openSession: ({ made }) => ({ body: { token: made.token } }),
  getSession: nothing,
  closeSession: nothing,
  getAuditKeys: nothing,
  getHealth: nothing,
  getReadiness: nothing,
  getOpenApi: nothing,
};

let requests = 0;

export function built(operation: OperationId, { project, envs = [] }: Place, made: Made): Built {
  return REQUESTS[operation]({
    project: projectAt(project),
    env: (what, slot = 0) => `${what}-${envs[slot] ?? "own"}`,
    made,
    ending: project,
    fresh: `new${++requests}`,
  });
}

/** The target of a request: the template as the served document has it. */
export function targetOf(template: string, { path = {}, query = {} }: Built): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? `no-${name}`));
  const asked = new URLSearchParams(query).toString();
  return asked === "" ? filled : `${filled}?${asked}`;
}
