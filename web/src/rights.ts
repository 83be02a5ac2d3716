import { useCallback } from "react";
import { allows, type Grant, type Named, type Right } from "../../src/access.ts";
import type { Environment } from "./api.ts";
import { sessionQuery } from "./queries.ts";
import { useRead } from "./useRead.ts";

export { EVERY, SOME } from "../../src/access.ts";

/** Whether whoever is logged in has a right in an environment of the project, or in `SOME`. */
export type May = (right: Right, env: Named) => boolean;

/** What somebody may not do is not offered to them; that it is refused all the same is the engine's part. */
export function useMay(project: Named): May {
  const session = useRead(sessionQuery).data;
  return useCallback(
    (right, env) => session !== undefined && allows(session.grants as readonly Grant[], right, project, env),
    [session, project],
  );
}

/** Configuration, rollback, hold, archive: what changes a protected environment is for those who promote there. */
export function mayChange(may: May, { env, protected: isProtected }: Pick<Environment, "env" | "protected">): boolean {
  return may("edit", env) && (!isProtected || may("promote", env));
}
