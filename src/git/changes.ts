import { isUtf8 } from "node:buffer";
import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import { scanJson } from "../json-text/scan.ts";
import { LIMITS } from "../limits.ts";
import type { Json, RepositoryChange } from "../ports.ts";
import type { Blobs } from "./blobs.ts";
import type { Commits, FileChange } from "./commits.ts";
import { foldedName } from "./file-names.ts";
import { contentOf, PLATFORM_FOLDER, REQUIRES_FILE, roleOf } from "./layout.ts";
import { prettyJson } from "./pretty-json.ts";

/** What files mean: a difference of two trees as components and config that come and go. */

type ChangedContent = Pick<RepositoryChange, "set" | "remove" | "vars" | "flags" | "evaluators" | "flag_metadata" | "unset" | "secrets">;

const ABSENT = "000000";
/** Stands for what is not UTF-8. The layout never has it as it is: it is written as %EF%BF%BD. */
const NO_CHARACTER = "\ufffd";
/** Begins what Git LFS leaves in a file's place. */
const LFS = "version https://git-lfs.github.com/";
const KINDS: Readonly<Record<string, "vars" | "flags" | "evaluators" | "flag_metadata">> = {
  "vars/": "vars",
  "flags/": "flags",
  "evaluators/": "evaluators",
  "flag_metadata/": "flag_metadata",
};
/** The first parts of paths that mean something. */
const PLACES = [PLATFORM_FOLDER.slice(0, -1), "config", REQUIRES_FILE];

interface Place {
  readonly commits: Commits;
  readonly blobs: Blobs;
  /** The commit that the files are of. */
  readonly commit: string;
  /** The folder that holds the environment; empty for the root. */
  readonly folder: string;
}

/**
 * Reads what changed, as much as changed and no more.
 * @throws invalid_repository, naming the file, for what is no JSON, no regular file, or no name; too_large
 */
export async function changedContent(place: Place, changes: readonly FileChange[]): Promise<ChangedContent> {
  const content = new Gathered();
  const budget = { bytes: LIMITS.gitContentBytes as number };
  const added: string[] = [];
  for (const change of changes) {
    const path = within(change, place.folder);
    const isGone = change.newMode === ABSENT;
    const role = isGone ? goneRole(path) : roleIn(path);
    if (role === null) continue;
    checkMode(change);
    const before = change.oldMode === ABSENT || "component" in role ? null : await read(place, change.oldId, path, budget);
    const after = isGone ? null : await read(place, change.newId, path, budget);
    if (!("component" in role)) content.shared(entriesIn(path, before), entriesIn(path, after));
    else if (after === null) content.gone(role.component);
    else {
      if (change.oldMode === ABSENT) added.push(path);
      content.component(role.component, parsed(path, after), path);
    }
  }
  await checkAlike(place, added);
  return content.whole();
}

class Gathered {
  readonly #set = new Map<string, Json>();
  readonly #remove = new Set<string>();
  readonly #config = new Map<string, Json>();
  readonly #unset = new Set<string>();
  readonly #secrets = new Set<string>();

  component(name: string, value: Json, path: string): void {
    if (this.#set.has(name)) throw unusable(path, "holds a component that another file holds too");
    this.#set.set(name, value);
  }

  gone(name: string): void {
    this.#remove.add(name);
  }

  shared(before: ReadonlyMap<string, Json>, after: ReadonlyMap<string, Json>): void {
    for (const [name, value] of after) {
      if (name.startsWith("secrets/")) this.#secrets.add(name.slice("secrets/".length));
      else if (!before.has(name) || prettyJson(before.get(name) ?? null) !== prettyJson(value)) this.#put(name, value);
    }
    for (const name of before.keys()) {
      if (after.has(name) || name.startsWith("secrets/")) continue;
      if (name.startsWith("requires/")) this.#remove.add(name);
      else this.#unset.add(name);
    }
  }

  whole(): ChangedContent {
    const kinds = { vars: members(), flags: members(), evaluators: members(), flag_metadata: members() };
    for (const [name, value] of this.#config) {
      const slash = name.indexOf("/") + 1;
      const kind = KINDS[name.slice(0, slash)];
      if (kind !== undefined) kinds[kind][name.slice(slash)] = value;
    }
    return {
      set: Object.assign(members(), Object.fromEntries(this.#set)),
      // What was written under another spelling of its name is still there.
      remove: [...this.#remove].filter((name) => !this.#set.has(name)),
      unset: [...this.#unset],
      secrets: [...this.#secrets],
      ...kinds,
    };
  }

  #put(name: string, value: Json): void {
    if (name.startsWith("requires/")) this.#set.set(name, value);
    else this.#config.set(name, value);
  }
}

/** Names come from users: no prototype for them to meet. */
function members(): Record<string, Json> {
  return Object.create(null) as Record<string, Json>;
}

function within({ path, newMode, oldMode }: FileChange, folder: string): string {
  if (folder === "") return path;
  if (path.startsWith(`${folder}/`)) return path.slice(folder.length + 1);
  if (newMode === ABSENT && oldMode !== ABSENT) return "";
  throw unusable(path, "is no folder: a file, a link or a submodule stands there");
}

function roleIn(path: string) {
  const [first = ""] = path.split("/", 1);
  const meant = PLACES.find((place) => place === first.toLowerCase());
  if (meant !== undefined && meant !== first) throw unusable(path, `is written ${meant}, in small letters`);
  if (meant !== undefined && path === first && path !== REQUIRES_FILE)
    throw unusable(path, "is no folder: a file, a link or a submodule stands there");
  const role = layoutRole(path);
  // Git holds longer ones too, even such as no system takes for an argument of a program.
  if (role !== null && "component" in role && Buffer.byteLength(role.component) > LIMITS.componentNameBytes)
    throw unusable(path, `holds a component whose name has more than ${LIMITS.componentNameBytes} bytes`);
  return role;
}

function layoutRole(path: string) {
  try {
    return roleOf(path);
  } catch (error) {
    throw path.includes(NO_CHARACTER) ? notUtf8(path) : asInvalid(error);
  }
}

/** What could never be taken is no loss. */
function goneRole(path: string) {
  try {
    return roleIn(path);
  } catch {
    return null;
  }
}

function checkMode({ path, newMode }: FileChange): void {
  if (newMode === "120000") throw unusable(path, "is a symbolic link, and links are not followed");
  if (newMode === "160000") throw unusable(path, "is a submodule, and submodules are not fetched");
}

async function read({ blobs }: Place, id: string, path: string, budget: { bytes: number }): Promise<Buffer> {
  const bytes = await blobs.read(id, path);
  budget.bytes -= bytes.length;
  if (budget.bytes >= 0) return bytes;
  throw new AppError("too_large", {
    reason: `What one commit changes is larger than ${LIMITS.gitContentBytes} bytes.`,
    fix: "Bring it in as several commits.",
  });
}

function entriesIn(path: string, bytes: Buffer | null): ReadonlyMap<string, Json> {
  if (bytes === null) return new Map();
  const text = textOf(path, bytes);
  try {
    const { platform, config } = contentOf(new Map([[path, text]]));
    for (const [name, value] of config) if (name.startsWith("secrets/")) checkReference(name, value);
    return path === REQUIRES_FILE ? platform : config;
  } catch (error) {
    throw asInvalid(error);
  }
}

/** Never shows what stands there: it may be the secret itself. */
function checkReference(name: string, value: Json): void {
  if (isObject(value) && Object.keys(value).every((member) => member === "vault") && typeof (value["vault"] ?? "") === "string") return;
  throw new AppError("invalid_repository", {
    reason: `config/secrets.json holds something else than a reference at ${JSON.stringify(name.slice("secrets/".length, 80))}: secrets are never kept in a repository.`,
    fix: 'Write {"vault":"…"} or {} there, take the value out of the history, replace it where it is used, and set it with envm secret set.',
  });
}

function parsed(path: string, bytes: Buffer): Json {
  return JSON.parse(textOf(path, bytes)) as Json;
}

/** JSON that the engine can give back as it was. */
function textOf(path: string, bytes: Buffer): string {
  if (!isUtf8(bytes)) throw unusable(path, "is not UTF-8");
  if (bytes.toString("latin1", 0, LFS.length) === LFS) throw inLfs(path);
  // Which nothing shows, and other readers of JSON refuse too.
  if (bytes.toString("utf8", 0, 3) === "\ufeff")
    throw unusable(path, "begins with a byte order mark, which is no JSON: save it as UTF-8 without");
  try {
    scanJson(bytes, { depth: LIMITS.jsonDepth, members: Number.POSITIVE_INFINITY });
  } catch (error) {
    const place = error instanceof Error ? error.message.replace(/^The body is not valid JSON/, "").replace(/\.$/, "") : "";
    throw unusable(path, `is not JSON that can be kept${place}`);
  }
  return bytes.toString("utf8");
}

/**
 * Names that differ in case or accents alone are one file on some machines: those must be written out, as the engine writes them. Where
 * files were added, their folders are looked at; Git has read those anyway to find the difference.
 */
async function checkAlike({ commits, commit, folder }: Place, added: readonly string[]): Promise<void> {
  const prefix = folder === "" ? "" : `${folder}/`;
  const fresh = new Set(added);
  const folders = new Set(added.map((path) => prefix + path.slice(0, path.lastIndexOf("/"))));
  const seen = new Map<string, string>();
  const components = new Map<string, string>();
  for await (const full of commits.names(commit, [...folders])) {
    // The folders above are named too, and are none of a component, whatever they are called.
    if (!folders.has(full.slice(0, full.lastIndexOf("/")))) continue;
    const path = full.slice(prefix.length);
    const other = seen.get(foldedName(path));
    if (other !== undefined && (fresh.has(path) || fresh.has(other))) throw alike(other, path);
    seen.set(foldedName(path), path);
    const component = componentOf(path);
    const twin = component === null ? undefined : components.get(component);
    if (twin !== undefined) throw unusable(path, `holds a component that ${JSON.stringify(twin)} holds too`);
    if (component !== null) components.set(component, path);
  }
}

function componentOf(path: string): string | null {
  if (!path.endsWith(".json")) return null;
  const role = roleIn(path);
  return role !== null && "component" in role ? role.component : null;
}

function alike(one: string, other: string): AppError {
  return new AppError("invalid_repository", {
    reason: `The files ${JSON.stringify(one.slice(0, 200))} and ${JSON.stringify(other.slice(0, 200))} differ in case or accents alone, and are one file on some machines.`,
    fix: "Rename one, or write its capital letters and accents as %XX, as the engine writes them.",
  });
}

function notUtf8(path: string): AppError {
  return new AppError("invalid_repository", {
    reason: `The name of the file ${JSON.stringify(path.slice(0, 200))} is not UTF-8.`,
    fix: "Rename it: what is unsafe in a file name is written as %XX.",
  });
}

function inLfs(path: string): AppError {
  return new AppError("invalid_repository", {
    reason: `The file ${JSON.stringify(path.slice(0, 200))} is in Git LFS: the repository has a pointer to it alone.`,
    fix: `Bring it back, commit, and pull again: git lfs untrack, then git add --renormalize ${JSON.stringify(path.slice(0, 200))}.`,
  });
}

function unusable(path: string, what: string): AppError {
  return new AppError("invalid_repository", {
    reason: `The file ${JSON.stringify(path.slice(0, 200))} ${what}.`,
    fix: "Mend that file, commit, and pull again.",
  });
}

function asInvalid(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== "invalid_request") return error;
  return new AppError("invalid_repository", { reason: error.message, ...(error.fix !== undefined && { fix: error.fix }) });
}
