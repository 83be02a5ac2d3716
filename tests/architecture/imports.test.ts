import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A part of the tree with one right to import. Files of one room may always import one another. */
type Room =
  | "domain"
  | "wiring"
  | "start"
  | "package"
  | "settings"
  | "log"
  | "errors"
  | "limits"
  | "ports"
  | "tracing"
  | "merkle"
  | "flagd"
  | "dotenv"
  | "json"
  | "json-text"
  | "storage"
  | "engines"
  | "identity"
  | "vault"
  | "git"
  | "repositories"
  | "schemas"
  | "http"
  | "sdk"
  | "sdk on node"
  | "sdk for OpenFeature"
  | "cli"
  | "mcp"
  | "web";

interface Right {
  readonly rooms: readonly Room[];
  /** Single files of other rooms. */
  readonly files?: readonly string[];
  /** Packages, and modules of Node by their `node:` name. `*` stands for any of that kind. */
  readonly modules: readonly string[];
}

const RIGHTS: Readonly<Record<Exclude<Room, "start">, Right>> = {
  // What a JSON object is, for whoever is given one.
  json: { rooms: ["ports"], modules: [] },
  errors: { rooms: [], modules: [] },
  limits: { rooms: [], modules: [] },
  ports: { rooms: [], modules: [] },
  tracing: { rooms: [], modules: ["@opentelemetry/api"] },
  merkle: { rooms: ["errors", "limits", "ports"], files: ["src/fifo-map.ts"], modules: ["node:crypto"] },
  // It runs in browsers too: nothing of Node's, and no error table.
  flagd: { rooms: ["json", "limits", "ports"], modules: ["@openfeature/flagd-core", "@openfeature/core"] },
  // Packages that only calculate are no driver: croner says when a freeze window is open.
  domain: { rooms: ["json", "errors", "limits", "ports", "tracing", "merkle", "flagd"], modules: ["node:crypto", "croner"] },
  wiring: { rooms: ["domain", "ports"], modules: [] },
  // Where the package lies, and which it is.
  package: { rooms: [], modules: ["node:*"] },
  log: { rooms: ["settings"], modules: ["pino"] },
  settings: { rooms: ["package", "errors", "limits"], modules: ["node:*", "dotenv"] },
  storage: {
    rooms: ["errors", "limits", "ports"],
    files: ["src/merkle/canonical.ts", "src/merkle/keys.ts", "src/fifo-map.ts"],
    modules: ["node:*", "pg", "redis"],
  },
  engines: {
    rooms: ["json", "errors", "limits", "ports", "tracing"],
    modules: ["node:*", "undici", "ipaddr.js", "cockatiel", "cloudevents", "standardwebhooks"],
  },
  identity: { rooms: ["json", "errors", "limits", "ports"], files: ["src/access.ts", "src/fifo-map.ts"], modules: ["node:*", "jose"] },
  vault: { rooms: ["json", "errors", "limits", "ports"], files: ["src/fifo-map.ts"], modules: ["node:*"] },
  // Files of an environment, the system's git, and what is asked of it.
  git: {
    // A file is read with the very rules that a request's body is.
    rooms: ["json", "json-text", "errors", "limits", "ports"],
    modules: ["node:*"],
  },
  // Projects as repositories: made of what the domain has recorded.
  repositories: {
    rooms: ["git", "domain", "errors", "limits", "ports", "merkle"],
    files: ["src/engines/address.ts", "src/engines/lookup.ts", "src/engines/repository-pins.ts", "src/storage/folder.ts"],
    modules: ["node:*"],
  },
  schemas: { rooms: ["errors", "limits", "ports"], modules: ["zod"] },
  http: {
    rooms: ["schemas", "domain", "wiring", "package", "settings", "json", "json-text", "errors", "limits", "ports", "tracing", "mcp"],
    modules: ["node:*", "express", "pino", "zod", "ipaddr.js", "prom-client"],
  },
  // Tools for assistants: over the client, whoever starts them, and never past a route.
  mcp: {
    rooms: ["sdk", "schemas", "limits"],
    files: ["src/merkle/canonical.ts", "src/cli/short-names.ts", "src/cli/flag-switch.ts"],
    modules: ["@modelcontextprotocol/sdk", "zod", "node:*"],
  },
  // Runs in browsers too: what needs Node, or somebody else's SDK, has a room of its own.
  sdk: { rooms: ["schemas", "flagd"], modules: ["eventsource-parser"] },
  "sdk on node": { rooms: ["sdk"], modules: ["node:*"] },
  "sdk for OpenFeature": { rooms: ["sdk"], modules: ["@openfeature/core", "@openfeature/server-sdk"] },
  // Repositories lie where commands are typed: they are read there, as the engine reads them.
  cli: {
    rooms: ["sdk", "sdk on node", "package", "dotenv", "json", "json-text", "mcp", "git", "errors"],
    modules: ["node:*", "commander", "dotenv", "yaml"],
  },
  // As in `flagd`: nothing of Node's by itself. `dotenv` is its parser alone.
  dotenv: { rooms: [], modules: ["dotenv"] },
  // What of JSON is taken, wherever it is typed: in browsers too.
  "json-text": { rooms: ["errors"], modules: [] },
  // Who may do what is one table, for what is offered too.
  web: { rooms: ["sdk", "flagd", "dotenv", "json", "json-text"], files: ["src/access.ts", "src/actors.ts"], modules: ["*"] },
};

/** Files at the top of `src` that are not the domain. */
const TOP: Readonly<Record<string, Room>> = {
  "src/index.ts": "start",
  "src/family.ts": "start",
  "src/domain.ts": "wiring",
  "src/package.ts": "package",
  "src/settings.ts": "settings",
  "src/log.ts": "log",
  "src/json.ts": "json",
  "src/errors.ts": "errors",
  "src/limits.ts": "limits",
  "src/ports.ts": "ports",
  "src/tracing.ts": "tracing",
  "src/sdk/node.ts": "sdk on node",
  "src/sdk/openfeature.ts": "sdk for OpenFeature",
  "src/sdk/resolution.ts": "sdk for OpenFeature",
};

const FOLDERS: readonly Room[] = [
  "limits",
  "merkle",
  "flagd",
  "dotenv",
  "json-text",
  "storage",
  "engines",
  "identity",
  "vault",
  "git",
  "repositories",
  "schemas",
  "http",
  "sdk",
  "cli",
  "mcp",
];

function roomOf(file: string): Room | null {
  if (file in TOP) return TOP[file] ?? null;
  if (file.startsWith("web/")) return "web";
  const [, folder] = /^src\/([^/]+)\//.exec(file) ?? [];
  if (folder !== undefined) return FOLDERS.find((room) => room === folder) ?? null;
  return /^src\/[^/]+\.ts$/.test(file) ? "domain" : null;
}

/** Why `file` may not import `specifier`, or `null` where it may. */
function breach(file: string, specifier: string): string | null {
  const room = roomOf(file);
  if (room === null) return "its folder is no room that STYLE.md knows";
  if (room === "start") return null;
  const { rooms, files = [], modules } = RIGHTS[room];
  if (!specifier.startsWith(".")) {
    const name = isBuiltin(specifier)
      ? specifier
      : specifier
          .split("/")
          .slice(0, specifier.startsWith("@") ? 2 : 1)
          .join("/");
    const any = isBuiltin(specifier) ? "node:*" : "*";
    return modules.includes(name) || modules.includes(any) || modules.includes("*") ? null : `${room} may not use ${name}`;
  }
  const imported = posix.join(posix.dirname(file), specifier);
  const other = roomOf(imported);
  if (other === room || files.includes(imported) || (other !== null && rooms.includes(other))) return null;
  return `${room} may not import ${other ?? "what is outside of src"}`;
}

interface Import {
  readonly specifier: string;
  /** Erased before anything runs. */
  readonly typeOnly: boolean;
  /** Whether it is loaded when that line is reached. */
  readonly later: boolean;
}

/** Every `import`, `export … from` and `import()` with a literal name. */
function importsOf(path: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node, typeOnly: boolean, later = false) => {
    if (ts.isStringLiteralLike(specifier)) found.push({ specifier: specifier.text, typeOnly, later });
  };
  const visit = (node: ts.Node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0] !== undefined)
      add(node.arguments[0], false, true);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(join(ROOT, path), "utf8"), ts.ScriptTarget.ESNext, true));
  return found;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  const { namedBindings } = clause;
  if (clause.isTypeOnly) return true;
  return (
    clause.name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

function filesBelow(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => posix.join(folder, name.split(sep).join("/")));
}

const sources = [...filesBelow("src"), ...filesBelow("web/src")];

test("every import of every source file is one that its room has a right to", () => {
  expect(sources.length).toBeGreaterThan(50);
  const breaches = sources.flatMap((file) =>
    importsOf(file).flatMap(({ specifier }) => {
      const why = breach(file, specifier);
      return why === null ? [] : [`${file} imports ${specifier}: ${why}`];
    }),
  );
  expect(breaches).toEqual([]);
});

/** The files that each file imports; `runtime` leaves out what is imported for its types alone. */
function graph({ runtime }: { readonly runtime: boolean }): ReadonlyMap<string, readonly string[]> {
  const kept = (file: string) => importsOf(file).filter(({ specifier, typeOnly }) => specifier.startsWith(".") && !(runtime && typeOnly));
  return new Map(sources.map((file) => [file, kept(file).map(({ specifier }) => posix.join(posix.dirname(file), specifier))]));
}

test("imports within the tree name the file with its extension, and the file exists", () => {
  const known = new Set(sources);
  const all = [...graph({ runtime: false })].flatMap(([file, imports]) => imports.map((imported) => ({ file, imported })));
  // A stylesheet and what is written as CommonJS are no sources of this kind, and are there.
  const isThere = (file: string) => known.has(file) || (/\.c(ss|js)$/.test(file) && existsSync(join(ROOT, file)));
  expect(all.filter(({ imported }) => !isThere(imported))).toEqual([]);
});

test("the SDK takes types alone from the schemas: nothing of theirs is in a program that uses it", () => {
  const taken = sources
    .filter((file) => roomOf(file) === "sdk")
    .flatMap((file) => importsOf(file).filter(({ typeOnly, specifier }) => !typeOnly && specifier.includes("/schemas/")));
  expect(taken).toEqual([]);
});

test("no start waits for what only some use: it is loaded when somebody asks for it", () => {
  const early = new Set<string>();
  const follow = (file: string): void => {
    if (early.has(file)) return;
    early.add(file);
    for (const { specifier, typeOnly, later } of file.startsWith("src/") ? importsOf(file) : []) {
      if (!typeOnly && !later) follow(specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : specifier);
    }
  };
  // The routes are loaded while the store opens, with every start.
  for (const file of ["src/index.ts", "src/http/app.ts"]) follow(file);
  expect(early).toContain("pino");
  const forSome =
    /^(express|@openfeature\/|undici|cockatiel|cloudevents|standardwebhooks|jose|pg|redis|better-sqlite3|src\/storage\/sqlite-driver|commander|yaml|@modelcontextprotocol\/)/;
  expect([...early].filter((name) => forSome.test(name))).toEqual([]);
});

test("no file needs itself to be loaded, by whatever detour", () => {
  const imports = graph({ runtime: true });
  const open: string[] = [];
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string) => {
    if (open.includes(file)) cycles.push([...open.slice(open.indexOf(file)), file].join(" → "));
    if (open.includes(file) || done.has(file)) return;
    open.push(file);
    for (const imported of imports.get(file) ?? []) visit(imported);
    open.pop();
    done.add(file);
  };
  for (const file of sources) visit(file);
  expect(cycles).toEqual([]);
});

describe("the rules find a breach where there is one:", () => {
  test.each([
    ["src/promotion.ts", "./http/app.ts"],
    ["src/promotion.ts", "./schemas/common.ts"],
    ["src/promotion.ts", "./storage/open.ts"],
    ["src/promotion.ts", "./vault/builtin.ts"],
    ["src/promotion.ts", "./index.ts"],
    ["src/promotion.ts", "./settings.ts"],
    ["src/promotion.ts", "./domain.ts"],
    ["src/promotion.ts", "node:fs"],
    ["src/promotion.ts", "better-sqlite3"],
    ["src/storage/sqlite.ts", "../vault/builtin.ts"],
    ["src/storage/sqlite.ts", "../merkle/index.ts"],
    ["src/storage/sqlite.ts", "../ledger.ts"],
    ["src/vault/builtin.ts", "../storage/open.ts"],
    ["src/vault/builtin.ts", "../keys.ts"],
    ["src/merkle/edit.ts", "../ledger.ts"],
    ["src/flagd/flag-set.ts", "../errors.ts"],
    ["src/flagd/flag-set.ts", "node:crypto"],
    ["src/ports.ts", "./errors.ts"],
    ["src/schemas/common.ts", "../model.ts"],
    ["src/http/app.ts", "../storage/open.ts"],
    ["src/http/app.ts", "../index.ts"],
    ["src/http/app.ts", "better-sqlite3"],
    ["src/sdk/client.ts", "../model.ts"],
    ["src/cli/main.ts", "../schemas/common.ts"],
    ["src/mcp/tool.ts", "../ledger.ts"],
    ["src/mcp/tool.ts", "../http/app.ts"],
    ["web/src/api.ts", "../../src/schemas/common.ts"],
    ["src/helpers/util.ts", "../errors.ts"],
    ["src/promotion.ts", "../tests/domain/support.ts"],
  ])("%s may not import %s", (file, specifier) => {
    expect(breach(file, specifier)).not.toBeNull();
  });

  test.each([
    ["src/promotion.ts", "./merkle/index.ts"],
    ["src/promotion.ts", "node:crypto"],
    ["src/promotion.ts", "./flagd/index.ts"],
    ["src/flagd/flag-set.ts", "@openfeature/flagd-core"],
    ["src/sdk/client.ts", "../flagd/index.ts"],
    ["src/index.ts", "./storage/open.ts"],
    ["src/storage/checked.ts", "../merkle/canonical.ts"],
    ["src/http/routes/state.ts", "../../schemas/state.ts"],
    ["src/http/app.ts", "../domain.ts"],
    ["web/src/api.ts", "../../src/sdk/client.ts"],
  ])("%s may import %s", (file, specifier) => {
    expect(breach(file, specifier)).toBeNull();
  });
});
