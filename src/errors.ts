/** One table: error code → HTTP status and the reason given where the thrower gives none. `docs/errors.md` mirrors it, by test. */
export const ERRORS = {
  invalid_request: { status: 400, reason: "The request is not valid." },
  invalid_json: { status: 400, reason: "The body is not valid JSON." },
  invalid_name: { status: 400, reason: "The name is not allowed." },
  invalid_version: { status: 400, reason: "The version is not valid." },
  invalid_flag: { status: 400, reason: "The flag definition is not valid." },
  invalid_context: { status: 400, reason: "The evaluation context is not valid." },
  invalid_policy: { status: 400, reason: "The policy is not valid." },
  same_environment: { status: 400, reason: "Source and target are the same environment." },
  invalid_repository: { status: 400, reason: "The repository holds what cannot be taken." },
  target_not_allowed: { status: 400, reason: "The address is not one that requests may be sent to." },
  unauthorized: { status: 401, reason: "A valid token is needed." },
  forbidden: { status: 403, reason: "This token may not do that." },
  self_approval: { status: 403, reason: "Who asked for a promotion cannot approve it." },
  host_not_allowed: { status: 403, reason: "The Host header names no host of this engine." },
  origin_not_allowed: { status: 403, reason: "Requests from this origin are not allowed." },
  route_not_found: { status: 404, reason: "There is no such route." },
  project_not_found: { status: 404, reason: "There is no such project." },
  environment_not_found: { status: 404, reason: "There is no such environment." },
  base_not_found: { status: 404, reason: "There is no such base environment." },
  version_not_found: { status: 404, reason: "There is no such version." },
  revision_not_found: { status: 404, reason: "There is no such revision." },
  component_not_found: { status: 404, reason: "There is no such component." },
  collection_not_found: { status: 404, reason: "There is no such collection." },
  key_not_found: { status: 404, reason: "There is no such key." },
  token_not_found: { status: 404, reason: "There is no such token." },
  promotion_not_found: { status: 404, reason: "There is no such promotion." },
  git_source_not_found: { status: 404, reason: "The environment follows no repository." },
  branch_not_found: { status: 404, reason: "The repository has no such branch." },
  webhook_not_found: { status: 404, reason: "There is no such webhook." },
  mirror_not_found: { status: 404, reason: "The project has no mirror." },
  method_not_allowed: { status: 405, reason: "This route does not take that method." },
  environment_exists: { status: 409, reason: "The environment exists already." },
  environment_archived: { status: 409, reason: "The environment is archived." },
  environment_protected: { status: 409, reason: "The environment is protected: its state changes by promotion alone." },
  invalid_transition: { status: 409, reason: "The environment's status does not allow that." },
  checks_failed: { status: 409, reason: "The promotion is refused by its checks." },
  merge_conflict: { status: 409, reason: "Both sides changed the same components." },
  unrelated_histories: { status: 409, reason: "The two environments have no common ancestor." },
  history_rewritten: { status: 409, reason: "The repository's history was rewritten." },
  plan_stale: { status: 409, reason: "Something changed since the plan was made." },
  promotion_closed: { status: 409, reason: "The promotion does not wait for approval any more." },
  already_approved: { status: 409, reason: "You have approved this promotion already." },
  version_taken: { status: 409, reason: "The version is taken." },
  secret_unavailable: { status: 409, reason: "A secret's value is gone from the vault." },
  secret_stays_secret: { status: 409, reason: "A secret cannot become a var." },
  write_conflict: { status: 409, reason: "Other writers kept winning the race for this project." },
  environment_expired: { status: 410, reason: "The environment has expired." },
  precondition_failed: { status: 412, reason: "The environment changed since it was read." },
  request_timeout: { status: 408, reason: "The request did not arrive in time." },
  too_large: { status: 413, reason: "The request is too large." },
  unsupported_media_type: { status: 415, reason: "Only JSON bodies are taken." },
  idempotency_mismatch: { status: 422, reason: "The idempotency key was used for another request." },
  headers_too_large: { status: 431, reason: "The request's headers are too large, or too many." },
  too_many_requests: { status: 429, reason: "Too many requests." },
  internal_error: { status: 500, reason: "Something went wrong inside the engine." },
  store_unavailable: { status: 503, reason: "The store cannot be reached." },
  vault_unavailable: { status: 503, reason: "The vault cannot be reached." },
  identity_unavailable: { status: 503, reason: "The identity provider cannot be reached." },
  validation_unavailable: { status: 503, reason: "The Validation engine cannot be reached." },
  mirror_diverged: { status: 409, reason: "The mirror holds commits that are not the engine's." },
  mirror_unavailable: { status: 503, reason: "The mirror cannot be pushed to." },
  repository_unavailable: { status: 503, reason: "The repository cannot be reached." },
  git_unavailable: { status: 503, reason: "There is no git where the engine runs." },
  engine_unavailable: { status: 503, reason: "Another engine cannot be reached." },
  overloaded: { status: 503, reason: "Too many writes are waiting for this project." },
  shutting_down: { status: 503, reason: "The engine is shutting down." },
  storage_full: { status: 507, reason: "The disk is full." },
} as const satisfies Record<string, { status: number; reason: string }>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorDetail {
  /** What happened, with the names that the caller used; never a secret's value. */
  readonly reason?: string;
  /** What to do next. */
  readonly fix?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An expected failure: reaches the caller as it is. Anything else that is thrown becomes `internal_error`. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fix: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, detail: ErrorDetail = {}) {
    super(detail.reason ?? ERRORS[code].reason, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "AppError";
    this.code = code;
    this.fix = detail.fix;
    this.details = detail.details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** What is stored of an object cannot be put together again: it is the object that is at fault, not the store. */
export class DamagedObject extends AppError {
  readonly why: string;

  constructor(partition: string, hash: string, why: string) {
    super("store_unavailable", {
      reason: `The object ${hash} of "${partition}" is damaged: ${why}.`,
      fix: "Run `npm run store:check` to see what else is, and restore the store from a backup.",
    });
    this.why = why;
  }
}

/** Nothing was decided: something was out of reach, or others kept winning the race. It may go well another time. */
export function isPassing({ code, status }: AppError): boolean {
  return status >= 500 || code === "write_conflict";
}
