import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BOUNDS } from "../../src/cli/bounds.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { Lines } from "./lines.ts";
import { ENVM, PROJECT, useCli } from "./support.ts";

const context = useCli();

beforeAll(async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development", "--set", "COLOUR=red"]);
  await cli.ok(["state", "put", "flows/welcome", '{"trigger":"a"}', "-e", "dev"]);
});

const component = () => context.cli.json<{ trigger: string }>(["state", "get", "flows/welcome", "-e", "dev"]);

/** A program that stands in for somebody at an editor: a line of the shell, with the file as its `$1`. */
const editing = (line: string) => {
  context.cli.file("editor.sh", line);
  return { EDITOR: `sh ${join(context.cli.folder, "editor.sh")}` };
};

describe("a file that would not come back as it was is refused with its place, and changes nothing", () => {
  test.each([
    ["an integer that is no double", "big.json", '{\n"x": 9007199254740993}', "line 2"],
    ["a number that would be infinite, which JSON.stringify makes null", "huge.json", '{"x":1e400}', "line 1"],
    ["a number that would be zero", "tiny.json", '{"x":1e-400}', "line 1"],
    ["a member twice, of which one would be lost", "twice.json", '{"x":1,\n"x":2}', "line 2"],
    ["an integer that is no double, in YAML", "big.yaml", "trigger: a\nx: 9007199254740993\n", "line 2"],
    ["a number that would be infinite, in YAML", "huge.yaml", "x: 1e400\n", "line 1"],
    ["what YAML calls infinite", "inf.yaml", "x: [1, .inf]\n", "line 1"],
    ["what YAML calls no number", "nan.yaml", "x: .nan\n", "line 1"],
  ])("%s", async (_what, name, content, place) => {
    const before = await component();
    context.cli.file(name, content);
    const { code, err } = await context.cli.run(["state", "put", "flows/welcome", `@${name}`, "-e", "dev"]);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(name) });
    expect(err).toContain(place);
    expect(await component()).toEqual(before);
  });

  test("what a double holds is taken as it is", async () => {
    const { cli } = context;
    cli.file("numbers.yaml", "a: 9007199254740992\nb: 0x10\nc: 0.1\nd: -7\ne: 62685417233463050\n1: one\n");
    await cli.ok(["state", "put", "flows/numbers", "@numbers.yaml", "-e", "dev"]);
    const kept = JSON.parse(await cli.ok(["state", "get", "flows/numbers", "-e", "dev"]));
    expect(kept).toEqual({ a: 9007199254740992, b: 16, c: 0.1, d: -7, e: 62685417233463050, 1: "one" });
  });
});

describe("what goes wrong on the way into a file, or out of one, is told as what it is:", () => {
  const file = "log.ndjson";

  test.each<readonly [string, readonly string[], number, RegExp]>([
    ["a token that is not valid", ["--token", "envm_0000000000000000_wrong"], 3, /token is not valid/],
    ["a project that does not exist", ["-p", "nowhere"], 4, /no project "nowhere"/],
    ["an engine that is away", ["--url", "http://127.0.0.1:1"], 1, /cannot be reached/],
  ])("%s", async (_what, args, code, reason) => {
    const { cli } = context;
    const ended = await cli.run(["audit", "export", "-o", file, ...args]);
    expect(ended).toMatchObject({ code, out: "", err: expect.stringMatching(reason) });
    expect(readdirSync(cli.folder).filter((name) => name === file || name.endsWith(".tmp"))).toEqual([]);
  });

  test("text that is not UTF-8, which a document is too", async () => {
    const { cli } = context;
    writeFileSync(join(cli.folder, "latin1.env"), Buffer.from("CITY=M\xfcnchen\n", "latin1"));
    for (const args of [
      ["import", "latin1.env", "-e", "dev", "-y"],
      ["var", "set", "CITY=@latin1.env", "-e", "dev"],
    ])
      expect(await cli.run(args)).toMatchObject({ code: 2, err: expect.stringMatching(/latin1\.env is not UTF-8 text/) });
  });

  test("more than is taken", async () => {
    const { cli } = context;
    cli.file("much.env", `MUCH=${"x".repeat(BOUNDS.inputBytes)}\n`);
    expect(await cli.run(["import", "much.env", "-e", "dev", "-y"])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is larger than/),
    });
  });
});

describe("state edit", () => {
  const edit = (line: string) => context.cli.run(["state", "edit", "flows/welcome", "-e", "dev"], { env: editing(line) });
  const keptIn = (err: string) => /What you typed is in (\S+)\.\n/.exec(err)?.[1] ?? "";

  test("of what is no document changes nothing, says so with exit code 2, and keeps what was typed", async () => {
    const before = await component();
    const { code, err } = await edit(`printf '{"trigger": ' > "$1"`);
    expect(code).toBe(2);
    expect(readFileSync(keptIn(err), "utf8")).toBe('{"trigger": ');
    expect(await component()).toEqual(before);
  });

  test("where somebody else changed the environment meanwhile is refused with exit code 5, and keeps what was typed", async () => {
    const other = `${process.execPath} ${ENVM} var set OTHER=1 -e dev`;
    const { code, err } = await edit(`${other} >/dev/null; printf '{"trigger":"mine"}' > "$1"`);
    expect(code).toBe(5);
    expect(JSON.parse(readFileSync(keptIn(err), "utf8"))).toEqual({ trigger: "mine" });
    expect(JSON.stringify(await component())).not.toContain("mine");
  });

  test("of one that somebody else made meanwhile is refused likewise", async () => {
    const { cli } = context;
    const other = `${process.execPath} ${ENVM} state put flows/both '{"trigger":"theirs"}' -e dev`;
    const env = editing(`${other} >/dev/null; printf '{"trigger":"mine"}' > "$1"`);
    const { code, err } = await cli.run(["state", "edit", "flows/both", "-e", "dev"], { env });
    expect(code).toBe(5);
    expect(JSON.parse(readFileSync(keptIn(err), "utf8"))).toEqual({ trigger: "mine" });
    expect(JSON.parse(await cli.ok(["state", "get", "flows/both", "-e", "dev"]))).toEqual({ trigger: "theirs" });
    // Where nobody did, it is made.
    await cli.ok(["state", "edit", "flows/new", "-e", "dev"], { env: editing(`printf '{"trigger":"mine"}' > "$1"`) });
    expect(JSON.parse(await cli.ok(["state", "get", "flows/new", "-e", "dev"]))).toEqual({ trigger: "mine" });
  });

  test("with an editor that fails changes nothing", async () => {
    const before = await component();
    expect(await edit(`printf '{"trigger":"lost"}' > "$1"; exit 3`)).toMatchObject({
      code: 1,
      err: expect.stringContaining("ended with 3"),
    });
    expect(await component()).toEqual(before);
  });
});

test("a flag is switched as it was read, or not at all: rules that somebody gave it meanwhile stay", async () => {
  const { cli } = context;
  const proxy = await TcpProxy.start(Number(new URL(context.engine.url).port));
  await cli.ok(["flag", "set", "checkout=off", "-e", "dev"]);
  proxy.hold("requests", "PATCH ");
  const { ended } = new Lines(
    cli.start(["flag", "set", "checkout=on", "-e", "dev"], { env: { ENVM_URL: `http://127.0.0.1:${proxy.port}` } }),
  );
  await proxy.holding("requests");
  const rule = { "==": [{ var: "plan" }, "pro"] };
  const definition = {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: { if: [rule, "on", "off"] },
  };
  await cli.ok(["flag", "set", `checkout=${JSON.stringify(definition)}`, "-e", "dev"]);
  proxy.release();
  expect(await ended).toMatchObject({ code: 5, err: expect.stringContaining("meanwhile") });
  expect(await cli.json(["flag", "get", "checkout", "-e", "dev"])).toEqual(definition);
  await cli.ok(["flag", "set", "checkout=on", "-e", "dev"]);
  expect(await cli.json(["flag", "get", "checkout", "-e", "dev"])).toEqual({ ...definition, defaultVariant: "on" });
  await proxy.stop();
});

test("whoever waits for an engine that says nothing is told so, and for what; not with --silent", async () => {
  const { cli, engine } = context;
  const proxy = await TcpProxy.start(Number(new URL(engine.url).port));
  const env = { ENVM_URL: `http://127.0.0.1:${proxy.port}` };
  proxy.hold("answers");
  const silent = new Lines(cli.start(["env", "list", "--json", "--silent"], { env }));
  await proxy.holding("answers");
  const told = new Lines(cli.start(["env", "list", "--json"], { env }));
  await told.show(/Waiting for the engine at http:\/\/127\.0\.0\.1:\d+: no answer for 5 seconds\./);
  proxy.release();
  const ends = await Promise.all([told.ended, silent.ended]);
  expect(ends).toMatchObject([{ code: 0 }, { code: 0, err: "" }]);
  // What a program reads is the answer alone.
  for (const { out } of ends) expect(JSON.parse(out)).toHaveProperty("items");
  await proxy.stop();
});

test("a rollback takes back what it showed, or nothing: what somebody changed meanwhile stays", async () => {
  const { cli } = context;
  const proxy = await TcpProxy.start(Number(new URL(context.engine.url).port));
  await cli.ok(["env", "create", "rolled"]);
  await cli.ok(["var", "set", "A=1", "-e", "rolled"]);
  proxy.hold("requests", '"confirm"');
  const { ended } = new Lines(cli.start(["rollback", "rolled", "1"], { env: { ENVM_URL: `http://127.0.0.1:${proxy.port}` } }));
  await proxy.holding("requests");
  await cli.ok(["var", "set", "HOTFIX=1", "-e", "rolled"]);
  proxy.release();
  expect(await ended).toMatchObject({ code: 5, err: expect.stringContaining("Look at the new plan") });
  expect(await cli.ok(["var", "list", "-e", "rolled", "--plain"])).toBe("A\nHOTFIX\n");
  await cli.ok(["rollback", "rolled", "1"]);
  expect(await cli.ok(["var", "list", "-e", "rolled", "--plain"])).toBe("");
  await proxy.stop();
});

describe("run --watch", () => {
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.start(Number(new URL(context.engine.url).port));
  });
  afterAll(() => proxy.stop());

  test("goes on while the engine is away, and starts the program anew with what was changed meanwhile once it is back", async () => {
    const { cli } = context;
    cli.file("program.mjs", `console.log("started " + process.env.COLOUR);\nsetInterval(() => {}, 1000);\n`);
    const env = { ENVM_URL: `http://127.0.0.1:${proxy.port}` };
    const lines = new Lines(cli.start(["run", "-e", "dev", "--watch", "--", "node", "program.mjs"], { env }));
    await lines.show(/started red/);
    proxy.refuse(true);
    proxy.cut();
    await lines.show(/The engine is away/);
    await cli.ok(["var", "set", "COLOUR=green", "-e", "dev"]);
    proxy.refuse(false);
    await lines.show(/started green/);
    lines.kill("SIGTERM");
    expect(await lines.ended).toMatchObject({ out: "started red\nstarted green\n" });
  });

  test("says so too where the engine goes away before anything was followed", async () => {
    const { cli } = context;
    cli.file("quiet.mjs", "setInterval(() => {}, 1000);\n");
    const env = { ENVM_URL: `http://127.0.0.1:${proxy.port}` };
    proxy.hold("requests", "/config HTTP");
    const lines = new Lines(cli.start(["run", "-e", "dev", "--watch", "--", "node", "quiet.mjs"], { env }));
    await proxy.holding("requests");
    proxy.refuse(true);
    proxy.cut();
    proxy.release();
    await lines.show(/The engine is away/);
    proxy.refuse(false);
    lines.kill("SIGTERM");
    await lines.ended;
  });
});

// The last of this file: nothing is right with the log after it.
test("audit verify finds a record that somebody altered in the database, and ends with 1", async () => {
  const { cli, engine } = context;
  expect(await cli.json(["audit", "verify"])).toMatchObject({ valid: true });
  const { port } = new URL(engine.url);
  await engine.stop();
  const db = new Database(join(engine.directory, "env.db"));
  const altered = db
    .prepare(
      `UPDATE document SET value = replace(value, '"actor":"root"', '"actor":"nobody"')
       WHERE key LIKE 'audit/%2' AND partition = (SELECT id FROM partition WHERE name = ?)`,
    )
    .run(PROJECT);
  db.close();
  expect(altered.changes).toBeGreaterThan(0);
  await engine.startOn(port);
  const { code, out, err } = await cli.run(["audit", "verify"]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/was altered at record 2/);
  const told = await cli.run(["audit", "verify", "--json"]);
  expect({ code: told.code, ...JSON.parse(told.out) }).toMatchObject({ code: 1, valid: false, broken_at: 2 });
});
