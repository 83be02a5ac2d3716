import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { type Content, contentOf, type Files } from "../../src/git/layout.ts";
import { gitText, runGit } from "../../src/git/run.ts";
import type { Json, JsonObject, Store } from "../../src/ports.ts";
import { History } from "../../src/repositories/history.ts";
import { ProjectRepositories } from "../../src/repositories/project-repositories.ts";
import { Snapshots } from "../../src/snapshots.ts";
import { PROJECT, type World } from "../domain/support.ts";

/** A folder for one test, or for whoever takes it away themselves. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "env-manager-git-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Until it is told that there is room again, git fails at a verb with the words that it has for a full disk. */
export function fullDisk(verb: "fetch" | "fast-import"): { makeRoom(): void } {
  const says = {
    fetch: "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
    "fast-import": "fatal: sha1 file 'objects/pack/tmp_pack_x' write error. Out of diskspace",
  };
  const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
  const where = folder();
  const script = `#!/bin/sh\nfor each; do [ "$each" = ${verb} ] && { cat <<'END' >&2\n${says[verb]}\nEND\nexit 128; }; done\nexec ${real} "$@"\n`;
  writeFileSync(join(where, "git"), script, { mode: 0o755 });
  vi.stubEnv("PATH", `${where}:${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  return { makeRoom: () => void vi.unstubAllEnvs() };
}

export function repositoriesOf(
  store: Store,
  where: string,
  options: { readonly page?: number; readonly limit?: number } = {},
): ProjectRepositories {
  const { page, ...rest } = options;
  return new ProjectRepositories({ folder: where, history: new History(store, new Snapshots(store), page), ...rest });
}

/** The repository of the usual project, up to date. */
export async function repositoryOf(world: World, where: string, project = PROJECT): Promise<string> {
  return (await repositoriesOf(world.store, where).current(project)).path;
}

export function git(repository: string, ...args: readonly string[]): Promise<string> {
  return gitText(args, { repository });
}

/** Every name that there is, with the commit behind it. */
export async function refs(repository: string): Promise<Readonly<Record<string, string>>> {
  const lines = (await git(repository, "for-each-ref", "--format=%(refname) %(objectname)")).split("\n").filter(Boolean);
  return Object.fromEntries(lines.map((line) => line.split(" ") as [string, string]));
}

/** All files of a commit. */
export async function filesAt(repository: string, commit: string): Promise<Files> {
  const listed = (await gitText(["ls-tree", "-r", "-z", commit], { repository })).split("\0").filter(Boolean);
  const entries = listed
    .map((line) => /^100644 blob ([0-9a-f]{40})\t(.*)$/s.exec(line) ?? [])
    .map(([, id = "", path = ""]) => ({ id, path }));
  const blobs = await runGit(["cat-file", "--batch"], {
    repository,
    input: entries.map(({ id }) => `${id}\n`).join(""),
    maxBytes: 2 ** 28,
  });
  const files = new Map<string, string>();
  let at = 0;
  for (const { path } of entries) {
    const end = blobs.indexOf(10, at);
    const size = Number(blobs.subarray(at, end).toString().split(" ")[2]);
    files.set(path, blobs.subarray(end + 1, end + 1 + size).toString());
    at = end + size + 2;
  }
  return files;
}

export async function contentAt(repository: string, commit: string): Promise<Content> {
  return contentOf(await filesAt(repository, commit));
}

/** A platform as the API shows it. */
export function stateOf({ platform }: Content): Record<string, Record<string, Json>> {
  const state: Record<string, Record<string, Json>> = {};
  for (const [key, value] of platform) {
    const slash = key.indexOf("/");
    const collection = key.slice(0, slash);
    state[collection] = { ...state[collection], [key.slice(slash + 1)]: value };
  }
  return state;
}

/** A config as the API shows it: of a secret, that it is set. */
export function configOf({ config }: Content): JsonObject {
  const members = (prefix: string) => {
    const found = [...config].filter(([key]) => key.startsWith(prefix));
    return Object.fromEntries(found.map(([key, value]) => [key.slice(prefix.length), prefix === "secrets/" ? { set: true } : value]));
  };
  return { vars: members("vars/"), secrets: members("secrets/"), flags: members("flags/") };
}
