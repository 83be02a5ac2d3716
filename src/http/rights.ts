import { EVERY, type Named, type Right, reaches, SOME } from "../access.ts";
import { forbidden, may } from "../callers.ts";
import type { AppError } from "../errors.ts";
import { environmentNotFound } from "../heads.ts";
import type { Caller } from "../model.ts";
import { quoted } from "../names.ts";
import { baseNotFound } from "../origin.ts";
import { projectNotFound } from "../transaction.ts";

/**
 * The one table of rights: what each operation needs, and where. What guards the routes, what `docs/access.md` says and what
 * the OpenAPI document shows all come from it; a route that it does not name does not compile.
 */

/** Where a request names a project or an environment; or which ones are meant: `EVERY` or `SOME`. */
export type Place = `path.${string}` | `query.${string}` | `body.${string}` | typeof EVERY | typeof SOME;

export interface Need {
  readonly right: Right;
  readonly project: Place;
  readonly env: Place;
  /** Asked only where the request names the environment. */
  readonly optional?: true;
}

/** `open`: without a token. `anybody`: with any token. What is left to the domain, since a request does not name it, is said in words. */
export type Access = "open" | "anybody" | { readonly needs: readonly Need[]; readonly also?: string };

const inPath = (right: Right): Access => ({ needs: [{ right, project: "path.project", env: "path.env" }] });
const inBody = (right: Right, also?: string): Access => ({
  needs: [{ right, project: "body.project_id", env: "body.env" }],
  ...(also !== undefined && { also }),
});
const inProject = (right: Right, env: typeof EVERY | typeof SOME, also?: string): Access => ({
  needs: [{ right, project: "path.project", env }],
  ...(also !== undefined && { also }),
});
const anywhere = (right: Right, also: string): Access => ({ needs: [{ right, project: SOME, env: SOME }], also });

const PROTECTED = "`promote` where the environment is protected";
const SEEN = "shows what is in environments that the token may read";
const SEEN_OF_THE_WHOLE = `${SEEN}; what concerns the project as a whole, to whoever may read all of it`;
const OWN_TOKENS = "for tokens whose projects and environments are all within the caller's";

const NAMED_OR_OWN: Access = {
  needs: [{ right: "evaluate", project: "query.project_id", env: "query.env", optional: true }],
  also: "without a name, in the only environment that the token reaches with that right",
};

export const ACCESS = {
  createEnvironment: {
    needs: [
      { right: "edit", project: "body.project_id", env: "body.new_environment" },
      { right: "read", project: "body.project_id", env: "body.base_from", optional: true },
    ],
    also: "`reveal` in `base_from` for its secrets to be copied; `promote` for a preview that exists and is protected",
  },
  listProjects: anywhere("read", "shows projects in which the token may read an environment"),
  listEnvironments: inProject("read", SOME, SEEN),
  getEnvironment: inPath("read"),
  archiveEnvironment: inBody("edit", PROTECTED),
  restoreEnvironment: inBody("edit", PROTECTED),
  holdEnvironment: inBody("edit", PROTECTED),
  resumeEnvironment: inBody("edit", PROTECTED),
  extendEnvironment: inBody("edit", PROTECTED),
  getState: inPath("read"),
  getCollection: inPath("read"),
  getComponent: inPath("read"),
  replaceState: inPath("edit"),
  patchState: inPath("edit"),
  getConfig: inPath("read"),
  patchConfig: { needs: [{ right: "edit", project: "path.project", env: "path.env" }], also: PROTECTED },
  getFlags: inPath("read"),
  replaceFlags: { needs: [{ right: "edit", project: "path.project", env: "path.env" }], also: PROTECTED },
  evaluateFlag: NAMED_OR_OWN,
  evaluateFlags: NAMED_OR_OWN,
  getRuntime: inPath("reveal"),
  revealSecrets: inPath("reveal"),
  promote: {
    needs: [
      { right: "read", project: "body.project_id", env: "body.source_env" },
      { right: "promote", project: "body.project_id", env: "body.target_env" },
    ],
    also: "`force` in `target_env` to skip checks",
  },
  getPromotionReadiness: {
    needs: [
      { right: "read", project: "path.project", env: "query.source" },
      { right: "read", project: "path.project", env: "path.env" },
    ],
  },
  listPromotions: inProject("read", SOME, "shows promotions to environments that the token may read"),
  getPromotion: inProject("read", SOME, "shows a promotion to an environment that the token may read"),
  approvePromotion: { needs: [{ right: "approve", project: "body.project_id", env: SOME }], also: "`approve` in the promotion's target" },
  rejectPromotion: { needs: [{ right: "approve", project: "body.project_id", env: SOME }], also: "`approve` in the promotion's target" },
  rollback: inBody("edit", PROTECTED),
  listRevisions: inPath("read"),
  getRevision: inPath("read"),
  listVersions: inProject("read", SOME, "shows versions that were made in environments that the token may read"),
  getVersion: inProject("read", SOME, "shows a version that was made in an environment that the token may read"),
  compare: {
    needs: [
      { right: "read", project: "query.project_id", env: "query.left" },
      { right: "read", project: "query.project_id", env: "query.right" },
    ],
    also: "`reveal` on both sides to be told which secrets differ",
  },
  getActive: inPath("read"),
  watchEnvironment: {
    needs: [{ right: "evaluate", project: "path.project", env: "path.env" }],
    also: "`read` to be told more than that there is a new head",
  },
  watchProject: inProject("read", SOME, SEEN_OF_THE_WHOLE),
  reportDeployment: inBody("report"),
  getPolicy: inProject("read", EVERY),
  replacePolicy: inProject("administer", EVERY),
  listAudit: inProject("read", SOME, SEEN_OF_THE_WHOLE),
  verifyAudit: inProject("read", EVERY),
  exportAudit: inProject("read", EVERY),
  getAuditKeys: "open",
  listSinks: inProject("read", EVERY),
  createWebhook: inProject("administer", EVERY),
  listWebhooks: inProject("administer", EVERY),
  getWebhook: inProject("administer", EVERY),
  patchWebhook: inProject("administer", EVERY),
  deleteWebhook: inProject("administer", EVERY),
  rotateWebhook: inProject("administer", EVERY),
  pingWebhook: inProject("administer", EVERY),
  listDeliveries: inProject("administer", EVERY),
  setMirror: inProject("administer", EVERY),
  getMirror: inProject("administer", EVERY),
  removeMirror: inProject("administer", EVERY),
  getGitSource: inPath("read"),
  putGitSource: inPath("administer"),
  deleteGitSource: inPath("administer"),
  pull: { needs: [{ right: "edit", project: "path.project", env: "path.env" }], also: PROTECTED },
  takePush: "open",
  createToken: anywhere("administer", "all that the token is to have, among the caller's own rights"),
  listTokens: anywhere("administer", OWN_TOKENS),
  getToken: anywhere("administer", OWN_TOKENS),
  rotateToken: anywhere("administer", `${OWN_TOKENS}, their rights too`),
  revokeToken: anywhere("administer", OWN_TOKENS),
  listAccessAudit: { needs: [{ right: "administer", project: EVERY, env: EVERY }] },
  verifyAccessAudit: { needs: [{ right: "administer", project: EVERY, env: EVERY }] },
  openSession: "open",
  getSession: "anybody",
  closeSession: "anybody",
  getHealth: "open",
  getMetrics: "open",
  getReadiness: "open",
  getOpenApi: "open",
} as const satisfies Readonly<Record<string, Access>>;

export type OperationId = keyof typeof ACCESS;

export function accessOf(operation: OperationId): Access {
  return ACCESS[operation];
}

/** The parts of a request, as far as they are known. */
interface Parts {
  readonly path?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

/**
 * Refuses what the caller has no right to, of the needs that `parts` can answer. What they may not see at all looks like what
 * does not exist, before anything is looked up.
 * @throws forbidden, project_not_found, environment_not_found, base_not_found
 */
export function checkRights(caller: Caller, operation: OperationId, parts: Parts): void {
  const access = accessOf(operation);
  if (typeof access === "string") return;
  for (const need of access.needs) {
    const project = nameAt(need.project, parts);
    const env = nameAt(need.env, parts);
    if (project === null || env === null || (need.optional && env === "")) continue;
    if (!may(caller, need.right, project, env)) throw refusal(caller, need, project, env);
  }
}

/** `null` where that part of the request is not known yet; empty where it is, and names nothing. */
function nameAt(place: Place, parts: Parts): Named | null {
  if (place === EVERY || place === SOME) return place;
  const [of, field] = wordsOf(place);
  const part = parts[of];
  if (part === undefined) return null;
  const name = (part as Readonly<Record<string, unknown>>)[field];
  if (typeof name !== "string") return "";
  // A side of a comparison is `staging` or `staging@v2.3.1`.
  const at = name.indexOf("@");
  return at < 0 ? name : name.slice(0, at);
}

type Words = readonly [of: keyof Parts, field: string];
/** Of each place in the table. */
const WORDS = new Map<string, Words>();

/** `path.project` → `path` and `project`. */
function wordsOf(place: string): Words {
  const known = WORDS.get(place);
  if (known !== undefined) return known;
  const dot = place.indexOf(".");
  const words: Words = [place.slice(0, dot) as keyof Parts, place.slice(dot + 1)];
  WORDS.set(place, words);
  return words;
}

function refusal(caller: Caller, need: Need, project: Named, env: Named): AppError {
  const hidden = hiddenBy(caller, need, project, env);
  if (hidden !== null) return hidden;
  const what = `${VERBS[need.right]} ${whereIs(project, env)}`;
  return forbidden(
    caller,
    what,
    `Use a token with the right \`${need.right === "reveal" ? "secrets:reveal" : need.right}\` there, or ask an administrator for one.`,
  );
}

/** What the caller may not see looks like what there is not. What is to be made need not exist: refusing it tells nothing. */
function hiddenBy(caller: Caller, need: Need, project: Named, env: Named): AppError | null {
  // By what the table means, not by what a request says: a `*` that stands in a path is a name, of nothing that there is.
  if (typeof project !== "string" || need.project === EVERY || need.env === "body.new_environment") return null;
  const sees = (name: Named) => caller.grants.some((grant) => reaches(grant, project, name));
  if (!sees(SOME)) return projectNotFound(project);
  if (typeof env !== "string" || need.env === EVERY || sees(env)) return null;
  return need.env === "body.base_from" ? baseNotFound(project, env) : environmentNotFound(project, env);
}

function whereIs(project: Named, env: Named): string {
  if (typeof project !== "string") return "anywhere";
  if (project === EVERY) return "everywhere";
  const of = `project ${quoted(project)}`;
  if (typeof env !== "string") return `in ${of}`;
  return env === EVERY ? `in all of ${of}` : `in ${quoted(env)} of ${of}`;
}

/** Each right, as one says what somebody may not do. */
const VERBS: Readonly<Record<Right, string>> = {
  evaluate: "evaluate flags",
  read: "read",
  edit: "change anything",
  promote: "promote",
  approve: "approve or reject promotions",
  report: "report deployments",
  force: "skip checks",
  administer: "administer",
  reveal: "reveal secrets",
};
