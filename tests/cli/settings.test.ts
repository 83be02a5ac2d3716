import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { PROJECT, ROOT_TOKEN, useCli } from "./support.ts";

const context = useCli();
const loginFile = () => join(context.cli.home, "envm", "logins.json");

beforeAll(async () => {
  const { cli } = context;
  for (const [project, env] of [
    [PROJECT, "development"],
    [PROJECT, "staging"],
    ["other", "development"],
  ] as const) {
    await cli.ok(["env", "create", env, "-p", project, "--set", `WHERE=${project}/${env}`]);
  }
  mkdirSync(join(cli.folder, "deep/er"), { recursive: true });
});

test("what is typed wins over the environment, that over the nearest .envm.json, and that over nothing", async () => {
  const { cli } = context;
  const where = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    cli.ok(["var", "get", "WHERE", ...args], { cwd: join(cli.folder, "deep/er"), env: { ENVM_PROJECT: "", ...env } });
  writeFileSync(join(cli.folder, ".envm.json"), JSON.stringify({ project: "other", env: "development" }));
  expect(await where([])).toBe("other/development\n");
  writeFileSync(join(cli.folder, "deep/.envm.json"), JSON.stringify({ project: PROJECT, env: "staging" }));
  expect(await where([])).toBe(`${PROJECT}/staging\n`);
  expect(await where([], { ENVM_ENV: "development" })).toBe(`${PROJECT}/development\n`);
  expect(await where(["-p", "other", "-e", "dev"], { ENVM_PROJECT: "nowhere", ENVM_ENV: "nowhere" })).toBe("other/development\n");
  // Options of the whole may stand before the command too.
  expect(await cli.ok(["-p", "other", "-e", "dev", "var", "get", "WHERE"])).toBe("other/development\n");
});

test.each([
  ["a token", { project: "p", token: "x" }],
  ["an address", { project: "p", url: "http://evil.example" }],
  ["a name that is none", { project: 7 }],
])(".envm.json that holds %s is refused: others write to the repository that it lies in", async (_, content) => {
  const { cli } = context;
  const cwd = join(cli.folder, "deep");
  writeFileSync(join(cwd, ".envm.json"), JSON.stringify(content));
  expect(await cli.run(["env", "list"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining(".envm.json") });
  writeFileSync(join(cwd, ".envm.json"), '{"project": "p",');
  expect(await cli.run(["env", "list"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("is not a JSON object") });
  rmSync(join(cwd, ".envm.json"));
});

test("a login is tried before it is kept, in a file that nobody else may read, and is sent to its own address alone", async () => {
  const { cli, engine } = context;
  const env = { ENVM_TOKEN: "", ENVM_URL: engine.url };
  const refused = await cli.run(["login"], { env, input: "envm_0000000000000000_wrong\n" });
  expect(refused).toMatchObject({ code: 3, err: expect.stringContaining("Look whether it was copied whole") });
  expect(refused.err).not.toContain("envm login");
  expect(existsSync(loginFile())).toBe(false);

  const { out, err } = await cli.run(["login"], { env, input: `${ROOT_TOKEN}\n` });
  expect(out).toContain("as root");
  expect(out + err).not.toContain(ROOT_TOKEN);
  expect(statSync(loginFile()).mode & 0o777).toBe(0o600);
  expect(statSync(join(cli.home, "envm")).mode & 0o777).toBe(0o700);
  // From then on neither an address nor a token has to be named.
  expect(await cli.ok(["whoami", "--plain"], { env: { ENVM_TOKEN: "", ENVM_URL: "" } })).toBe("root\n");
  // Another address of the same engine is another address: it gets no token.
  const elsewhere = engine.url.replace("127.0.0.1", "localhost");
  expect(await cli.run(["whoami"], { env: { ENVM_TOKEN: "", ENVM_URL: elsewhere } })).toMatchObject({ code: 3 });

  chmodSync(loginFile(), 0o644);
  await cli.ok(["login"], { env, input: ROOT_TOKEN });
  expect(statSync(loginFile()).mode & 0o777).toBe(0o600);
  await cli.ok(["logout"], { env });
  expect(readFileSync(loginFile(), "utf8")).not.toContain(ROOT_TOKEN);
  expect(await cli.run(["whoami"], { env })).toMatchObject({ code: 3, err: expect.stringContaining("envm login") });
});

test("a token may come from a file or from standard input, so that no list of processes shows it", async () => {
  const { cli } = context;
  const env = { ENVM_TOKEN: "" };
  cli.file("token", `${ROOT_TOKEN}\n`);
  expect(await cli.ok(["whoami", "--plain", "--token", "@token"], { env })).toBe("root\n");
  expect(await cli.ok(["whoami", "--plain", "--token", "-"], { env, input: `${ROOT_TOKEN}\n` })).toBe("root\n");
});

test("dev, stage and prod are the usual environments, where none has that very name", async () => {
  const { cli } = context;
  expect(await cli.ok(["var", "get", "WHERE", "-e", "stage"])).toBe(`${PROJECT}/staging\n`);
  expect(await cli.ok(["doctor", "-e", "stage"])).toContain("✓ environment: staging is v");
  await cli.ok(["env", "create", "dev", "--set", "WHERE=dev itself"]);
  expect(await cli.ok(["var", "get", "WHERE", "-e", "dev"])).toBe("dev itself\n");
  expect(await cli.json(["diff", "dev@1", "stage"]).catch(() => null)).toBeNull();
  expect(JSON.parse((await cli.run(["diff", "dev@1", "stage", "--json"])).out)).toMatchObject({
    left: { env: "dev" },
    right: { env: "staging" },
  });
  expect(await cli.run(["env", "show", "prod"])).toMatchObject({ code: 4, err: expect.stringContaining('"production"') });
});

test("init writes .envm.json and does not replace one unasked", async () => {
  const { cli } = context;
  const cwd = join(cli.folder, "deep/er");
  await cli.ok(["init", "-p", "other", "-e", "development"], { cwd });
  expect(JSON.parse(readFileSync(join(cwd, ".envm.json"), "utf8"))).toEqual({ project: "other", env: "development" });
  expect(await cli.run(["init", "-p", PROJECT, "-e", "staging"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("-y") });
  await cli.ok(["init", "-p", PROJECT, "-e", "staging", "-y"], { cwd });
  expect(JSON.parse(readFileSync(join(cwd, ".envm.json"), "utf8"))).toEqual({ project: PROJECT, env: "staging" });
});

test("an address that is none is refused before anything is sent", async () => {
  for (const url of ["nonsense", "ftp://a", "http://user:secret@a", "http://a?x=1"]) {
    const { code, err } = await context.cli.run(["whoami"], { env: { ENVM_URL: url } });
    expect({ url, code }).toEqual({ url, code: 2 });
    expect(err).not.toContain("secret");
  }
});
