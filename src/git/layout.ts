import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Json, JsonObject } from "../ports.ts";
import { decodeName, encodeName, foldedName, type Spelling } from "./file-names.ts";
import { prettyJson } from "./pretty-json.ts";

/**
 * How an environment's platform and config are files of a repository, and the way back. Pure, and a function of the content alone:
 *
 *     platform/<collection>/<name>.json   each component, but those of the collection `requires`
 *     requires.json                       { "<NAME>": declaration }
 *     config/vars.json                    { "<NAME>": "value" }
 *     config/secrets.json                 { "<NAME>": { "vault": "…" } }: references, never values
 *     config/flags.json                   a definition file of flagd: { "flags": { … }, "$evaluators": { … }, "metadata": { … } }
 */

/** What an environment holds, by the names of the two maps: `flows/onboarding`; `vars/K`, `secrets/K`, `flags/K`, `evaluators/K`, `flag_metadata/K`. */
export interface Content {
  readonly platform: ReadonlyMap<string, Json>;
  readonly config: ReadonlyMap<string, Json>;
}

/** The path of each file, with its text. */
export type Files = ReadonlyMap<string, string>;

export const PLATFORM_FOLDER = "platform/";
export const REQUIRES = "requires/";
export const REQUIRES_FILE = "requires.json";
const SUFFIX = ".json";

/** The files of a config, with the kinds of entries that each holds, by the member that they stand in; `""` for the file itself. */
export const CONFIG_FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "config/vars.json": { "": "vars/" },
  "config/secrets.json": { "": "secrets/" },
  "config/flags.json": { flags: "flags/", $evaluators: "evaluators/", metadata: "flag_metadata/" },
};

/** What a path of the layout holds; `null` for a path that has nothing to do with it. */
type FileRole = { readonly component: string } | { readonly shared: string } | null;

/** The paths of components, given all names of their collections: where two look alike to some file system, both are written out. */
export function componentPaths(names: Iterable<string>): Map<string, string> {
  const all = [...names];
  const alike = new Map<string, number>();
  for (const name of all) alike.set(foldedName(name), (alike.get(foldedName(name)) ?? 0) + 1);
  return new Map(all.map((name) => [name, componentPath(name, alike.get(foldedName(name)) === 1 ? "plain" : "folded")]));
}

/** The path of one component, as `collection/name`; those of `requires` have none of their own. */
export function componentPath(name: string, spelling: Spelling): string {
  const slash = name.indexOf("/");
  const collection = encodeName(name.slice(0, slash), "folded");
  return `${PLATFORM_FOLDER}${collection}/${encodeName(name.slice(slash + 1), spelling)}${SUFFIX}`;
}

/** @throws AppError `invalid_request` for a path within the layout's folders that it never has */
export function roleOf(path: string): FileRole {
  if (path === REQUIRES_FILE || Object.hasOwn(CONFIG_FILES, path)) return { shared: path };
  if (!path.startsWith(PLATFORM_FOLDER) && !path.startsWith("config/")) return null;
  const [, collection = "", rest = ""] = /^platform\/([^/]+)\/(.+)\.json$/s.exec(path) ?? [];
  const [decoded, name] = [decodeName(collection), decodeName(rest)];
  if (decoded !== null && name !== null && decoded !== "" && name !== "" && `${decoded}/` !== REQUIRES) {
    const component = `${decoded}/${name}`;
    if (path === componentPath(component, "plain") || path === componentPath(component, "folded")) return { component };
  }
  throw new AppError("invalid_request", {
    reason: `The file ${JSON.stringify(path.slice(0, 200))} is none that an environment is kept in.`,
    fix: "Components are platform/<collection>/<name>.json, with what is unsafe in a file name as %XX; config is config/vars.json, config/secrets.json and config/flags.json; required keys are requires.json.",
  });
}

/** `requires.json`, of all entries of a platform or of those of `requires` alone. */
export function requiresText(platform: ReadonlyMap<string, Json>): string {
  return prettyJson(membersOf(platform, REQUIRES));
}

/** One of `CONFIG_FILES`, of all entries of a config or of those that it holds alone. */
export function configText(path: string, config: ReadonlyMap<string, Json>): string {
  const parts = CONFIG_FILES[path] ?? {};
  if ("" in parts) return prettyJson(membersOf(config, parts[""] ?? ""));
  const members = Object.entries(parts).map(([member, prefix]): [string, JsonObject] => [member, membersOf(config, prefix)]);
  return prettyJson(Object.fromEntries(members.filter(([member, content]) => member === "flags" || Object.keys(content).length > 0)));
}

/**
 * What files hold, however their JSON is spaced. Files elsewhere are not looked at; a file of the layout that is missing holds nothing.
 * @throws AppError `invalid_request` for a path that the layout never has, for what is no JSON, and for what is not of a file's shape
 */
export function contentOf(files: Files): Content {
  const platform = new Map<string, Json>();
  const config = new Map<string, Json>();
  for (const [path, text] of files) {
    const role = roleOf(path);
    if (role === null) continue;
    if ("component" in role) {
      // Written out and plain, one component may be two files.
      if (platform.has(role.component)) throw unusable(path, `holds ${JSON.stringify(role.component)}, and so does another file`);
      platform.set(role.component, parsed(path, text));
    } else readShared(path, parsed(path, text), path === REQUIRES_FILE ? platform : config);
  }
  return { platform, config };
}

function readShared(path: string, value: Json, into: Map<string, Json>): void {
  const parts = path === REQUIRES_FILE ? { "": REQUIRES } : (CONFIG_FILES[path] ?? {});
  for (const [member, prefix] of Object.entries(parts)) {
    const holder = member === "" ? value : isObject(value) ? (value[member] ?? {}) : null;
    if (!isObject(holder)) throw unusable(path, member === "" ? "is no JSON object" : `has no object in ${JSON.stringify(member)}`);
    for (const [name, entry] of Object.entries(holder)) into.set(prefix + name, entry);
  }
}

function parsed(path: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw unusable(path, "is not JSON");
  }
}

function unusable(path: string, what: string): AppError {
  return new AppError("invalid_request", {
    reason: `The file ${JSON.stringify(path.slice(0, 200))} ${what}.`,
    fix: "Mend that file and try again.",
  });
}

function membersOf(entries: ReadonlyMap<string, Json>, prefix: string): JsonObject {
  const found = [...entries]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]): [string, Json] => [key.slice(prefix.length), value]);
  return Object.fromEntries(found);
}
