import { LIMITS } from "../limits.ts";
import type { Deployer, DeployOrder, DeployOutcome } from "../ports.ts";
import { unavailable } from "./failures.ts";
import type { OutgoingResponse } from "./reply.ts";
import type { Sibling } from "./sibling.ts";

/**
 * The Deployment Planner: `POST /deploy {project_id, target_env, deployer_id, version_name}` → `{status:"success", env, version_id, url}`
 * or `{status:"error", reason, stage, fix_suggestion?}`, whatever the HTTP status of that. Deploying takes its time and is not repeated
 * by itself: whether it was begun is not known of a request that got no answer. Where an order is given again, it has the same
 * `Idempotency-Key`.
 */
export class DeploymentPlanner implements Deployer {
  readonly #sibling: Sibling;

  constructor(sibling: Sibling) {
    this.#sibling = sibling;
  }

  async deploy({ id, project, env, version, deployer }: DeployOrder, requestId: string, signal: AbortSignal): Promise<DeployOutcome> {
    const json = { project_id: project, target_env: env, deployer_id: deployer, version_name: version };
    const response = await this.#sibling.call(["deploy"], {
      method: "POST",
      headers: { "idempotency-key": id },
      json,
      requestId,
      signal,
      idempotent: false,
      timeoutMs: LIMITS.deployMs,
      isAnswer: (reply) => outcomeOf(reply) !== null,
    });
    const outcome = outcomeOf(response);
    if (outcome !== null) return outcome;
    // That it will not be asked now, or by us, says nothing of the deployment: the order stands.
    throw unavailable(
      "broken",
      "The Deployment Planner engine",
      `answers with status ${response.status} and nothing that says what became of it`,
      response.retryAfterMs(),
    );
  }
}

/** `null` where a status of 300 or more comes without a word of the planner's own. @throws engine_unavailable for nonsense with any other */
function outcomeOf(response: OutgoingResponse): DeployOutcome | null {
  const refused = response.status >= 300;
  try {
    const outcome = outcomeIn(response.json());
    if (outcome !== null || refused) return outcome;
  } catch (error) {
    if (!refused) throw error;
    return null;
  }
  throw unavailable(
    "malformed",
    "The Deployment Planner engine",
    `answers with status ${response.status} and nothing that says what became of it`,
  );
}

function outcomeIn(body: unknown): DeployOutcome | null {
  const { status, version_id, url, reason, stage, fix_suggestion } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (status === "success") return { ok: true, ...(isText(version_id) && { versionId: cut(version_id) }), ...(isWebUrl(url) && { url }) };
  if (status !== "error" || !isText(reason)) return null;
  return {
    ok: false,
    reason: cut(reason),
    stage: isText(stage) ? cut(stage) : null,
    fix: isText(fix_suggestion) ? cut(fix_suggestion) : null,
  };
}

/** People follow it: anything else is as good as none. */
function isWebUrl(value: unknown): value is string {
  return isText(value) && value.length <= LIMITS.urlLength && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function cut(text: string): string {
  return text.slice(0, LIMITS.deployTextLength);
}
