import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { BOUNDS } from "../../src/cli/bounds.ts";
import { widthOf } from "../../src/cli/width.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { ENVM, type Ended, ended, useCli } from "./support.ts";

const PTY = fileURLToPath(new URL("./terminal.py", import.meta.url));
const python = spawnSync("python3", ["--version"]).status === 0;

const context = useCli();

/** One command at a terminal. `dialogue`: what is waited for, and what is typed then; `before`: what starts the command. */
function atTerminal(
  args: readonly string[],
  dialogue: readonly (readonly [string, string])[] = [],
  { columns = 80, env = {}, before = [] }: { columns?: number; env?: Readonly<Record<string, string>>; before?: readonly string[] } = {},
): Promise<Ended> {
  const { cli } = context;
  const command = [PTY, String(columns), JSON.stringify(dialogue), ...before, process.execPath, ENVM, ...args];
  return ended(spawn("python3", command, { cwd: cli.folder, env: { ...cli.environment, TERM: "xterm", ...env } }));
}

/** What is printed, without colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const bare = (text: string) => text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");

describe.skipIf(!python)(`at a terminal${python ? "" : " (skipped: there is no python3 to make one with)"}`, () => {
  beforeAll(async () => {
    const { cli } = context;
    await cli.ok(["env", "create", "development", "-m", "日本語のとても長いメッセージ ".repeat(8)]);
    await cli.ok(["env", "create", "production", "--set", "API_KEY=k"]);
    await cli.ok(["state", "put", "entities/Customer", "{}", "-e", "dev"]);
  });

  test("a secret is asked for and does not show while it is typed, also where it is corrected", async () => {
    const { code, out } = await atTerminal(["secret", "set", "NEW_KEY", "-e", "dev"], [["Value of NEW_KEY: ", "hunterX\u007f2\r"]]);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining("Changed: NEW_KEY") });
    expect(out).not.toMatch(/hunter/);
    expect(await context.cli.ok(["secret", "reveal", "NEW_KEY", "-e", "dev"])).toBe("hunter2\n");
  });

  test("an empty answer sets nothing, and Ctrl-C ends with 130", async () => {
    expect(await atTerminal(["secret", "set", "NO_KEY", "-e", "dev"], [["Value of NO_KEY: ", "\r"]])).toMatchObject({ code: 2 });
    expect(await atTerminal(["secret", "set", "NO_KEY", "-e", "dev"], [["Value of NO_KEY: ", "abc\u0003"]])).toMatchObject({ code: 130 });
    expect(await context.cli.ok(["secret", "list", "-e", "dev", "--plain"])).toBe("NEW_KEY\n");
  });

  test("before production changes its name is typed; another one changes nothing", async () => {
    const promote = ["promote", "dev", "prod"];
    const wrong = await atTerminal(promote, [
      ["to go on: ", "yes\r"],
      ["to go on: ", "prod\r"],
      ["to go on: ", "\r"],
    ]);
    expect(wrong).toMatchObject({ code: 2, out: expect.stringContaining("Nothing was changed") });
    expect(await context.cli.ok(["history", "prod", "--plain"])).toBe("1\tv0.1.0\n");
    expect(await atTerminal(promote, [["to go on: ", "production\r"]])).toMatchObject({
      code: 0,
      out: expect.stringContaining("ready for deployment"),
    });
    // Small changes too, where somebody can be asked.
    expect(
      await atTerminal(
        ["var", "set", "A=1", "-e", "prod"],
        [
          ["to go on: ", "no\r"],
          ["to go on: ", "no\r"],
          ["to go on: ", "no\r"],
        ],
      ),
    ).toMatchObject({ code: 2 });
    expect(await atTerminal(["var", "set", "A=1", "-e", "prod", "-y"])).toMatchObject({ code: 0 });
  });

  test("--no-interactive never asks", async () => {
    expect(await atTerminal(["secret", "set", "NO_KEY", "-e", "dev", "--no-interactive"])).toMatchObject({
      code: 2,
      out: expect.stringContaining("NO_KEY=-"),
    });
    expect(await atTerminal(["rollback", "prod", "1", "--no-interactive"])).toMatchObject({ code: 2, out: expect.stringContaining("-y") });
  });

  test("an import is asked about after its plan", async () => {
    context.cli.file("t.env", "FROM_FILE=1\n");
    expect(await atTerminal(["import", "t.env", "-e", "dev"], [["y/N. ", "n\r"]])).toMatchObject({
      code: 2,
      out: expect.stringContaining("FROM_FILE"),
    });
    expect(await atTerminal(["import", "t.env", "-e", "dev"], [["y/N. ", "y\r"]])).toMatchObject({ code: 0 });
  });

  test("a login asks for the token and does not show it", async () => {
    const token = context.cli.environment["ENVM_TOKEN"] ?? "";
    const { code, out } = await atTerminal(["login"], [["Value of the token: ", `${token}\r`]], { env: { ENVM_TOKEN: "" } });
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining("as root") });
    expect(out).not.toContain(token);
  });

  test.each([60, 80, 132])("tables fit %i columns, wide characters included, and are coloured", async (columns) => {
    const { out } = await atTerminal(["history", "dev"], [], { columns });
    expect(out).toContain("\u001b[");
    const lines = bare(out).split(/\r?\n/);
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
    expect(out).toContain("…");
    const plain = await atTerminal(["history", "dev"], [], { columns, env: { NO_COLOR: "1" } });
    expect(plain.out).not.toContain("\u001b[");
  });

  test.each([40, 60])("tables of many columns fit %i columns, headings and all", async (columns) => {
    for (const args of [
      ["env", "list"],
      ["token", "list"],
      ["audit", "list"],
    ]) {
      const { code, out } = await atTerminal(args, [], { columns });
      expect(code).toBe(0);
      expect(Math.max(...bare(out).split(/\r?\n/).map(widthOf))).toBeLessThanOrEqual(columns);
    }
  });

  test("long work shows how far it is, on stderr alone", async () => {
    const { cli } = context;
    mkdirSync(join(cli.folder, "big"));
    const pages = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`p${index}`, { text: "x".repeat(200) }]));
    cli.file("big/state.json", JSON.stringify({ pages }));
    const url = new URL(cli.environment["ENVM_URL"] ?? "");
    const far = await TcpProxy.start(Number(url.port));
    far.delay(2 * BOUNDS.progressAfterMs);
    url.port = String(far.port);
    const { code, out } = await atTerminal(["state", "import", "big/state.json", "-e", "dev"], [], { env: { ENVM_URL: url.href } });
    await far.stop();
    expect(code).toBe(0);
    expect(out).toMatch(/Sending 20000 components \[[█░]{24}\] \d+ % of/);
    // The bar is taken away again, and stands in no file.
    expect(bare(out).trimEnd()).toMatch(/development is v[\d.]+, revision \d+\.$/);
    expect((await cli.run(["state", "export", "-e", "dev", "-o", "big/copy.json"])).err).toBe("");
  });

  test("a program that is run has the terminal, and Ctrl-C reaches it once", async () => {
    context.cli.file(
      "count.mjs",
      'let n = 0; process.on("SIGINT", () => { n++; setTimeout(() => { console.log("interrupted " + n); process.exit(9); }, 300); }); console.log("tty " + process.stdout.isTTY); setInterval(() => {}, 1000);',
    );
    const { code, out } = await atTerminal(["run", "-e", "dev", "--", "node", "count.mjs"], [["tty true", "\u0003"]]);
    expect(code).toBe(9);
    expect(out).toContain("interrupted 1");
    // In a group of its own it is sent by envm what the terminal sent to envm alone.
    const watched = await atTerminal(["run", "-e", "dev", "--watch", "--", "node", "count.mjs"], [["tty true", "\u0003"]]);
    expect(watched).toMatchObject({ code: 9, out: expect.stringContaining("interrupted 1") });
    // Whatever it reads from. Who is in no group of the terminal's is sent what envm itself sends; this one stays until Ctrl-C was typed.
    context.cli.file(
      "apart.mjs",
      `import { readSync } from "node:fs";
      process.on("SIGINT", () => console.log("sent once more"));
      console.log("tty " + process.stdout.isTTY);
      readSync(1, Buffer.alloc(80));
      setTimeout(() => {}, 300);`,
    );
    const fed = { before: ["/bin/sh", "-c", 'exec "$0" "$@" < /dev/null'] };
    const apart = await atTerminal(["run", "-e", "dev", "--", "setsid", "node", "apart.mjs"], [["tty true", "\u0003typed\n"]], fed);
    expect(apart).toMatchObject({ code: 0, out: expect.not.stringContaining("sent once more") });
  });

  test("a program that is started anew with each change is stopped and goes on with envm: Ctrl-Z, fg", async () => {
    context.cli.file(
      "stopped.mjs",
      `import { writeFileSync } from "node:fs";
      writeFileSync("program.pid", String(process.pid));
      process.on("SIGCONT", () => console.log("goes on"));
      process.on("SIGINT", () => process.exit(9));
      console.log("started");
      setInterval(() => {}, 1000);`,
    );
    const shell = ["/bin/bash", "-c", 'set -m; "$0" "$@"; echo "state $(ps -o state= -p "$(cat program.pid)")"; fg; exit $?'];
    const { code, out } = await atTerminal(
      ["run", "-e", "dev", "--watch", "--", "node", "stopped.mjs"],
      [
        ["started", "\u001a"],
        ["goes on", "\u0003"],
      ],
      { before: shell },
    );
    expect({ code, out }).toEqual({ code: 9, out: expect.stringContaining("state T") });
  });
});
