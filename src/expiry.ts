import { durationMs, durationText, parseDuration } from "./durations.ts";
import { AppError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { EnvironmentType } from "./model.ts";
import { momentMs } from "./moments.ts";
import { quoted } from "./names.ts";
import { type Policy, policyFor } from "./policy.ts";

/** When a preview ends: a duration from now on, or a moment. */
export interface Expiry {
  /** For example `72h`. */
  readonly expires_in?: string | undefined;
  /** ISO 8601. */
  readonly expires_at?: string | undefined;
}

export function hasExpiry({ expires_in, expires_at }: Expiry): boolean {
  return expires_in !== undefined || expires_at !== undefined;
}

/** The moment that a request names, `null` where it names none. @throws invalid_request */
export function expiryOf(
  { expires_in, expires_at }: Expiry,
  { env, type, policy, now }: { env: string; type: EnvironmentType; policy: Policy; now: string },
): string | null {
  if (expires_in === undefined && expires_at === undefined) return null;
  if (type !== "preview") {
    throw new AppError("invalid_request", {
      reason: `${quoted(env)} is a ${type} environment: previews alone expire.`,
      fix: 'Leave the expiry out, or create the environment with "type":"preview".',
    });
  }
  const end = endOf({ expires_in, expires_at }, Date.parse(now));
  const longest = Math.min(
    LIMITS.previewTtlMs,
    parseDuration("max_ttl", policyFor(policy, env, type).max_ttl ?? durationText(LIMITS.previewTtlMs)),
  );
  if (end > Date.parse(now) && end <= Date.parse(now) + longest) return new Date(end).toISOString();
  throw new AppError("invalid_request", {
    reason:
      end <= Date.parse(now)
        ? `The expiry of ${quoted(env)} is not in the future.`
        : `A preview lives for at most ${durationText(longest)}.`,
    fix: `Choose a time within the next ${durationText(longest)}, for example "expires_in":"${exampleWithin(longest)}".`,
  });
}

/** The longest of the usual lives of a preview that may be asked for. */
function exampleWithin(longest: number): string {
  return ["72h", "24h", "1h"].find((usual) => (durationMs(usual) ?? 0) <= longest) ?? durationText(longest);
}

/** Milliseconds since 1970; not a number's worth of sense is refused here. */
export function endOf({ expires_in, expires_at }: Expiry, now: number): number {
  if (expires_in !== undefined && expires_at !== undefined) {
    throw new AppError("invalid_request", { reason: "Both `expires_in` and `expires_at` are given.", fix: "Send one of them." });
  }
  if (expires_in !== undefined) return now + parseDuration("expires_in", expires_in);
  // A day alone may mean its beginning or its end.
  const time = expires_at?.includes("T") ? momentMs(expires_at) : null;
  if (time !== null) return time;
  throw new AppError("invalid_request", {
    reason: `expires_at is ${quoted(expires_at ?? "")}, which is no moment.`,
    fix: "Write it as ISO 8601, for example `2026-01-31T12:00:00Z`.",
  });
}

/** The end of a preview that nobody gave one: after the usual time, or the longest that the policy lets it live. */
export function defaultExpiry(policy: Policy, env: string, usualMs: number): Expiry {
  const longest = durationMs(policyFor(policy, env, "preview").max_ttl ?? "") ?? usualMs;
  return { expires_in: `${Math.min(usualMs, longest) / 1_000}s` };
}
