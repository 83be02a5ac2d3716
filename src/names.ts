import { AppError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { isWellFormed } from "./merkle/index.ts";

/** Every literal segment of any route: none may be a project's or an environment's name, so that no URL has two meanings. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "active",
  "approve",
  "archive",
  "audit",
  "compare",
  "config",
  "create",
  "deliveries",
  "deployments",
  "docs",
  "env",
  "evaluate",
  "export",
  "extend",
  "flags",
  "git",
  "healthz",
  "hold",
  "hook",
  "mcp",
  "metrics",
  "mirror",
  "ofrep",
  "openapi",
  "ping",
  "policy",
  "promote",
  "promotions",
  "pull",
  "readiness",
  "readyz",
  "reject",
  "restore",
  "resume",
  "reveal",
  "revisions",
  "rollback",
  "rotate",
  "runtime",
  "secrets",
  "session",
  "sinks",
  "state",
  "tokens",
  "v1",
  "verify",
  "versions",
  "watch",
  "webhooks",
]);

const PROJECT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const ENVIRONMENT = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const CONFIG_KEY = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const COLLECTION = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const UNSAFE_MEMBERS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Shows a name that somebody sent inside an error message: quoted, bounded, control characters escaped. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

/** What somebody else wrote, where more words follow: with a full stop, unless it ends in one or in something like it. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** What a fault is told with, where names that somebody chose are part of it: they may be of any length. */
export function faultText(text: string): string {
  return text.length > LIMITS.faultLength ? `${text.slice(0, LIMITS.faultLength)}…` : text;
}

export function checkProject(name: string): void {
  if (PROJECT.test(name) && !isReserved(name)) return;
  throw invalidName("project", name, "1 to 64 letters, digits, `_` and `-`, starting with a letter or digit, for example `pf-777`");
}

export function isEnvironmentName(name: string): boolean {
  return ENVIRONMENT.test(name) && !isReserved(name);
}

export function checkEnvironmentName(name: string): void {
  if (isEnvironmentName(name)) return;
  throw invalidName(
    "environment",
    name,
    "1 to 63 lower-case letters, digits, `_` and `-`, starting with a letter or digit, for example `staging`",
  );
}

/** What an environment's config holds, by the name of one of each. */
type ConfigKind = "var" | "secret" | "flag" | "evaluator" | "flag_metadata";

/** What the collections of a config hold. */
export const CONFIG_COLLECTIONS: ReadonlyMap<string, ConfigKind> = new Map([
  ["vars", "var"],
  ["secrets", "secret"],
  ["flags", "flag"],
  ["evaluators", "evaluator"],
  ["flag_metadata", "flag_metadata"],
]);

/** Checks the name of anything in a config. */
export function checkConfigKey(kind: ConfigKind, name: string): void {
  if (CONFIG_KEY.test(name) && name.length <= LIMITS.configNameLength && !UNSAFE_MEMBERS.has(name)) return;
  throw invalidName(
    kind,
    name,
    `1 to ${LIMITS.configNameLength} letters, digits, \`_\`, \`.\` and \`-\`, starting with a letter or \`_\`, for example \`API_KEY\``,
  );
}

/** Checks a component's full name, `collection/name`. The part after the first `/` may hold more of them. */
export function checkComponent(fullName: string): void {
  const slash = fullName.indexOf("/");
  if (slash < 1) throw invalidName("component", fullName, "`collection/name`, for example `flows/onboarding`");
  checkCollection(fullName.slice(0, slash));
  const name = fullName.slice(slash + 1);
  const wellFormed = name !== "" && !hasControlCharacter(name) && isWellFormed(name);
  const safe = name.split("/").every((part) => part !== "" && part !== "." && part !== ".." && !UNSAFE_MEMBERS.has(part));
  if (wellFormed && safe && Buffer.byteLength(fullName) <= LIMITS.componentNameBytes) return;
  throw invalidName(
    "component",
    fullName,
    `\`collection/name\` of at most ${LIMITS.componentNameBytes} bytes, without control characters, empty parts, \`.\`, \`..\` or \`__proto__\``,
  );
}

export function checkCollection(name: string): void {
  if (COLLECTION.test(name) && !UNSAFE_MEMBERS.has(name)) return;
  throw invalidName("collection", name, "1 to 64 letters, digits, `_`, `.` and `-`, starting with a letter or digit, for example `flows`");
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? "an" : "a";
}

function isReserved(name: string): boolean {
  return RESERVED_NAMES.has(name.toLowerCase()) || UNSAFE_MEMBERS.has(name);
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}

function invalidName(kind: string, name: string, rule: string): AppError {
  const reserved = isReserved(name);
  return new AppError("invalid_name", {
    reason: reserved
      ? `${quoted(name)} is reserved: it cannot name ${article(kind)} ${kind}.`
      : `${quoted(name)} cannot name ${article(kind)} ${kind}.`,
    fix: `Use ${rule}${reserved ? ", other than the engine's own words" : ""}.`,
    details: { kind },
  });
}
