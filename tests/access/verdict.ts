import { EVERY, type Grant, type Right, type Role, SOME } from "../../src/access.ts";
import type { Access, Place as At, Need } from "../../src/http/rights.ts";
import type { Built } from "./requests.ts";

/**
 * What a token may, read once more out of the table of rights, by somebody else: nothing of how the engine reads it is used
 * here.
 */

/** `missing`: it must look as if what it names were not there. */
export type Verdict = "allowed" | "forbidden" | { readonly missing: "project_not_found" | "environment_not_found" | "base_not_found" };

const RIGHTS_OF: Readonly<Record<Role, string>> = {
  client: "evaluate",
  reader: "evaluate read",
  editor: "evaluate read edit",
  promoter: "evaluate read edit promote approve report",
  engine: "evaluate read edit promote report",
  admin: "evaluate read edit promote approve report force administer",
};

export function verdictOf(grant: Grant, access: Access, request: Built): Verdict {
  if (typeof access === "string") return "allowed";
  const refused = access.needs.find((need) => isAsked(need, request) && !isGranted(grant, need, request));
  return refused === undefined ? "allowed" : refusalOf(grant, refused, request);
}

function isAsked({ optional, env }: Need, request: Built): boolean {
  return optional !== true || typeof valueAt(env, request) === "string";
}

function isGranted(grant: Grant, { right, project, env }: Need, request: Built): boolean {
  return has(grant, right) && meets(grant.projects, valueAt(project, request)) && meets(grant.envs, valueAt(env, request));
}

function refusalOf({ projects, envs }: Grant, { project, env }: Need, request: Built): Verdict {
  const isNamed = (at: At) => at !== EVERY && at !== SOME;
  if (!isNamed(project) || env === "body.new_environment") return "forbidden";
  if (!meets(projects, valueAt(project, request))) return { missing: "project_not_found" };
  if (!isNamed(env) || meets(envs, valueAt(env, request))) return "forbidden";
  return { missing: env === "body.base_from" ? "base_not_found" : "environment_not_found" };
}

function has({ role, rights }: Grant, right: Right): boolean {
  const own = RIGHTS_OF[role].split(" ");
  return right === "reveal" ? own.includes("read") && rights.includes("secrets:reveal") : own.includes(right);
}

type Value = string | typeof SOME | undefined;

function meets(patterns: readonly string[], value: Value): boolean {
  if (value === SOME) return patterns.length > 0;
  if (value === EVERY) return patterns.includes("*");
  return patterns.some((pattern) => new RegExp(`^${pattern.split("*").join(".*")}$`).test(value ?? ""));
}

function valueAt(at: At, request: Built): Value {
  if (at === EVERY || at === SOME) return at;
  const [part, name] = at.split(".") as [keyof Built, string];
  const value = request[part]?.[name];
  return typeof value === "string" ? value.replace(/@.*/, "") : undefined;
}
