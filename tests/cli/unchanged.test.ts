import { beforeAll, describe, expect, test } from "vitest";
import { WorkTree } from "../git/work-tree.ts";
import { useCli } from "./support.ts";

const context = useCli();

beforeAll(async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development"]);
  await cli.ok(["state", "put", "flows/welcome", '{"trigger":"a"}', "-e", "dev"]);
  await cli.ok(["env", "create", "production", "--from", "development"]);
});

const revision = async () => (await context.cli.json<{ revision: number }>(["env", "show", "prod"])).revision;

describe("where nothing would change in production, nobody is asked whether that is meant, and a plan says so:", () => {
  test("a promotion", async () => {
    const { cli } = context;
    const before = await revision();
    const planned = await cli.ok(["promote", "dev", "prod", "--dry-run"]);
    expect(planned).toContain("There is nothing to promote: production has all of it.");
    expect(planned).not.toContain("would be applied");
    expect(await cli.run(["promote", "dev", "prod"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("Nothing changes in production."),
    });
    expect(await cli.json(["promote", "dev", "prod"])).toMatchObject({ status: "no_changes" });
    expect(await revision()).toBe(before);
  });

  test("a rollback", async () => {
    const { cli } = context;
    const before = await revision();
    expect(await cli.run(["rollback", "prod", "1"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("Nothing changes in production."),
    });
    expect(await revision()).toBe(before);
  });

  test("a pull, also where something else stands in the way of one", async () => {
    const { cli } = context;
    const tree = new WorkTree();
    tree.commit("Begin", { "platform/flows/pulled.json": { v: 1 } });
    const pull = ["git", "pull", "--git", tree.folder, "--branch", "main", "-e", "prod"];
    expect((await cli.run(pull)).code).toBe(2);
    await cli.ok([...pull, "-y"]);
    cli.file("policy.json", JSON.stringify({ environments: { production: { protected: true } } }));
    await cli.ok(["policy", "set", "policy.json"]);
    expect(await cli.run([...pull, "--dry-run"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("There is nothing to pull: production has all of it."),
    });
    expect(await cli.run(pull)).toMatchObject({ code: 0, out: expect.stringContaining("Nothing changes in production.") });
    await cli.ok(["policy", "set", "--preset", "solo"]);
    tree.dispose();
  });
});

test("the same content under another label is something to promote", async () => {
  const { cli } = context;
  await cli.ok(["promote", "dev", "prod", "--replace", "-y"]);
  await cli.ok(["var", "set", "REGION=eu", "-e", "dev"]);
  const planned = await cli.ok(["promote", "dev", "prod", "--dry-run"]);
  expect(planned).toContain("no component and no config changes");
  expect(planned).toContain("It would be applied.");
  expect(planned).not.toContain("nothing changes");
  expect((await cli.run(["promote", "dev", "prod"])).code).toBe(2);
});
