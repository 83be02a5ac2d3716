import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ENVM, PROJECT, useCli } from "./support.ts";

const context = useCli();
const has = (shell: string) => spawnSync(shell, ["--version"]).status === 0;
const missing = (shell: string) => (has(shell) ? "" : ` (skipped: there is no ${shell})`);

beforeAll(async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development", "--set", "API_URL=x", "--set", "API_KEY=k"]);
  await cli.ok(["env", "create", "staging"]);
  await cli.ok(["flag", "set", "new-checkout=on", "-e", "development"]);
  mkdirSync(join(cli.home, "bin"));
  symlinkSync(ENVM, join(cli.home, "bin", "envm"));
});

/** What bash offers at the end of a line, as its own completion makes it. */
async function offered(line: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const words = line.split(" ");
  const script = `eval "$(envm completion bash)"; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _envm; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { code, out, err } = await context.cli.shell(script, { env });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out.split("\n").filter(Boolean);
}

describe.skipIf(!has("bash"))(`bash offers${missing("bash")}`, () => {
  test("commands and their members", async () => {
    expect(await offered("envm pro")).toEqual(["promote"]);
    expect(await offered("envm env ")).toEqual(["list", "show", "create", "archive", "restore"]);
    expect(await offered("envm completion ")).toEqual(["bash", "zsh", "fish"]);
    expect(await offered("envm ")).not.toContain("__complete");
  });

  test("options and their values", async () => {
    expect(await offered("envm promote --for")).toEqual(["--force", "--force-check"]);
    expect(await offered("envm export --format ")).toEqual(["dotenv", "json", "yaml", "shell", "docker"]);
    expect(await offered("envm token create x --role pro")).toEqual(["promoter"]);
  });

  test("names of environments, vars, secrets, flags and projects, as the engine has them", async () => {
    expect(await offered("envm promote ")).toEqual(["development", "staging"]);
    expect(await offered("envm promote development st")).toEqual(["staging"]);
    expect(await offered("envm var list -e dev")).toEqual(["development"]);
    expect(await offered("envm var list --env=dev")).toEqual(["--env=development"]);
    expect(await offered("envm var get -e development ")).toEqual(["API_URL"]);
    expect(await offered("envm secret unset -e dev ")).toEqual(["API_KEY"]);
    expect(await offered("envm flag set ", { ENVM_ENV: "development" })).toEqual(["new-checkout="]);
    expect(await offered("envm env list -p pf")).toEqual([PROJECT]);
  });

  test("nothing, and no error, where the engine is away or the token is none", async () => {
    expect(await offered("envm promote ", { ENVM_URL: "http://127.0.0.1:1" })).toEqual([]);
    expect(await offered("envm promote ", { ENVM_TOKEN: "wrong" })).toEqual([]);
  });
});

test.skipIf(!has("zsh"))(`zsh takes its script${missing("zsh")}`, async () => {
  expect(
    await context.cli.shell(
      'envm completion zsh > c.zsh && zsh -n c.zsh && zsh -fc "autoload -U compinit; compinit -u; source ./c.zsh; whence _envm"',
    ),
  ).toMatchObject({ code: 0 });
});

test.skipIf(!has("fish"))(`fish takes its script and offers commands${missing("fish")}`, async () => {
  const { code, out } = await context.cli.shell(
    `envm completion fish > c.fish && fish --no-config -c "source c.fish; complete -C 'envm pro'"`,
  );
  expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("promote") });
});

test("words that come with their meaning, for zsh and fish", async () => {
  const { cli } = context;
  expect(await cli.ok(["__complete", "--described", "--", "roll"])).toBe(
    "rollback:Take an environment back: platform and config together\n",
  );
  expect(await cli.ok(["__complete", "--tabbed", "--", "promote", "st"])).toBe("staging\tstaging v0.1.0\n");
});
