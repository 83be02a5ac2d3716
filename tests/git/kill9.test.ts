import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { openStore } from "../../src/storage/open.ts";
import { openVault, openWorld, PROJECT } from "../domain/support.ts";
import { childScript } from "../support/children.ts";
import { folder, git, refs, repositoryOf } from "./support.ts";

const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 40 : 6;

/** @returns whether it came to its end before it was to be killed, after so many pages and turns of this process */
async function follow(url: string, where: string, pages: number, turns: number): Promise<boolean> {
  const child = spawn(process.execPath, [childScript("git/stand-ins/follower"), url, where, PROJECT], {
    cwd: packageRoot(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let left = pages;
  let isDone = false;
  for await (const line of createInterface({ input: child.stdout })) {
    isDone ||= line === "done";
    if (--left > 0) continue;
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    child.kill("SIGKILL");
    break;
  }
  await closed;
  return isDone;
}

test("a repository whose engine is killed at any point goes on where it was, to the very same commits", async () => {
  const [database, where] = [folder(), folder()];
  const url = `sqlite:${join(database, "env.db")}`;
  const store = await openStore(url);
  const world = await openWorld({ store, vault: await openVault(store) });
  await world.project.create("development");
  for (let nth = 0; nth < 16; nth++) {
    await world.project.set("development", { [`flows/f${nth % 3}`]: nth });
    if (nth === 6) await world.project.create("staging", { base: "development" });
    if (nth % 5 === 4 && nth > 6) await world.project.promote("development", "staging");
  }
  const expected = await refs(await repositoryOf(world, folder()));
  await store.close();

  let isDone = false;
  for (let round = 0; round < ROUNDS && !isDone; round++) isDone = await follow(url, where, 2 + (round % 3), (round * 37) % 400);
  if (!isDone) await follow(url, where, Number.POSITIVE_INFINITY, 0);
  const repository = join(where, PROJECT, "repository.git");
  expect(await refs(repository)).toEqual(expected);
  expect(await git(repository, "fsck", "--strict")).toBe("");
}, 300_000);
