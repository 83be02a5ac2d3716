import { expect, test } from "vitest";
import { roleOf } from "../../src/git/layout.ts";
import type { JsonObject } from "../../src/ports.ts";
import { openWorld, PROJECT } from "../domain/support.ts";
import { isLong, loadHistory } from "../merkle/support.ts";
import { contentAt, folder, git, repositoriesOf, stateOf } from "./support.ts";

const PAIRS = isLong ? 2_000 : 200;

test(
  "of a real history, what git says of any two revisions is what the engine says of them",
  async () => {
    const { base, changes } = loadHistory();
    const world = await openWorld();
    await world.project.create("development");
    await world.project.set("development", Object.fromEntries(base) as JsonObject);
    for (const { set, remove } of changes) {
      await world.domain.state.patch(world.project.caller, {
        project: PROJECT,
        env: "development",
        set,
        remove: [...remove],
        ifMatch: null,
      });
    }
    const { path } = await repositoriesOf(world.store, folder()).current(PROJECT);
    const commits = (await git(path, "rev-list", "--reverse", "refs/heads/development")).split("\n");
    expect(commits).toHaveLength(await world.project.revisionNumber("development"));
    expect(stateOf(await contentAt(path, "refs/heads/development"))).toEqual(await world.project.state("development"));

    // The recorded history is git's own: it says of each commit what this repository says of each revision.
    for (const [index, change] of changes.entries()) {
      if (index % 10 > 0 && !isLong) continue;
      expect(await statuses(path, commits[index + 1], commits[index + 2])).toEqual(change.git);
    }
    let seed = 42;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let nth = 0; nth < PAIRS; nth++) {
      const [left, right] = [random(commits.length), random(commits.length)];
      const { components } = await world.project.compare(`development@${left + 1}`, `development@${right + 1}`);
      const names = { added: components.only_right, removed: components.only_left, changed: components.different.map(({ name }) => name) };
      expect(await statuses(path, commits[left], commits[right]), `${left + 1}..${right + 1}`).toEqual(sorted(names));
    }
  },
  isLong ? 600_000 : 180_000,
);

interface Statuses {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

async function statuses(repository: string, left = "", right = ""): Promise<Statuses> {
  const fields = (await git(repository, "diff", "--no-renames", "--name-status", "-z", left, right)).split("\0").filter(Boolean);
  const found: Record<string, string[]> = { A: [], D: [], M: [] };
  for (let at = 0; at < fields.length; at += 2) {
    const role = roleOf(fields[at + 1] ?? "");
    if (role !== null && "component" in role) found[fields[at] ?? ""]?.push(role.component);
  }
  return sorted({ added: found.A ?? [], removed: found.D ?? [], changed: found.M ?? [] });
}

function sorted({ added, removed, changed }: Statuses): Statuses {
  return { added: [...added].sort(), removed: [...removed].sort(), changed: [...changed].sort() };
}
