import { beforeAll, describe, expect, test } from "vitest";
import { PROJECT, useCli } from "./support.ts";

const context = useCli();

beforeAll(async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development", "--set", "API_URL=https://dev.example.com", "--set", "SAME=1", "--set", "API_KEY=k1"]);
  await cli.ok(["state", "put", "requires/MAILER", '{"kind":"secret"}', "-e", "dev"]);
});

const FILE = `# Settings
export API_URL="https://new.example.com"
SAME=1
API_KEY=k2
MAILER=m # declared as a secret by the platform
DATABASE=postgres://user:pass@db/x
NOTE='several
lines'
`;

describe("import of a .env file", () => {
  test("shows first what it does: added, changed, the same, and what is a secret by the engine's own rule; a dry run does nothing", async () => {
    const { cli, engine } = context;
    cli.file(".env", FILE);
    const before = await engine.get(`/env/${PROJECT}/development/config`);
    const { plan, stored } = await cli.json<{ plan: unknown; stored: unknown }>(["import", ".env", "-e", "dev", "--dry-run"]);
    expect(plan).toEqual({
      added: ["DATABASE", "MAILER", "NOTE"],
      changed: ["API_KEY", "API_URL"],
      unchanged: ["SAME"],
      secrets: ["API_KEY", "DATABASE", "MAILER"],
    });
    expect(stored).toEqual({ vars: ["API_URL", "NOTE", "SAME"], secrets: ["API_KEY", "DATABASE", "MAILER"] });
    const told = await cli.ok(["import", ".env", "-e", "dev", "--dry-run"]);
    for (const line of ["  + DATABASE (secret)", "  + NOTE", "  ~ API_URL", "3 added, 2 changed, 1 the same; 3 secrets by name"])
      expect(told).toContain(line);
    for (const value of ["new.example.com", "k2", "pass@db", "several"]) expect(told).not.toContain(value);
    expect((await engine.get(`/env/${PROJECT}/development/config`)).body).toEqual(before.body);
  });

  test("is one revision, and what is exported again is the same", async () => {
    const { cli } = context;
    cli.file(".env", FILE);
    expect(await cli.json(["import", ".env", "-e", "dev", "-m", "From .env"])).toMatchObject({ status: "updated", revision: 3 });
    const exported = await cli.ok(["export", "-e", "dev", "--secrets"]);
    cli.file("again.env", exported);
    expect(await cli.json(["import", "again.env", "-e", "dev", "--dry-run"])).toMatchObject({
      plan: { added: [], changed: ["API_KEY", "DATABASE", "MAILER"] },
    });
    const { dotenv } = { dotenv: await import("dotenv") };
    expect(dotenv.parse(exported)).toEqual({
      API_KEY: "k2",
      API_URL: "https://new.example.com",
      DATABASE: "postgres://user:pass@db/x",
      MAILER: "m",
      NOTE: "several\nlines",
      SAME: "1",
    });
    expect(await cli.json(["import", "-", "-e", "dev"], { input: "SAME=1\n" })).toMatchObject({
      plan: { unchanged: ["SAME"] },
      status: "planned",
    });
  });

  test("of a broken file changes nothing and names the line", async () => {
    const { cli } = context;
    cli.file("broken.env", "GOOD=1\nnonsense hunter2\n");
    const { code, err } = await cli.run(["import", "broken.env", "-e", "dev"]);
    expect(code).toBe(2);
    expect(err).toContain("broken.env, line 2");
    expect(err).not.toContain("hunter2");
    expect(await cli.run(["var", "get", "GOOD", "-e", "dev"])).toMatchObject({ code: 4 });
  });

  test("of values that are empty asks for what is meant", async () => {
    const { cli } = context;
    cli.file("blank.env", "FULL=1\nBLANK=\n");
    expect(await cli.run(["import", "blank.env", "-e", "dev"])).toMatchObject({ code: 2, err: expect.stringContaining("BLANK") });
    expect(await cli.json(["import", "blank.env", "-e", "dev", "--skip-empty"])).toMatchObject({ plan: { added: ["FULL"] } });
    expect(await cli.json(["import", "blank.env", "-e", "dev", "--empty"])).toMatchObject({ plan: { added: ["BLANK"] } });
    cli.file("none.env", "# nothing\n");
    expect(await cli.run(["import", "none.env", "-e", "dev"])).toMatchObject({ code: 2 });
    expect(await cli.run(["import", "absent.env", "-e", "dev"])).toMatchObject({ code: 4 });
  });

  test("var import is the same", async () => {
    const { cli } = context;
    cli.file("more.env", "MORE=1\n");
    expect(await cli.json(["var", "import", "more.env", "-e", "dev"])).toMatchObject({ plan: { added: ["MORE"] } });
  });
});

test("flagd's own file is imported with its evaluators and metadata, and exported again as it was", async () => {
  const { cli } = context;
  const flags = {
    beta: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting: { if: [{ $ref: "staff" }, "on"] } },
  };
  const rest = { $evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } }, metadata: { flagSetId: "shop" } };
  cli.file("flagd.json", JSON.stringify({ flags, ...rest }));
  expect(await cli.json(["flag", "import", "flagd.json", "-e", "dev", "--dry-run"])).toMatchObject({
    status: "planned",
    changes: { feature_flags: expect.arrayContaining(["beta"]) },
  });
  await cli.ok(["flag", "import", "flagd.json", "-e", "dev"]);
  expect(JSON.parse(await cli.ok(["flag", "export", "-e", "dev"]))).toMatchObject({ flags, ...rest });
  cli.file("list.json", JSON.stringify({ flags: [{ key: "beta", ...flags.beta }], ...rest }));
  expect(await cli.json(["flag", "import", "list.json", "-e", "dev"])).toMatchObject({ status: "no_changes" });
});

describe("a platform state", () => {
  const counts = () => context.cli.json<{ revision: number }>(["state", "get", "-e", "dev"]);

  test("is planned by --dry-run: what would be added, changed and removed, and nothing of it is done", async () => {
    const { cli } = context;
    await cli.ok(["state", "put", "flows/old", '{"a":1}', "-e", "dev"]);
    const before = await counts();
    cli.file("next.json", JSON.stringify({ flows: { fresh: {} }, requires: { MAILER: { kind: "secret", description: "Sends" } } }));
    const told = await cli.ok(["state", "import", "next.json", "-e", "dev", "--dry-run"]);
    expect(told).toBe("Would change in development: 1 added, 1 changed, 1 removed. Nothing was changed.\n");
    expect(await cli.json(["state", "import", "next.json", "--keep", "-e", "dev", "--dry-run"])).toMatchObject({
      status: "planned",
      changes: { components_added: 1, components_changed: 1, components_removed: 0 },
    });
    expect(await cli.ok(["state", "put", "flows/old", '{"a":1}', "-e", "dev", "--dry-run"])).toBe("Nothing changes in development.\n");
    expect(await cli.ok(["state", "rm", "flows/old", "-e", "dev", "--dry-run"])).toContain("1 removed. Nothing was changed.");
    expect(await counts()).toEqual(before);
  });

  test("that wraps one, as a request's body does, is not taken for a collection that is called state", async () => {
    const { cli } = context;
    const before = await counts();
    const inner = { flows: { wrapped: {} }, pages: { home: {} } };
    cli.file("body.json", JSON.stringify({ state: inner }));
    for (const more of [[], ["--keep"]]) {
      const { code, err } = await cli.run(["state", "import", "body.json", "-e", "dev", ...more]);
      expect({ code, err }).toMatchObject({
        code: 2,
        err: expect.stringContaining("one collection that is called state, with the components flows, pages"),
      });
      expect(err).toContain('give what is under "state"');
    }
    const planned = await cli.run(["state", "import", "body.json", "-e", "dev", "--dry-run"]);
    expect({ code: planned.code, err: planned.err }).toMatchObject({ code: 0, err: expect.stringContaining("is called state") });
    cli.file("said.json", JSON.stringify({ state: inner, message: "First" }));
    const said = await cli.run(["state", "import", "said.json", "-e", "dev"]);
    expect({ code: said.code, err: said.err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('Give what is under "state" alone.'),
    });
    expect(await counts()).toEqual(before);
  });

  test("whose collection is called state is imported by who means it, and comes back as it was exported", async () => {
    const { cli } = context;
    await cli.ok(["env", "create", "carts"]);
    cli.file("carts.json", JSON.stringify({ state: { cart: { items: [] } } }));
    await cli.ok(["state", "import", "carts.json", "-e", "carts", "-y"]);
    await cli.ok(["state", "export", "again.json", "-e", "carts"]);
    expect(await cli.json(["state", "import", "again.json", "-e", "carts"])).toMatchObject({ status: "no_changes" });
    // What the engine answers is taken too.
    cli.file("answer.json", await cli.ok(["state", "get", "-e", "carts", "--json"]));
    expect(await cli.json(["state", "import", "answer.json", "-e", "carts"])).toMatchObject({ status: "no_changes" });
  });
});

describe("documents that are not valid are refused with their place, and change nothing:", () => {
  test.each<readonly [string, string, readonly string[], RegExp]>([
    ["JSON state", '{\n "entities": {\n  oops\n }\n}', ["state", "import"], /line 3/],
    ["YAML state", "entities:\n  A: [1\nflows: x", ["state", "import"], /line/],
    ["state that is a list", "[1]", ["state", "import"], /no platform state/],
    ["numbers that JSON's readers change", '{"entities":{"A":{"n":12345678901234567890}}}', ["state", "import"], /line 1.*number/],
    ["flags", "{}", ["flag", "import"], /no flags/],
    ["a list of flags of which one is none", '{"flags":[null]}', ["flag", "import"], /flags\[0\] has no key/],
    ["a list of flags without keys", '{"flags":[{"state":"ENABLED","variants":{"on":true}}]}', ["flag", "import"], /flags\[0\] has no key/],
    [
      "a list of flags that has one twice",
      '{"flags":[{"key":"a","state":"ENABLED","variants":{"on":true}},{"key":"a","state":"DISABLED","variants":{"on":true}}]}',
      ["flag", "import"],
      /"a" is there twice/,
    ],
    ["a flag without variants", '{"flags":{"x":{"state":"ENABLED"}}}', ["flag", "import"], /variants/],
    ["a policy", "pipeline: 7", ["policy", "set"], /pipeline/],
    ["a policy that is a text", "'x'", ["policy", "set"], /no policy/],
  ])("%s", async (_, text, command, reason) => {
    const { cli } = context;
    cli.file("document", text);
    const { code, err } = await cli.run([...command, "document", "-e", "dev"]);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringMatching(reason) });
  });
});
