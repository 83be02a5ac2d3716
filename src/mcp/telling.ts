import { LIMITS } from "../limits.ts";
import { checkLines, conflictLines, quoted } from "./words.ts";

/** Refusals, as an assistant is told of them. */

/** What to call, where the engine says what to send. */
const FIXES: Readonly<Record<string, string>> = {
  project_not_found: "list_projects shows what this token may see.",
  environment_not_found: "list_environments shows what there is.",
  base_not_found: "list_environments shows what there is.",
  version_not_found: "list_versions with the environment shows what it had.",
  revision_not_found: "list_versions with the environment shows what it had.",
  unauthorized:
    "Give the MCP server a token of this engine: ENVM_TOKEN for `envm mcp`, the header `Authorization: Bearer <token>` for /mcp.",
};

/** What is another than it was when the plan was made. */
const STALE: ReadonlySet<string> = new Set(["plan_stale", "precondition_failed", "idempotency_mismatch"]);

export function fixFor(tool: string, code: string, fix: string): string {
  if (STALE.has(code))
    return `Review it again: call ${tool} without plan_id, show the new plan to whoever you act for, and apply that one.`;
  return Object.hasOwn(FIXES, code) ? (FIXES[code] ?? fix) : fix;
}

/** What an error's details add to its reason. */
export function errorLines({ checks, conflicts, issues, faults = issues }: Readonly<Record<string, unknown>>): string[] {
  if (Array.isArray(checks)) return checkLines(checks.filter(({ status }) => status === "failed" || status === "warning"));
  if (Array.isArray(conflicts)) return conflictLines(conflicts);
  if (!Array.isArray(faults)) return [];
  return (faults as { path?: string; message?: string }[])
    .slice(0, LIMITS.mcpNames)
    .map(({ path = "", message = "" }) => `- ${quoted(path)}: ${quoted(message)}`);
}
