import { allows, EVERYTHING, type Named, type Right } from "./access.ts";
import { AppError } from "./errors.ts";
import type { Caller } from "./model.ts";
import { quoted } from "./names.ts";

/** Somebody who may do everything: the root token, or anybody where auth is off. */
export function mayDoAll(actor: string, requestId: string): Caller {
  return { actor, subject: actor, token: actor, requestId, grants: [EVERYTHING] };
}

/** The engine itself at its own work, or nobody: no right of a token's, whatever is asked of it. */
export function mayDoLittle(actor: string, requestId: string): Caller {
  return { actor, subject: actor, token: actor, requestId, grants: [] };
}

/** Whether a caller has a right in an environment, `EVERY` or `SOME`. */
export function may(caller: Caller, right: Right, project: Named, env: Named): boolean {
  return allows(caller.grants, right, project, env);
}

/** The refusal of whoever sees the environment and may not do this in it. */
export function forbidden(caller: Caller, what: string, fix: string): AppError {
  const roles = [...new Set(caller.grants.map(({ role }) => role))].join(", ");
  return new AppError("forbidden", { reason: `${quoted(caller.subject)}${roles === "" ? "" : ` (${roles})`} may not ${what}.`, fix });
}
