import { AppError } from "./errors.ts";

/** Who may do what: roles, the rights that each has, and where. Pure; everything that is not granted is refused. */

export const ROLES = ["client", "reader", "editor", "promoter", "engine", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** What a request may need. `docs/access.md` says what each lets through. */
export const RIGHTS = ["evaluate", "read", "edit", "promote", "approve", "report", "force", "administer", "reveal"] as const;
export type Right = (typeof RIGHTS)[number];

/** Rights that no role has by itself. */
export const EXTRA_RIGHTS = ["secrets:reveal"] as const;
export type ExtraRight = (typeof EXTRA_RIGHTS)[number];

const READER: readonly Right[] = ["evaluate", "read"];
const EDITOR: readonly Right[] = [...READER, "edit"];

const RIGHTS_OF: Readonly<Record<Role, readonly Right[]>> = {
  client: ["evaluate"],
  reader: READER,
  editor: EDITOR,
  promoter: [...EDITOR, "promote", "approve", "report"],
  // A sibling engine asks for what its users ask it for, and agrees to nothing.
  engine: [...EDITOR, "promote", "report"],
  admin: [...EDITOR, "promote", "approve", "report", "force", "administer"],
};

/** One role in the projects and environments whose names match. */
export interface Grant {
  readonly role: Role;
  /** Names, in which one `*` stands for any characters. */
  readonly projects: readonly string[];
  readonly envs: readonly string[];
  readonly rights: readonly ExtraRight[];
}

export const EVERYTHING: Grant = { role: "admin", projects: ["*"], envs: ["*"], rights: EXTRA_RIGHTS };

/** In place of a name: all that there are, and that will be. */
export const EVERY = "*";
/** In place of a name: at least one, whichever. No text that a request sends is this. */
export const SOME = Symbol("some");
/** A project's or an environment's name, `EVERY` or `SOME`. */
export type Named = string | typeof SOME;

/** Whether a role has a right, wherever it has it. */
export function hasRight({ role, rights }: Pick<Grant, "role" | "rights">, right: Right): boolean {
  if (right === "reveal") return rights.includes("secrets:reveal") && RIGHTS_OF[role].includes("read");
  return RIGHTS_OF[role].includes(right);
}

/** Whether a grant reaches a project's environment. Either name may be `EVERY` or `SOME`. */
export function reaches({ projects, envs }: Pick<Grant, "projects" | "envs">, project: Named, env: Named): boolean {
  return matchesAny(projects, project) && matchesAny(envs, env);
}

export function allows(grants: readonly Grant[], right: Right, project: Named, env: Named): boolean {
  return grants.some((grant) => hasRight(grant, right) && reaches(grant, project, env));
}

/** Whether one of `grants` reaches wherever `other` does, with all of its rights: what its holder may hand on. */
export function includes(grants: readonly Grant[], other: Grant): boolean {
  const needed = RIGHTS.filter((right) => hasRight(other, right));
  return grants.some((grant) => needed.every((right) => hasRight(grant, right)) && spans(grant, other));
}

/** Whether a grant reaches wherever another does. */
export function spans(grant: Pick<Grant, "projects" | "envs">, other: Pick<Grant, "projects" | "envs">): boolean {
  return other.projects.every((project) => matchesAny(grant.projects, project)) && other.envs.every((env) => matchesAny(grant.envs, env));
}

function matchesAny(patterns: readonly string[], name: Named): boolean {
  return name === SOME ? patterns.length > 0 : patterns.some((pattern) => matches(pattern, name));
}

/**
 * Whether `name` matches `pattern`, in which one `*` stands for any characters. Letter case counts. A `*` in the name, which no project
 * or environment has, is matched by a `*` alone: a pattern matches another where it is as wide.
 */
export function matches(pattern: string, name: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return pattern === name;
  return name.length >= pattern.length - 1 && name.startsWith(pattern.slice(0, star)) && name.endsWith(pattern.slice(star + 1));
}

const PATTERN = /^(?=.{1,64}$)[A-Za-z0-9_-]*\*?[A-Za-z0-9_-]*$/;

/** @throws invalid_request, naming the field */
export function checkPattern(pattern: string, field: string): void {
  if (PATTERN.test(pattern)) return;
  throw new AppError("invalid_request", {
    reason: `\`${field}\` holds what is no pattern: ${JSON.stringify(pattern.slice(0, 80))}.`,
    fix: "Use names, in which one `*` stands for any characters: `pf-777`, `pf-*` or `*`.",
  });
}
