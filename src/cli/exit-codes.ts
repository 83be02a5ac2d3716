/** What the process ends with. `run` ends as its program does. */
export const EXIT = {
  ok: 0,
  /** Something went wrong; or, of `diff`, the sides differ. */
  failed: 1,
  /** What was typed, or sent, is not valid. */
  usage: 2,
  /** No valid token, or one that may not do that. */
  access: 3,
  /** What was named does not exist. */
  missing: 4,
  /** It does not go together with what is there. */
  conflict: 5,
  /** The project's rules refuse it, or it waits for approval. */
  policy: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Every error code of the engine, by how the process ends; `docs/cli.md` shows it. A test compares it with the engine's own table. */
const CODES: Readonly<Record<Exclude<keyof typeof EXIT, "ok">, readonly string[]>> = {
  failed: [
    "engine_unavailable",
    "git_unavailable",
    "identity_unavailable",
    "internal_error",
    "method_not_allowed",
    "mirror_unavailable",
    "overloaded",
    "repository_unavailable",
    "request_timeout",
    "route_not_found",
    "shutting_down",
    "storage_full",
    "store_unavailable",
    "too_many_requests",
    "validation_unavailable",
    "vault_unavailable",
  ],
  usage: [
    "headers_too_large",
    "idempotency_mismatch",
    "invalid_context",
    "invalid_flag",
    "invalid_json",
    "invalid_name",
    "invalid_policy",
    "invalid_repository",
    "invalid_request",
    "invalid_version",
    "same_environment",
    "target_not_allowed",
    "too_large",
    "unsupported_media_type",
  ],
  access: ["forbidden", "host_not_allowed", "origin_not_allowed", "unauthorized"],
  missing: [
    "base_not_found",
    "branch_not_found",
    "collection_not_found",
    "component_not_found",
    "environment_expired",
    "environment_not_found",
    "git_source_not_found",
    "key_not_found",
    "mirror_not_found",
    "project_not_found",
    "promotion_not_found",
    "revision_not_found",
    "token_not_found",
    "version_not_found",
    "webhook_not_found",
  ],
  conflict: [
    "already_approved",
    "environment_archived",
    "environment_exists",
    "history_rewritten",
    "invalid_transition",
    "merge_conflict",
    "mirror_diverged",
    "plan_stale",
    "precondition_failed",
    "promotion_closed",
    "secret_stays_secret",
    "secret_unavailable",
    "unrelated_histories",
    "version_taken",
    "write_conflict",
  ],
  policy: ["checks_failed", "environment_protected", "self_approval"],
};

export const EXIT_OF: Readonly<Record<string, ExitCode>> = Object.fromEntries(
  Object.entries(CODES).flatMap(([name, codes]) => codes.map((code) => [code, EXIT[name as keyof typeof CODES]])),
);

/** How the process ends for an error; one that only a newer engine knows is judged by its status. */
export function exitCodeOf(code: string, status: number): ExitCode {
  const known = Object.hasOwn(EXIT_OF, code) ? EXIT_OF[code] : undefined;
  if (known !== undefined) return known;
  if (code === "invalid_call") return EXIT.usage;
  // A proxy's page says nothing of what the engine has, or of what it allows.
  if (code === "invalid_answer") return EXIT.failed;
  if (status === 401 || status === 403) return EXIT.access;
  if (status === 404 || status === 410) return EXIT.missing;
  if (status === 409 || status === 412) return EXIT.conflict;
  return status >= 400 && status < 500 ? EXIT.usage : EXIT.failed;
}
