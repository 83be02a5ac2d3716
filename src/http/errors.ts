import type { ServerResponse } from "node:http";
import type { ErrorRequestHandler } from "express";
import type { Logger } from "pino";
import { AppError, type ErrorCode } from "../errors.ts";
import type { ErrorReply } from "../schemas/operations.ts";
import type { Asked } from "./asked.ts";
import { GIT_CHALLENGE, gitFailure, isGit } from "./git-client.ts";
import { isOfrep, ofrepFailure } from "./ofrep.ts";

/** What to do next, where whoever threw the error had nothing better to say. */
export const FIXES: Readonly<Record<ErrorCode, string>> = {
  invalid_request: "Correct what the reason names. GET /openapi.json describes every field of every route.",
  invalid_json: "Send one JSON object in UTF-8, without repeated names, at most 64 levels deep.",
  invalid_name: "Choose a name that the pattern in GET /openapi.json allows.",
  invalid_version: "Give a version such as v2.3.1.",
  invalid_flag: "Send true, false, or a flagd definition with state and at least one variant.",
  invalid_context: "Send an object with targetingKey and what the flags' rules look at.",
  invalid_policy: "Mend each fault that details names.",
  same_environment: "Name two different environments.",
  invalid_repository: "Mend what the reason names in the repository, and pull again.",
  target_not_allowed: "Use a public https address, or ask the operator to allow this one.",
  unauthorized: "Send the header `Authorization: Bearer <token>` with a token that is valid.",
  forbidden: "Ask an administrator for a token with the right that this route needs.",
  host_not_allowed: "Call the engine by its loopback address, or add the name to ENV_MANAGER_ALLOWED_HOSTS.",
  origin_not_allowed: "Send the request from a page that the engine itself serves, or add that page's host to ENV_MANAGER_ALLOWED_HOSTS.",
  route_not_found: "GET /openapi.json lists all routes.",
  project_not_found: "GET /env lists the projects. The first environment creates one: POST /env/create.",
  environment_not_found: "GET /env/<project> lists the environments.",
  base_not_found: "GET /env/<project> lists the environments that can be a base. Leave base_from out to start empty.",
  version_not_found: "GET /env/<project>/versions lists the versions.",
  revision_not_found: "GET /env/<project>/<env>/revisions lists the revisions.",
  component_not_found: "GET /env/<project>/<env>/state/<collection> lists the components.",
  collection_not_found: "GET /env/<project>/<env>/state shows all collections.",
  key_not_found: "GET /env/<project>/<env>/config lists what is bound.",
  token_not_found: "GET /tokens lists the tokens.",
  method_not_allowed: "Use one of the methods in the Allow header.",
  environment_exists: "Choose another name, or use the environment that there is.",
  environment_archived: "Restore it first: POST /env/restore.",
  environment_protected: "Make the change in an environment before it, then promote: POST /env/promote.",
  invalid_transition: "Look at the environment's status first: GET /env/<project>/<env>.",
  checks_failed: "Do what `fix` says at each failed check in details.checks, then ask again.",
  merge_conflict: "Settle each conflict in details.conflicts with `resolve`.",
  unrelated_histories: 'Use "strategy":"replace" once.',
  promotion_not_found: "GET /env/<project>/promotions lists them.",
  git_source_not_found: "PUT /env/<project>/<env>/git says which branch it follows.",
  branch_not_found: "Name a branch that the repository has.",
  webhook_not_found: "GET /env/<project>/webhooks lists them.",
  promotion_closed: "Promote again to put up a new plan.",
  already_approved: "Somebody else must approve it too.",
  self_approval: "Ask somebody else to approve it.",
  idempotency_mismatch: "Use a new key for a new request.",
  history_rewritten: "Look at who rewrote it; where it is meant, send rewritten:true.",
  plan_stale: "Make a new plan with dry_run, look at it, and send its plan_id.",
  version_taken: "Choose another version, or leave it out to have the next free one.",
  secret_unavailable: 'Send secrets:"keep_current" to keep today\'s value, or set the secret first.',
  secret_stays_secret: "Send it as a secret, or remove it first.",
  write_conflict: "Send the request again.",
  environment_expired: "Create the environment anew.",
  precondition_failed: "Read it again, then send the change with the new ETag.",
  request_timeout: "Send the whole request at once, over a faster line or in smaller parts.",
  too_large: "Send less in one request.",
  unsupported_media_type: "Send JSON with the header `Content-Type: application/json`.",
  headers_too_large: "Send fewer and shorter headers: cookies of other applications are often what is too much.",
  too_many_requests: "Wait as long as the Retry-After header says.",
  internal_error: "Try again. If it stays, give the operator the request_id: the log has the cause.",
  store_unavailable: "Try again in a moment. GET /readyz says what is missing.",
  vault_unavailable: "Try again in a moment. GET /readyz says what is missing.",
  identity_unavailable: "Try again in a moment, or use a token of the engine's own. GET /readyz says what is missing.",
  validation_unavailable: "Try again when the Validation engine is back. GET /readyz says what is missing.",
  mirror_not_found: "PUT /env/<project>/git/mirror sets one.",
  mirror_diverged: "Rename or remove the branches that the reason names in the mirror, or give the project an empty repository.",
  mirror_unavailable: "Look at the address and the credential: GET /env/<project>/git/mirror, and GET /env/<project>/sinks for the reason.",
  repository_unavailable: "Try again in a moment; where it stays, look at the repository's address and credential.",
  git_unavailable: "Install git where the engine runs: `apt-get install git`, `apk add git` or `dnf install git`.",
  engine_unavailable: "Try again in a moment. GET /readyz says what is missing.",
  overloaded: "Try again in a moment, with fewer requests at once.",
  shutting_down: "Try again in a moment, or on another instance.",
  storage_full: "Free space on the disk that holds the database. Reads go on, and writes do so by themselves.",
};

/** Seconds after which a caller may try again. */
export const RETRY_AFTER: Partial<Record<ErrorCode, number>> = {
  too_many_requests: 1,
  store_unavailable: 1,
  vault_unavailable: 1,
  identity_unavailable: 1,
  validation_unavailable: 5,
  engine_unavailable: 1,
  overloaded: 1,
  write_conflict: 1,
  shutting_down: 5,
};

export interface Failure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorReply;
}

/** The reply for anything that was thrown. What is not an `AppError` says `internal_error` and nothing else. */
export function failureOf(thrown: unknown, requestId: string): Failure {
  const error = asAppError(thrown);
  return {
    status: error.status,
    headers: headersOf(error),
    body: {
      status: "error",
      code: error.code,
      reason: error.message,
      fix_suggestion: error.fix ?? FIXES[error.code],
      details: { ...error.details },
      request_id: requestId,
    },
  };
}

function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof URIError) {
    return new AppError("invalid_request", {
      reason: "The path is not percent-encoded correctly.",
      fix: "Encode each part of the path as UTF-8.",
    });
  }
  // What files are served with knows conditions of its own.
  if (thrown instanceof Error && "status" in thrown && thrown.status === 412) return new AppError("precondition_failed");
  return new AppError("internal_error", { cause: thrown });
}

function headersOf(error: AppError): Record<string, string> {
  const headers: Record<string, string> = { "cache-control": "no-store" };
  if (error.code === "unauthorized") headers["www-authenticate"] = 'Bearer realm="environment-manager"';
  const allow = error.details?.allow;
  if (error.code === "method_not_allowed" && Array.isArray(allow)) headers.allow = allow.join(", ");
  const seconds = error.details?.["retry_after_seconds"] ?? RETRY_AFTER[error.code];
  if (seconds !== undefined) headers["retry-after"] = String(seconds);
  return headers;
}

/** Answers with what was thrown, and logs it where that is the operator's matter. */
export type Failed = (thrown: unknown, request: Asked, response: ServerResponse) => void;

/** Express's last stop. */
export function errorHandler(failed: Failed): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => failed(thrown, request, response);
}

export function failedOf(logger: Logger): Failed {
  return (thrown, request, response) => {
    const requestId = String(response.getHeader("x-request-id") ?? "");
    const failure = failureOf(thrown, requestId);
    const about = { request_id: requestId, method: request.method, code: failure.body.code };
    if (failure.status >= 500) {
      const cause = thrown instanceof AppError ? thrown.cause : thrown;
      logger[failure.body.code === "internal_error" ? "error" : "warn"]({ ...about, err: cause ?? thrown }, "request failed");
    } else {
      logger.debug(about, "request refused");
    }
    if (response.headersSent) {
      // A reply that broke off in the middle must not look complete.
      response.destroy();
      return;
    }
    for (const name of ["etag", "location"]) response.removeHeader(name);
    if (isGit(request.originalUrl)) {
      const { status, headers, text } = gitFailure(failure);
      const challenge = status === 401 ? { "www-authenticate": GIT_CHALLENGE } : {};
      response.writeHead(status, { ...headers, ...challenge, "content-type": "text/plain; charset=utf-8" }).end(text);
      return;
    }
    const told = isOfrep(request.originalUrl) ? ofrepFailure(failure, request.originalUrl) : failure;
    const text = JSON.stringify(told.body);
    const headers = { ...failure.headers, "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(text) };
    response.writeHead(failure.status, headers).end(request.method === "HEAD" ? undefined : text);
  };
}
