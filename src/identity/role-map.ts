import { checkPattern, EXTRA_RIGHTS, type ExtraRight, type Grant, hasRight, ROLES, type Role } from "../access.ts";
import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

const MEMBERS = ["role", "projects", "envs", "rights"];
const EXAMPLE = '{"platform-admins": {"role": "admin", "projects": ["*"], "envs": ["*"]}}';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads which value of a token's claim grants what, from JSON.
 *
 * ```json
 * {
 *   "platform-admins": { "role": "admin", "projects": ["*"], "envs": ["*"], "rights": ["secrets:reveal"] },
 *   "developers": { "role": "editor", "projects": ["pf-*"], "envs": ["development", "preview-*"] }
 * }
 * ```
 *
 * @throws Error, which says what is wrong and how to mend it
 */
export function parseRoleMap(text: string): ReadonlyMap<string, Grant> {
  const entries = Object.entries(parseObject(text));
  const limit = LIMITS.mappedRoles;
  if (entries.length === 0) throw wrong(`it is empty, so that no token would be granted anything. Name at least one role: ${EXAMPLE}`);
  if (entries.length > limit) throw wrong(`it names ${entries.length} roles, and ${limit} are allowed. Name groups in place of people.`);
  return new Map(entries.map(([name, grant]) => [name, parseGrant(name, grant)]));
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`it is not valid JSON (${(error as Error).message}). Quote it for the shell: OIDC_ROLES='${EXAMPLE}'`);
  }
  if (!isObject(value)) throw wrong(`it must be a JSON object with what each role grants: ${EXAMPLE}`);
  return value;
}

function parseGrant(name: string, value: unknown): Grant {
  const place = shown(name);
  if (name.trim() === "") throw wrong("a role has no name. Use the value that the tokens have in their claim.");
  if (!isObject(value)) throw wrong(`${place} must be an object such as {"role": "reader", "projects": ["*"], "envs": ["*"]}.`);
  const unknown = Object.keys(value).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) throw wrong(`${place} has the unknown member ${shown(unknown)}. There are: ${MEMBERS.join(", ")}.`);
  const role = parseRole(place, value.role);
  const rights = parseRights(place, value.rights);
  if (rights.includes("secrets:reveal") && !hasRight({ role, rights }, "reveal")) {
    throw wrong(
      `${place} gives "secrets:reveal" to the role "${role}", which may not read. Take the right away, or use the role "reader".`,
    );
  }
  return Object.freeze({ role, rights, projects: parsePatterns(place, value, "projects"), envs: parsePatterns(place, value, "envs") });
}

function parseRole(place: string, value: unknown): Role {
  const role = ROLES.find((one) => one === value);
  if (role !== undefined) return role;
  throw wrong(`${place} has ${value === undefined ? "no role" : `the unknown role ${shown(value)}`}. Use one of: ${ROLES.join(", ")}.`);
}

function parseRights(place: string, value: unknown): readonly ExtraRight[] {
  if (value === undefined) return Object.freeze([]);
  if (!Array.isArray(value)) throw wrong(`the \`rights\` of ${place} must be a list, such as ["secrets:reveal"]. Leave it out for none.`);
  const unknown: unknown = value.find((right) => !EXTRA_RIGHTS.some((one) => one === right));
  if (unknown !== undefined) throw wrong(`${place} has the unknown right ${shown(unknown)}. There are: ${EXTRA_RIGHTS.join(", ")}.`);
  return Object.freeze(EXTRA_RIGHTS.filter((right) => value.includes(right)));
}

function parsePatterns(place: string, grant: JsonObject, member: "projects" | "envs"): readonly string[] {
  const value = grant[member];
  const limit = LIMITS.mappedPatterns;
  if (!Array.isArray(value) || value.length === 0) {
    throw wrong(`\`${member}\` of ${place} must be a list of names, in which \`*\` stands for any characters. For all of them: ["*"].`);
  }
  if (value.length > limit) throw wrong(`\`${member}\` of ${place} has ${value.length} names, and ${limit} are allowed. Use patterns.`);
  return Object.freeze(value.map((pattern: unknown) => parsePattern(place, member, pattern)));
}

function parsePattern(place: string, member: string, value: unknown): string {
  if (typeof value !== "string") throw wrong(`\`${member}\` of ${place} holds ${shown(value)}, which is no text. Put it in quotes.`);
  try {
    checkPattern(value, member);
    return value;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw wrong(`${place}: ${error.message} ${error.fix ?? ""}`.trimEnd());
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 80);
}

function wrong(what: string): Error {
  return new Error(`OIDC_ROLES: ${what}`);
}
