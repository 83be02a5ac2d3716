import type { Check } from "./replies.ts";

/** The project that the story is about. */
export const PROJECT = "demo";

/** One check of a plan, in words, with what to do about it. */
export function checkLines({ name, status, reason, fix }: Check): readonly string[] {
  const sign = { passed: "✓", warning: "!", failed: "✗", skipped: "-" }[status];
  return [`${sign} ${name}: ${reason}`, ...(fix === undefined || status === "passed" ? [] : [`  fix: ${fix}`])];
}
