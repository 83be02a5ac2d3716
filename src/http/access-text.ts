import { EVERY, hasRight, RIGHTS, ROLES, type Role, SOME } from "../access.ts";
import type { Access, Need, Place } from "./rights.ts";

/** The table of rights in words: for the OpenAPI document and `docs/access.md`. */

/** One sentence: what an operation needs. */
export function accessText(access: Access): string {
  if (access === "open") return "Needs no token.";
  if (access === "anybody") return "Needs a token, of whatever role.";
  const needs = access.needs.map((need) => `\`${need.right}\` ${whereText(need)}`);
  return `Needs ${needs.join(" and ")}${access.also === undefined ? "" : `; ${access.also}`}.`;
}

/** The roles that have what an operation needs; for revealing, with the extra right. */
export function rolesWith(access: Access): readonly Role[] {
  if (typeof access === "string") return ROLES;
  return ROLES.filter((role) => access.needs.every(({ right }) => hasRight({ role, rights: ["secrets:reveal"] }, right)));
}

/** The rights of a role, the extra one aside. */
export function rightsOf(role: Role): readonly string[] {
  return RIGHTS.filter((right) => hasRight({ role, rights: [] }, right));
}

function whereText({ project, env, optional }: Need): string {
  const given = optional ? " where it is given" : "";
  if (env !== SOME && env !== EVERY) return `in \`${fieldOf(env)}\`${given}`;
  if (project === EVERY) return "in all environments of all projects";
  if (project === SOME) return "somewhere";
  return env === EVERY ? "in all environments of the project" : "in an environment of the project";
}

/** `body.source_env` → `source_env`. */
function fieldOf(place: Exclude<Place, typeof SOME>): string {
  return place.slice(place.indexOf(".") + 1);
}
