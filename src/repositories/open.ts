import { resolve } from "node:path";
import { makeScratch, removeScratch, sweepScratch } from "../git/scratch.ts";
import type { Store } from "../ports.ts";
import type { Snapshots } from "../snapshots.ts";
import { History } from "./history.ts";
import { ProjectRepositories } from "./project-repositories.ts";

interface RepositoriesParts {
  /** What the operator chose; `null` where nothing. */
  readonly path: string | null;
  readonly storeUrl: string;
  readonly store: Store;
  readonly snapshots: Snapshots;
}

/**
 * The repositories of an engine, in their folder: beside its database file, which is one engine's alone, or for as long as it runs. What
 * engines that were killed left behind goes first, their keys too.
 */
export async function openRepositories({ path, storeUrl, store, snapshots }: RepositoriesParts): Promise<ProjectRepositories> {
  await sweepScratch();
  const history = new History(store, snapshots);
  const kept = path ?? besideFile(storeUrl);
  if (kept !== null) {
    const repositories = new ProjectRepositories({ folder: resolve(kept), history });
    // What the operator chose is tried at once: whoever mistyped it sees it now, not when somebody clones.
    if (path !== null) repositories.claim();
    return repositories;
  }
  const folder = await makeScratch("repositories");
  return new ProjectRepositories({ folder, history, closed: () => removeScratch(folder) });
}

/** Named after the file, since others may be in the same folder. */
function besideFile(storeUrl: string): string | null {
  const [, file] = /^sqlite:(?:\/\/(?=\/))?(.+)$/.exec(storeUrl) ?? [];
  return file === undefined ? null : `${file}.git`;
}
