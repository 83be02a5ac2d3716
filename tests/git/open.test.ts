import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openRepositories } from "../../src/repositories/open.ts";
import { Snapshots } from "../../src/snapshots.ts";
import { openStore } from "../../src/storage/open.ts";
import { openVault, openWorld, PROJECT } from "../domain/support.ts";
import { folder } from "./support.ts";

async function engineOn(file: string) {
  const storeUrl = `sqlite:${file}`;
  const store = await openStore(storeUrl);
  const { project } = await openWorld({ store, vault: await openVault(store) });
  await project.create("staging");
  const repositories = await openRepositories({ path: null, storeUrl, store, snapshots: new Snapshots(store) });
  onTestFinished(async () => {
    await repositories.close();
    await store.close();
  });
  return repositories;
}

test("engines whose files are in one folder keep their repositories beside them, each its own", async () => {
  const where = folder();
  const [one, other] = [await engineOn(join(where, "one.db")), await engineOn(join(where, "other.db"))];
  const paths = [];
  for (const repositories of [one, other, one]) paths.push((await repositories.current(PROJECT)).path);
  expect(paths[0]).toContain(join(where, "one.db.git"));
  expect(paths[1]).toContain(join(where, "other.db.git"));
  expect(paths[2]).toBe(paths[0]);
});
