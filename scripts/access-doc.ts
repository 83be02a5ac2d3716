import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { hasRight, ROLES, type Role } from "../src/access.ts";
import { accessText, rightsOf, rolesWith } from "../src/http/access-text.ts";
import { type Access, accessOf } from "../src/http/rights.ts";
import type { Route } from "../src/http/route.ts";
import { apiRoutes } from "../src/http/routes/index.ts";
import { operationRoutes } from "../src/http/routes/operations.ts";
import { sessionRoutes } from "../src/http/routes/sessions.ts";
import { packageRoot } from "../src/package.ts";
import { runCommand, say } from "./command.ts";

/** `npx tsx scripts/access-doc.ts`: writes the tables of `docs/access.md` from those that the engine itself goes by. */

export const ACCESS_PAGE = "docs/access.md";
export const ACCESS_COMMAND = "npx tsx scripts/access-doc.ts";

/** Every route that the table of rights is about. */
export function guardedRoutes(): readonly Route[] {
  const operations = operationRoutes({
    version: "0.0.0",
    readiness: async () => ({}),
    document: () => ({ text: "{}", tag: "none" }),
    metrics: { text: () => "" },
  });
  return [...apiRoutes, ...sessionRoutes(null), ...operations];
}

/** The page with its tables as they should be. What is not between `<!-- name: … -->` and `<!-- end -->` stays. */
export function withTables(page: string): string {
  return withTable(withTable(page, "roles", rolesTable()), "routes", routesTable());
}

function withTable(page: string, name: string, table: string): string {
  const begin = page.indexOf("\n", page.indexOf(`\n<!-- ${name}: `) + 1);
  const end = page.indexOf("\n<!-- end -->\n", begin);
  if (!page.includes(`\n<!-- ${name}: `) || end < 0) throw new Error(`${ACCESS_PAGE} has no place for the table "${name}".`);
  return `${page.slice(0, begin)}\n\n${table}\n${page.slice(end)}`;
}

const PURPOSES: Readonly<Record<Role, string>> = {
  client: "an application that evaluates flags. It may watch an environment, and is told that there is a new head and nothing of it",
  reader: "a dashboard, an auditor, an application that reads its config",
  editor: "a developer, a CI job that makes previews",
  promoter: "whoever releases: a release manager, a CI job that promotes and deploys",
  engine: "a sibling engine, which asks for what its users ask it for, and agrees to nothing",
  admin: "whoever sets the rules and hands out tokens",
};

function rolesTable(): string {
  const roles = ROLES.map((role) => row([quoted(role), rightsOf(role).map(quoted).join(" "), PURPOSES[role]]));
  return [row(["role", "its rights", "is for"]), rule(3), ...roles].join("\n");
}

function routesTable(): string {
  const heading = row(["route", "operation", "needs", ...ROLES.map(quoted)]);
  const routes = guardedRoutes().map(({ method, path, operationId }) => {
    const access = accessOf(operationId);
    const needs = accessText(access).replace(/^Needs |\.$/g, "");
    return row([quoted(`${method.toUpperCase()} ${path}`), quoted(operationId), needs, ...ROLES.map((role) => mark(access, role))]);
  });
  return [heading, rule(3 + ROLES.length), ...routes].join("\n");
}

/** `●` what the role may by itself, `○` what it may where the token also has `secrets:reveal`. */
function mark(access: Access, role: Role): string {
  if (!rolesWith(access).includes(role)) return "";
  const needs = typeof access === "string" ? [] : access.needs;
  return needs.every(({ right }) => hasRight({ role, rights: [] }, right)) ? "●" : "○";
}

function quoted(name: string): string {
  return `\`${name}\``;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`.replace(/ {2}(?=\|)/g, " ");
}

function rule(columns: number): string {
  return row(Array.from({ length: columns }, () => "---"));
}

async function main(): Promise<void> {
  const path = join(packageRoot(), ACCESS_PAGE);
  writeFileSync(path, withTables(readFileSync(path, "utf8")));
  say(`${ACCESS_PAGE} is up to date.`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await runCommand(main);
