import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request as ask, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { started } from "../../src/cli/child.ts";
import { childEnvironment } from "../../src/cli/child-environment.ts";
import { Lines } from "./lines.ts";
import { useCli } from "./support.ts";

const context = useCli();

/** A program that says when it runs, with what, and what it is sent. */
const PROGRAM = `
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"]) process.on(signal, () => {
  process.stdout.write("got " + signal + "\\n");
  if (signal !== "SIGUSR1") process.exit(signal === "SIGTERM" ? 0 : 40);
});
process.stdout.write("started " + process.env.COLOUR + "\\n");
setInterval(() => {}, 1000);
`;

beforeAll(async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development", "--set", "COLOUR=red", "--set", "API_KEY=k1"]);
  await cli.ok(["state", "put", "requires/LIMIT", '{"kind":"var","default":10}', "-e", "dev"]);
  cli.file("program.mjs", PROGRAM);
});

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  context.cli.run(["run", "-e", "dev", ...args], { env });

describe("run", () => {
  test("gives a program the vars, the platform's defaults and the secrets, over what is set here", async () => {
    const { out, err } = await run(["--", "printenv", "COLOUR", "LIMIT", "API_KEY"], { COLOUR: "blue" });
    expect({ out, err }).toEqual({ out: "red\n10\nk1\n", err: "" });
    expect(await run(["--preserve-env", "--", "printenv", "COLOUR"], { COLOUR: "blue" })).toMatchObject({ out: "blue\n" });
    expect(await run(["--no-secrets", "--", "sh", "-c", 'echo "$COLOUR $LIMIT [$API_KEY]"'])).toMatchObject({
      out: "red 10 []\n",
      err: "",
    });
    expect(await run(["--only-secrets", "--", "sh", "-c", 'echo "[$COLOUR] $API_KEY"'])).toMatchObject({ out: "[] k1\n" });
    expect(await run(["--command", "echo $COLOUR | tr a-z A-Z"])).toMatchObject({ out: "RED\n" });
    // Options after the program are the program's.
    expect(await run(["node", "-e", "console.log(process.argv.length)"])).toMatchObject({ out: "1\n" });
  });

  test("reads no secret without being asked: --no-secrets leaves no record of one", async () => {
    const { cli } = context;
    const records = async () => (await cli.json<{ items: unknown[] }>(["audit", "list", "--action", "reveal"])).items.length;
    const before = await records();
    await run(["--no-secrets", "--", "true"]);
    expect(await records()).toBe(before);
    await run(["--", "true"]);
    expect(await records()).toBe(before + 1);
  });

  test("with a token that may not reveal passes the vars on and says what is missing", async () => {
    const { cli } = context;
    const token = (await cli.ok(["token", "create", "app", "--role", "reader", "--plain"])).trim();
    const { code, out, err } = await run(["--", "sh", "-c", 'echo "$COLOUR [$API_KEY]"'], { ENVM_TOKEN: token });
    expect({ code, out }).toEqual({ code: 0, out: "red []\n" });
    expect(err).toContain("API_KEY");
    expect(await run(["--only-secrets", "--", "true"], { ENVM_TOKEN: token })).toMatchObject({ code: 3 });
  });

  test.each([
    [["sh", "-c", "exit 0"], 0],
    [["sh", "-c", "exit 7"], 7],
    [["sh", "-c", "exit 255"], 255],
    [["sh", "-c", "kill -TERM $$"], 143],
    [["sh", "-c", "kill -KILL $$"], 137],
    [["no-such-program"], 127],
    [["/etc/passwd"], 126],
  ])("%j ends with %i", async (program, code) => {
    expect(await run(["--", ...program])).toMatchObject({ code, signal: null });
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"] as const)("passes %s on", async (signal) => {
    const watched = new Lines(context.cli.start(["run", "-e", "dev", "--", "node", "program.mjs"]));
    await watched.show(/started red/);
    watched.kill(signal);
    await watched.show(new RegExp(`got ${signal}`));
    if (signal === "SIGUSR1") watched.kill("SIGTERM");
    expect(await watched.ended).toMatchObject({ code: signal === "SIGUSR1" || signal === "SIGTERM" ? 0 : 40, signal: null });
  });

  test("what decides which program runs is not passed on, and what loads code is said", async () => {
    const { cli } = context;
    await cli.ok([
      "env",
      "create",
      "odd",
      "--set",
      "PATH=/nowhere",
      "--set",
      "HOME=/nowhere",
      "--set",
      "PS1=x",
      "--set",
      "NODE_OPTIONS=--no-warnings",
      "--set",
      "LD_LIBRARY_PATH=/x",
    ]);
    const { code, out, err } = await cli.run(["run", "-e", "odd", "--", "sh", "-c", 'echo "$HOME $NODE_OPTIONS"']);
    expect({ code, out }).toEqual({ code: 0, out: `${cli.environment["HOME"]} --no-warnings\n` });
    expect(err).toMatch(/Not passed on.*HOME, PATH, PS1/);
    expect(err).toMatch(/load code.*LD_LIBRARY_PATH, NODE_OPTIONS/);
  });

  test("starts nothing where the variables cannot be had", async () => {
    for (const [args, code] of [
      [["run", "-e", "nowhere", "--", "touch", "started"], 4],
      [["run", "-e", "dev", "--url", "http://127.0.0.1:1", "--", "touch", "started"], 1],
      [["run", "-e", "dev"], 2],
      [["run", "-e", "dev", "--", ""], 2],
      [["run", "-e", "dev", "--command", " "], 2],
      [["run", "-e", "dev", "--", "./program.mjs/started"], 126],
      [["run", "-e", "dev", "--only-secrets", "--no-secrets", "--", "touch", "started"], 2],
    ] as const) {
      expect({ args, ...(await context.cli.run(args)) }).toMatchObject({ args, code });
    }
    expect(() => statSync(join(context.cli.folder, "started"))).toThrow();
  });
});

describe("--watch", () => {
  test("starts the program anew with each new head, once for several at a time, and ends as the program does", async () => {
    const { cli } = context;
    const watched = new Lines(cli.start(["run", "-e", "dev", "--watch", "--", "node", "program.mjs"]));
    await watched.show(/started red/);
    await cli.ok(["var", "set", "COLOUR=green", "-e", "dev"]);
    await watched.show(/got SIGTERM/);
    await watched.show(/started green/);
    watched.kill("SIGINT");
    expect(await watched.ended).toMatchObject({ code: 40, out: "started red\ngot SIGTERM\nstarted green\ngot SIGINT\n" });
    await cli.ok(["var", "set", "COLOUR=red", "-e", "dev"]);
  });

  test("ends all that the program started before it starts it anew, and passes signals on to all of it", async () => {
    const { cli } = context;
    // Its own program is the shell, which ends at once; what that started takes its time.
    cli.file(
      "slow.mjs",
      `process.on("SIGTERM", () => setTimeout(() => { process.stdout.write("ended " + process.env.COLOUR + "\\n"); process.exit(0); }, 300));
      process.stdout.write("started " + process.env.COLOUR + "\\n");
      setInterval(() => {}, 1000);`,
    );
    const watched = new Lines(cli.start(["run", "-e", "dev", "--watch", "--command", "node slow.mjs & wait"]));
    await watched.show(/started red/);
    await cli.ok(["var", "set", "COLOUR=green", "-e", "dev"]);
    await watched.show(/started green/);
    watched.kill("SIGTERM");
    expect(await watched.ended).toMatchObject({ code: 143, out: "started red\nended red\nstarted green\nended green\n" });
    await cli.ok(["var", "set", "COLOUR=red", "-e", "dev"]);
  });

  test("with a token that ends in the middle says so, and leaves the program running", async () => {
    const { cli } = context;
    const { id, token } = await cli.json<{ id: string; token: string }>(["token", "create", "short", "--role", "reader", "--reveal"]);
    const watched = new Lines(cli.start(["run", "-e", "dev", "--watch", "--", "node", "program.mjs"], { env: { ENVM_TOKEN: token } }));
    await watched.show(/started red/);
    await cli.ok(["token", "revoke", id]);
    await watched.show(/Changes are not followed any more/);
    await watched.show(/envm login/);
    watched.kill("SIGUSR1");
    await watched.show(/got SIGUSR1/);
    watched.kill("SIGTERM");
    expect(await watched.ended).toMatchObject({ code: 0 });
  });
});

describe("--fallback", () => {
  test("keeps a sealed copy and goes on with it, saying how old it is, while the engine is away; never where it refuses", async () => {
    const { cli, engine } = context;
    const args = ["run", "-e", "dev", "--fallback", "kept.envm", "--", "printenv", "COLOUR", "API_KEY"];
    expect(await cli.run(args)).toMatchObject({ code: 0, out: "red\nk1\n", err: "" });
    const kept = readFileSync(join(cli.folder, "kept.envm"), "utf8");
    const { data, ...head } = JSON.parse(kept) as { readonly data: string };
    // Ciphertext may hold any two characters; what is a text of some length, none by chance.
    expect(JSON.stringify(head) + Buffer.from(data, "base64").toString("latin1")).not.toMatch(/"red"|"k1"|COLOUR|API_KEY/);
    expect(statSync(join(cli.folder, "kept.envm")).mode & 0o777).toBe(0o600);

    expect(await cli.run(args, { env: { ENVM_TOKEN: "envm_0000000000000000_wrong" } })).toMatchObject({ code: 3, out: "" });
    await engine.stop();
    const { code, out, err } = await cli.run(args);
    expect({ code, out }).toEqual({ code: 0, out: "red\nk1\n" });
    expect(err).toMatch(/cannot be reached.*copy of revision \d+ \(v[\d.]+\), which is \d+ s old/);
    // Another token opens nothing, and neither does what somebody changed.
    const unreadable = { code: 1, out: "", err: expect.stringMatching(/cannot be reached.*copy cannot be opened/) };
    expect(await cli.run(args, { env: { ENVM_TOKEN: "envm_0000000000000000_other" } })).toMatchObject(unreadable);
    writeFileSync(join(cli.folder, "kept.envm"), kept.replace(/"data":"..../, '"data":"AAAA'));
    expect(await cli.run(args)).toMatchObject(unreadable);
    expect(await cli.run(["run", "-e", "dev", "--fallback", "never.envm", "--", "true"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("cannot be reached"),
    });
    await engine.start();
  });
});

test("--fallback without a file keeps the copy beside the logins, and takes nothing of the program's for one", async () => {
  const { cli, engine } = context;
  const typed = { env: { ENVM_URL: engine.url } };
  const args = ["run", "-e", "dev", "--fallback", "--", "printenv", "COLOUR"];
  expect(await cli.run(args, typed)).toMatchObject({ code: 0, out: "red\n", err: "" });
  expect(readdirSync(cli.folder)).not.toContain("--");
  await engine.stop();
  expect(await cli.run(args, typed)).toMatchObject({
    code: 0,
    out: "red\n",
    err: expect.stringMatching(/cannot be reached.*copy of revision/),
  });
  // Another environment's is no stand-in.
  expect(await cli.run(["run", "-e", "other", "--fallback", "--", "true"], typed)).toMatchObject({
    code: 1,
    err: expect.stringContaining("cannot be reached"),
  });
  await engine.start();
});

test("--fallback says why the engine's own is not to be had, as the engine says it", async () => {
  const { cli, engine } = context;
  let refusal: string | null = null;
  const before = createServer((request, response) => {
    if (refusal !== null) {
      const body = { status: "error", code: "store_unavailable", reason: refusal, fix_suggestion: "", details: {}, request_id: "r" };
      response.writeHead(503, { "content-type": "application/json" }).end(JSON.stringify(body));
      return;
    }
    const { method, headers, url = "" } = request;
    const on = ask(new URL(url, engine.url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(on);
  });
  before.listen(0, "127.0.0.1");
  await once(before, "listening");
  const env = { ENVM_URL: `http://127.0.0.1:${(before.address() as AddressInfo).port}` };
  const args = ["run", "-e", "dev", "--fallback", "why.envm", "--", "printenv", "COLOUR"];
  expect(await cli.run(args, { env })).toMatchObject({ code: 0, out: "red\n", err: "" });
  refusal = "The database is being moved.";
  const { code, out, err } = await cli.run(args, { env });
  expect({ code, out }).toEqual({ code: 0, out: "red\n" });
  expect(err).toMatch(/^! The database is being moved\. Going on with the copy of revision \d+ \(v[\d.]+\), which is \d+ s old\.$/m);
  // Where the copy does not open either, that comes second.
  const wrong = await cli.run(args, { env: { ...env, ENVM_TOKEN: "envm_0000000000000000_other" } });
  expect(wrong).toMatchObject({ code: 1, out: "", err: expect.stringMatching(/The database is being moved\. .*copy cannot be opened/) });
  before.close();
});

test("a program that is given more than the system passes on is one that cannot be run", async () => {
  const { ended, failure } = started({ command: "true", args: ["x".repeat(4_000_000)], env: {} });
  expect({ code: await ended, why: failure() }).toEqual({ code: 126, why: "E2BIG" });
});

test("a child gets its own value of what is inherited, whatever its case, and nothing that no system call takes", () => {
  const told: string[] = [];
  const env = childEnvironment(
    { path: "/x", A: "1", B: "a\0b", dyld_insert: "y" },
    { PATH: "/bin", A: "0" },
    { preserve: false, warn: (text) => told.push(text) },
  );
  expect(env).toEqual({ PATH: "/bin", A: "1", dyld_insert: "y" });
  expect(told).toHaveLength(3);
});

test("an environment does not choose where the token of whoever runs the program is sent", () => {
  const told: string[] = [];
  const run = (fetched: Readonly<Record<string, string>>, inherited: Readonly<Record<string, string>>, preserve = false) =>
    childEnvironment(fetched, inherited, { preserve, warn: (text) => told.push(text) });
  const mine = { ENVM_URL: "https://envm.example.com", ENVM_TOKEN: "mine" };
  expect(run({ ENVM_URL: "https://elsewhere.example.com" }, mine)).toEqual(mine);
  expect(told).toEqual([expect.stringContaining("ENVM_URL")]);
  const theirs = { ENVM_URL: "https://flags.example.com", ENVM_TOKEN: "theirs" };
  expect(run(theirs, mine)).toEqual(theirs);
  expect(run({ ENVM_URL: theirs.ENVM_URL }, {})).toEqual({ ENVM_URL: theirs.ENVM_URL });
  // With what is set here first, their address would meet a token of one's own.
  expect(run(theirs, { ENVM_TOKEN: "mine" }, true)).toEqual({ ENVM_TOKEN: "mine" });
  expect(told).toHaveLength(2);
});
