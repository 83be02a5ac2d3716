import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { BOUNDS } from "../../src/cli/bounds.ts";
import { memberChanges } from "../../src/cli/members.ts";
import { cut, shown, widthOf } from "../../src/cli/width.ts";
import { ENVM, ended, PROJECT, useCli } from "./support.ts";

const context = useCli();

beforeAll(async () => {
  const { cli } = context;
  await cli.ok([
    "env",
    "create",
    "development",
    "--set",
    "API_URL=https://dev.example.com",
    "--set",
    "API_KEY=k1",
    "-m",
    "Erste 日本 \u001b]0;owned\u0007 🙂",
  ]);
  const state = Object.fromEntries(
    Array.from({ length: 4_000 }, (_, index) => [`page-${index}`, { title: `Page ${index}`, body: "x".repeat(100) }]),
  );
  cli.file("large.json", JSON.stringify({ pages: state }));
  await cli.ok(["state", "import", "large.json", "-e", "dev"]);
});

describe("how wide a text is in a terminal:", () => {
  test.each([
    ["abc", 3],
    ["日本語", 6],
    ["é", 1],
    ["e\u0301", 1],
    ["🙂", 2],
    ["👨‍👩‍👧", 2],
    ["🇩🇪", 2],
    ["한국", 4],
    ["ｱ", 1],
    ["Ａ", 2],
    ["\u200b", 0],
  ])("%j takes %i columns", (text, columns) => {
    expect(widthOf(text)).toBe(columns);
  });

  test("what is cut fits, and is cut only where it has to be", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), fc.integer({ min: 1, max: 30 }), (text, columns) => {
        const short = cut(text, columns);
        expect(widthOf(short)).toBeLessThanOrEqual(columns);
        expect(short === text).toBe(widthOf(text) <= columns);
      }),
    );
  });
});

test("what somebody wrote into a message does nothing to the terminal that shows it", async () => {
  expect(shown("a\u001b[31mb\u0007\n\u202e")).toBe("a\\u001b[31mb\\u0007\\n\\u202e");
  const out = await context.cli.ok(["history", "dev"], { env: { FORCE_COLOR: "1" } });
  expect(out).toContain("Erste 日本 \\u001b]0;owned\\u0007 🙂");
  expect(out).not.toContain("\u0007");
  await context.engine.request("PUT", `/env/${PROJECT}/git/mirror`, { url: "https://git.example.com/\u001b[2Jx.git", token: "t" });
  const mirror = await context.cli.ok(["git", "mirror", "show"]);
  expect(mirror).toContain("https://git.example.com/\\u001b[2Jx.git");
  expect(mirror).not.toContain("\u001b");
  await context.engine.request("DELETE", `/env/${PROJECT}/git/mirror`);
});

test("what a sink has not had is told with how long the oldest of it waits", async () => {
  await context.engine.request("PUT", `/env/${PROJECT}/git/mirror`, { url: "https://git.invalid/x.git", token: "t" });
  const told = async (...args: string[]) => (await context.cli.run(args)).out;
  await expect
    .poll(() => told("git", "mirror", "show"), { timeout: 60_000 })
    .toMatch(/^failing: has not had the newest \d+ of \d+ records, the oldest for \d+ s$/m);
  expect(await told("doctor", "-e", "dev")).toMatch(/sink git: has not had \d+ records?, the oldest for \d+ s: \S/);
  await context.engine.request("DELETE", `/env/${PROJECT}/git/mirror`);
});

test("names that are left out of a line are counted in it", async () => {
  const { cli } = context;
  const keys = Array.from({ length: BOUNDS.namesTold + 3 }, (_, index) => `KEY_${index}`);
  await cli.ok(["env", "create", "left", "-p", "pf-names", ...keys.flatMap((name) => ["--set", `${name}=1`])]);
  await cli.ok(["env", "create", "right", "-p", "pf-names", ...keys.flatMap((name) => ["--set", `${name}=1`])]);
  const token = (await cli.ok(["token", "create", "reader", "--role", "reader", "-p", "pf-names", "--plain"])).trim();
  const { err } = await cli.run(["diff", "left", "right", "-p", "pf-names"], { env: { ENVM_TOKEN: token } });
  expect(err).toMatch(/this token is not told: KEY_0, .* and 3 more\n/);
});

test("colours where they are forced, never where NO_COLOR or a pipe says otherwise", async () => {
  const { cli } = context;
  const coloured = (env: Readonly<Record<string, string>>) => cli.ok(["env", "list"], { env }).then((out) => out.includes("\u001b["));
  expect(await Promise.all([{}, { FORCE_COLOR: "1" }, { FORCE_COLOR: "0" }, { NO_COLOR: "1" }].map(coloured))).toEqual([
    false,
    true,
    false,
    false,
  ]);
});

test("--json prints the engine's own fields, --plain bare values, --silent nothing that was not asked for", async () => {
  const { cli, engine } = context;
  const { body } = await engine.get(`/env/${PROJECT}/development`);
  expect(await cli.json(["env", "show", "dev"])).toEqual(body);
  expect(await cli.json(["env", "list"])).toMatchObject({ items: [body], next_cursor: null });
  expect(await cli.ok(["env", "list", "--plain"])).toBe("development\n");
  expect(await cli.run(["var", "set", "A=1", "-e", "dev", "--silent"])).toEqual({ code: 0, signal: null, out: "", err: "" });
  expect(await cli.run(["var", "get", "A", "-e", "dev", "--silent"])).toMatchObject({ out: "1\n", err: "" });
  expect(await cli.json(["export", "-e", "dev"])).toMatchObject({ A: "1" });
});

test("a list that is cut short says so, whatever it lists", async () => {
  const { cli } = context;
  for (const args of [["versions"], ["history", "dev"], ["audit", "list"]]) {
    for (const mode of [[], ["--plain"]]) {
      const { out, err } = await cli.run([...args, ...mode, "--limit", "1"]);
      expect({ args, err, lines: out.trimEnd().split("\n").length }).toEqual({
        args,
        err: "There are more: give a --limit above 1.\n",
        lines: mode.length === 0 ? 2 : 1,
      });
    }
    expect((await cli.run([...args, "--limit", "500"])).err).toBe("");
  }
});

test("promotions that wait are a list like the others", async () => {
  const { cli } = context;
  const targets = ["qa", "uat"];
  for (const name of targets) await cli.ok(["env", "create", name]);
  const environments = Object.fromEntries(targets.map((name) => [name, { approvals: 1 }]));
  cli.file("policy.json", JSON.stringify({ environments }));
  await cli.ok(["policy", "set", "policy.json"]);
  for (const name of targets) expect((await cli.run(["promote", "dev", name, "-y"])).code).toBe(6);
  for (const mode of [[], ["--plain"]]) {
    const { out, err } = await cli.run(["approve", ...mode, "--limit", "1"]);
    expect(err).toBe("There are more: give a --limit above 1.\n");
    expect(out.trimEnd().split("\n")).toHaveLength(mode.length === 0 ? 2 : 1);
  }
  expect(await cli.json(["approve", "--limit", "1"])).toMatchObject({ items: [{}], next_cursor: expect.any(String) });
  const all = await cli.run(["approve"]);
  expect({ err: all.err, lines: all.out.trimEnd().split("\n").length }).toEqual({ err: "", lines: 3 });
  await cli.ok(["policy", "set", "--preset", "solo"]);
});

test("vars are masked where they are listed, and what is set is never printed", async () => {
  const { cli } = context;
  const listed = await cli.ok(["var", "list", "-e", "dev"]);
  expect(listed).toContain("API_URL");
  expect(listed).not.toContain("dev.example.com");
  expect(await cli.ok(["var", "list", "-e", "dev", "--show-values"])).toContain("dev.example.com");
  const set = await cli.run(["var", "set", "SOME=hunter2hunter2", "-e", "dev"]);
  expect(set.out + set.err).not.toContain("hunter2");
});

describe("values", () => {
  test("come from the command, standard input, a file or @@, and an empty one has to be meant", async () => {
    const { cli } = context;
    cli.file("value.txt", "from a file\n\n");
    const set = (args: readonly string[], input = "") => cli.run(["var", "set", ...args, "-e", "dev"], { input });
    const value = (name: string) => cli.ok(["var", "get", name, "-e", "dev"]);
    await set(["A=b=c", "FILE=@value.txt", "AT=@@handle"]);
    await set(["IN=-"], "typed\r\n");
    await set(["PIPED"], "piped\n");
    await set(["TWO", "words here"]);
    expect(await Promise.all(["A", "FILE", "AT", "IN", "PIPED", "TWO"].map(value))).toEqual([
      "b=c\n",
      "from a file\n\n",
      "@handle\n",
      "typed\n",
      "piped\n",
      "words here\n",
    ]);
    for (const args of [["EMPTY="], ["EMPTY=-"], ["EMPTY"]])
      expect(await set(args)).toMatchObject({ code: 2, err: expect.stringContaining("--empty") });
    expect(await cli.run(["var", "get", "EMPTY", "-e", "dev"])).toMatchObject({ code: 4 });
    expect(await set(["EMPTY=", "--empty"])).toMatchObject({ code: 0 });
    const secret = await cli.run(["secret", "set", "EMPTY_KEY=", "-e", "dev"]);
    expect(secret.code).toBe(2);
    expect(secret.err).not.toContain("--empty"); // It has no such option: no secret is empty.
    expect(await set(["FILE=@no-such-file"])).toMatchObject({ code: 4, err: expect.stringContaining("no such file") });
    expect(await set(["X=1", "X=2"])).toMatchObject({ code: 2 });
    // A secret by the name of another is nothing that anybody meant.
    const both = await cli.run(["secret", "set", "API_KEY", "DB_PASSWORD", "-e", "dev"]);
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining("API_KEY=VALUE") });
    expect(await cli.ok(["secret", "reveal", "API_KEY", "-e", "dev"])).toBe("k1\n");
    expect(await cli.run(["secret", "set", "API_KEY=k1", "PIPED_KEY", "-e", "dev"], { input: "k2" })).toMatchObject({ code: 0 });
  });
});

test("flags are given as vars are: once each, also as NAME VALUE, whatever the value holds", async () => {
  const { cli } = context;
  const set = (...args: readonly string[]) => cli.run(["flag", "set", ...args, "-e", "dev"]);
  const rule = { "==": [{ var: "plan" }, "pro"] };
  expect(await set("a", JSON.stringify({ state: "ENABLED", variants: { true: true, false: false }, targeting: rule }))).toMatchObject({
    code: 0,
  });
  expect(await cli.json(["flag", "get", "a", "-e", "dev"])).toMatchObject({ targeting: rule });
  expect(await set("b", "on")).toMatchObject({ code: 0 });
  expect(await set("b=on", "b=off")).toMatchObject({ code: 2, err: expect.stringContaining("twice") });
  expect(await set("b")).toMatchObject({ code: 2, err: expect.stringContaining("envm flag set b=on") });
  expect(await set("=on")).toMatchObject({ code: 2 });
});

describe("a pipe that closes", () => {
  test("ends the output, quietly, and not the work", async () => {
    const { cli } = context;
    const child = cli.start(["state", "get", "-e", "dev"]);
    child.stdin?.end();
    child.stdout?.once("data", () => child.stdout?.destroy());
    const { code, signal, err } = await ended(child);
    expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: "" });
  });

  test("of a write that was asked for changes nothing about it", async () => {
    const { cli } = context;
    const child = cli.start(["var", "set", "PIPE=closed", "-e", "dev"]);
    child.stdin?.end();
    child.stdout?.destroy();
    expect(await ended(child)).toMatchObject({ code: 0 });
    expect(await cli.ok(["var", "get", "PIPE", "-e", "dev"])).toBe("closed\n");
  });

  test("ends the export of a log that goes on", async () => {
    const { cli } = context;
    const child = cli.start(["audit", "export"]);
    child.stdin?.end();
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await ended(child)).toMatchObject({ code: 0, err: "" });
  });
});

describe("a disk that is full", () => {
  const full = existsSync("/dev/full");
  test.skipIf(!full)(`on standard output is said, with exit code 1${full ? "" : " (skipped: there is no /dev/full)"}`, async () => {
    const { cli } = context;
    for (const line of ["envm state get -e dev", "envm export -e dev", "envm env list", "envm audit export"]) {
      const args = line.split(" ").slice(1);
      const { status, stderr } = spawnSync("/bin/sh", ["-c", `exec "$@" > /dev/full`, "sh", process.execPath, ENVM, ...args], {
        cwd: cli.folder,
        env: cli.environment,
        encoding: "utf8",
      });
      expect({ line, status, stderr }).toMatchObject({ line, status: 1, stderr: expect.stringContaining("disk is full") });
    }
  });

  test("leaves the file that was there as it was, and nothing beside it", async () => {
    const { cli } = context;
    const folder = join(cli.folder, "small");
    mkdirSync(folder);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).status === 0;
    const file = join(folder, "out.json");
    writeFileSync(file, "before");
    // Where no small disk can be had, a file that may not grow stands in for it.
    const limit = mounted ? "" : "ulimit -f 8; ";
    const run = (args: string) =>
      spawnSync("/bin/bash", ["-c", `trap '' XFSZ; ${limit}exec "$0" "$@" -o "${file}"`, process.execPath, ENVM, ...args.split(" ")], {
        cwd: cli.folder,
        env: cli.environment,
        encoding: "utf8",
      });
    try {
      const { status, stderr } = run("state export -e dev");
      expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/disk is full|may not grow/) });
      expect(readFileSync(file, "utf8")).toBe("before");
      expect(readdirSync(folder)).toEqual(["out.json"]);
    } finally {
      if (mounted) spawnSync("umount", [folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("a file that is written", () => {
  test("is there as a whole; of variables nobody else may read it; a link keeps leading where it led", async () => {
    const { cli } = context;
    await cli.ok(["export", "-e", "dev", "--secrets", "-o", "vars.env"]);
    expect(statSync(join(cli.folder, "vars.env")).mode & 0o777).toBe(0o600);
    cli.file("real.env", "OLD=1\n");
    symlinkSync("real.env", join(cli.folder, "link.env"));
    await cli.ok(["pull", "link.env", "-e", "dev"]);
    expect(readFileSync(join(cli.folder, "real.env"), "utf8")).toContain("API_URL=");
    expect(await cli.run(["export", "-e", "dev", "-o", "no/such/folder/file"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("no such file or folder"),
    });
    expect(await cli.ok(["export", "-e", "dev", "-o", "/dev/stdout", "--silent"])).toContain("API_URL=");
    expect(readdirSync(cli.folder).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  test("holds the state that is imported again without a change", async () => {
    const { cli } = context;
    for (const format of ["json", "yaml"]) {
      await cli.ok(["state", "export", "-e", "dev", "--format", format, "-o", `state.${format}`]);
      expect(await cli.json(["state", "import", `state.${format}`, "-e", "dev"])).toMatchObject({ status: "no_changes" });
    }
  });
});

describe("what differs in a component is told by member:", () => {
  test.each<readonly [unknown, unknown, readonly string[]]>([
    [{ a: 1 }, { a: 2 }, ["~ /a: 1 → 2"]],
    [{ a: { b: [1, 2] } }, { a: { b: [1] }, c: null }, ["- /a/b/1: 2", "+ /c: null"]],
    [{ "a/b": 1 }, {}, ["- /a~1b: 1"]],
    ["x", ["x"], ['~ (all of it): "x" → ["x"]']],
  ])("%j and %j", (left, right, lines) => {
    expect(memberChanges(left, right)).toEqual(lines);
  });
});
