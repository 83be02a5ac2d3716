import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { isObject } from "../json.ts";
import { BOUNDS } from "./bounds.ts";
import { EXIT } from "./exit-codes.ts";
import { Failure, fileFailure, usage } from "./failure.ts";
import { writeWhole } from "./files.ts";

const DEFAULT_URL = "http://127.0.0.1:4006";
export const PROJECT_FILE = ".envm.json";

/** What can be typed of it. */
interface Typed {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly project?: string | undefined;
  readonly env?: string | undefined;
}

/** Where the engine is, what it is shown, and what is worked on: what is typed, else the environment, else `.envm.json`, else the login. */
export interface Settings {
  readonly url: string;
  /** Where the address comes from, for `doctor`. */
  readonly urlFrom: string;
  readonly token: string | null;
  readonly tokenFrom: string | null;
  readonly project: string | null;
  readonly env: string | null;
  /** The `.envm.json` that was found. */
  readonly file: string | null;
}

/** A login: the token is sent to the address that it was given for, and to no other. */
interface Login {
  readonly token: string;
  readonly actor: string;
  readonly token_id: string;
}

interface Logins {
  /** The address of the newest login. */
  readonly current: string | null;
  readonly logins: Readonly<Record<string, Login>>;
}

export function readSettings(typed: Typed): Settings {
  const file = findProjectFile(process.cwd());
  const named = file === null ? {} : readProjectFile(file);
  const env = (name: string) => process.env[name]?.trim() || undefined;
  const logins = readLogins();
  const [url, urlFrom] = firstOf(
    [typed.url, "--url"],
    [env("ENVM_URL"), "ENVM_URL"],
    [logins.current ?? undefined, "envm login"],
    [DEFAULT_URL, "the default"],
  );
  const address = addressOf(url, urlFrom);
  const login = Object.hasOwn(logins.logins, address) ? logins.logins[address] : undefined;
  const [token, tokenFrom] = firstOf([typed.token, "--token"], [env("ENVM_TOKEN"), "ENVM_TOKEN"], [login?.token, "envm login"], ["", null]);
  return {
    url: address,
    urlFrom,
    token: token === "" ? null : token,
    tokenFrom,
    project: typed.project ?? env("ENVM_PROJECT") ?? named.project ?? null,
    env: typed.env ?? env("ENVM_ENV") ?? named.env ?? null,
    file,
  };
}

function firstOf<From>(...choices: readonly (readonly [value: string | undefined, from: From])[]): readonly [string, From] {
  const found = choices.find(([value]) => value !== undefined) as readonly [string, From] | undefined;
  if (found === undefined) throw new Error("no choice has a value");
  return found;
}

/** One spelling of each address, so that a login is found again. */
function addressOf(given: string, from: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "" || url.username + url.password !== "") {
    throw usage(`The engine's address (${from}) is not one.`, `Give one such as ${DEFAULT_URL}, without a user, query or fragment.`);
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** In the folder or the nearest one above it. */
function findProjectFile(folder: string): string | null {
  let at = resolve(folder);
  for (let depth = 0; depth < BOUNDS.folders; depth++) {
    const candidate = join(at, PROJECT_FILE);
    if (existsSync(candidate)) return candidate;
    const above = dirname(at);
    if (above === at) return null;
    at = above;
  }
  return null;
}

/**
 * It names a project and an environment and nothing else: the file lies in a repository that others write to, who must neither
 * choose where somebody's token is sent nor be shown one.
 */
function readProjectFile(path: string): { project?: string; env?: string } {
  const content = parsedFile(path);
  const strange = Object.keys(content).find((name) => name !== "project" && name !== "env");
  if (strange !== undefined) {
    throw usage(
      `${path}: ${JSON.stringify(strange)} does not belong there.`,
      'It holds "project" and "env" alone; `envm login` keeps the address and the token.',
    );
  }
  const wrong = Object.entries(content).find(([, value]) => typeof value !== "string" || value === "");
  if (wrong !== undefined)
    throw usage(`${path}: ${JSON.stringify(wrong[0])} is not a name.`, 'Write for example {"project":"pf-777","env":"development"}.');
  return content as { project?: string; env?: string };
}

function parsedFile(path: string): Record<string, unknown> {
  try {
    const found = statSync(path);
    if (found.isDirectory()) throw usage(`${path} is a folder.`, "Remove it, and write the file anew.");
    // A pipe would be waited for until somebody writes to it.
    if (!found.isFile()) throw usage(`${path} is no regular file.`, "Remove it, and write the file anew.");
    if (found.size > BOUNDS.settingsBytes) throw usage(`${path} is too large.`, "Write it anew: `envm init`.");
    const content: unknown = JSON.parse(readFileSync(path, "utf8").replace(/^\uFEFF/, ""));
    if (isObject(content)) return content;
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (!(error instanceof SyntaxError)) throw fileFailure("read", path, error);
    // What the parser says would show what is in the file.
  }
  throw usage(`${path} is not a JSON object.`, "Mend it, or remove it and write it anew.");
}

export async function writeProjectFile(path: string, content: { readonly project: string; readonly env?: string }): Promise<void> {
  await writeWhole(path, `${JSON.stringify(content, null, 2)}\n`);
}

export function loginFile(): string {
  const home = process.env["XDG_CONFIG_HOME"]?.trim() || join(homedir(), ".config");
  return join(home, "envm", "logins.json");
}

export function readLogins(): Logins {
  const path = loginFile();
  if (!existsSync(path)) return { current: null, logins: {} };
  const { current, logins } = parsedFile(path);
  const entries = Object.entries((logins ?? {}) as Record<string, Login>).filter(([, login]) => typeof login?.token === "string");
  return { current: typeof current === "string" ? current : null, logins: Object.fromEntries(entries) };
}

/** Replaces the login file, which nobody but its owner may read. */
export async function writeLogins(logins: Logins): Promise<void> {
  const path = loginFile();
  const { mkdir } = await import("node:fs/promises");
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileFailure("written", dirname(path), error);
  }
  await writeWhole(path, `${JSON.stringify(logins, null, 2)}\n`, { mode: 0o600 });
}

/** @throws Failure saying how to name one */
export function needed(what: "project" | "env", value: string | null): string {
  if (value !== null && value !== "") return value;
  const [noun, flag, variable] = what === "project" ? ["project", "-p PROJECT", "ENVM_PROJECT"] : ["environment", "-e ENV", "ENVM_ENV"];
  throw new Failure(
    EXIT.usage,
    "usage",
    `No ${noun} is named.`,
    `Add ${flag}, set ${variable}, or let \`envm init\` write ${PROJECT_FILE}.`,
  );
}
