import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Store } from "../ports.ts";
import type { Snapshots } from "../snapshots.ts";
import { History } from "./history.ts";
import { ProjectRepositories } from "./project-repositories.ts";

export interface RepositoriesParts {
  /** What the operator chose; `null` where nothing. */
  readonly path: string | null;
  readonly storeUrl: string;
  readonly store: Store;
  readonly snapshots: Snapshots;
}

/** The repositories of an engine, in their folder: beside its database file, which is one engine's alone, or for as long as it runs. */
export function openRepositories({ path, storeUrl, store, snapshots }: RepositoriesParts): ProjectRepositories {
  const history = new History(store, snapshots);
  const kept = path ?? besideFile(storeUrl);
  if (kept !== null) return new ProjectRepositories({ folder: resolve(kept), history });
  const folder = mkdtempSync(join(tmpdir(), "environment-manager-git-"));
  return new ProjectRepositories({ folder, history, closed: () => rm(folder, { recursive: true, force: true }) });
}

function besideFile(storeUrl: string): string | null {
  const [, file] = /^sqlite:(?:\/\/(?=\/))?(.+)$/.exec(storeUrl) ?? [];
  return file === undefined ? null : join(dirname(file), "git");
}
