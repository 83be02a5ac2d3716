import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CLI_COMMAND, CLI_PAGE, withCommands } from "../../scripts/cli-doc.ts";
import { packageRoot } from "../../src/package.ts";
import { setScene, writeExampleFiles } from "../cli/scene.ts";
import { ENVM, PROJECT, ROOT_TOKEN, useCli } from "../cli/support.ts";
import { layOutPackage } from "../support/package.ts";
import { blocks, read, section } from "./support.ts";

test("the commands, options, examples and exit codes of docs/cli.md are those of envm", async () => {
  const page = read(CLI_PAGE);
  expect(page, `${CLI_PAGE} is not what envm says: run \`${CLI_COMMAND}\` and commit the page`).toBe(await withCommands(page));
});

describe("the README's example", () => {
  const context = useCli();
  const line = "envm run -e staging -- node examples/node-app/app.js";
  const shell = (typed: string, env: Readonly<Record<string, string>> = {}) => context.cli.shell(`unset ENVM_PROJECT; ${typed}`, { env });

  /** The repository as it is after `npm run build`, as far as the program needs it. */
  beforeAll(() => {
    const { cli } = context;
    layOutPackage(cli.folder);
    cpSync(join(packageRoot(), "examples/node-app"), join(cli.folder, "examples/node-app"), { recursive: true });
  });

  test("works line by line, and the program finds the variables of staging", async () => {
    const { engine, cli } = context;
    await setScene(engine, PROJECT, "usual");
    writeExampleFiles(cli, ROOT_TOKEN);
    mkdirSync(join(cli.home, "bin"));
    symlinkSync(ENVM, join(cli.home, "bin", "envm"));
    const [example = ""] = blocks(section(read("README.md"), "## From the shell"), "sh");
    const lines = example.trim().split("\n");
    expect(lines.at(-1)).toContain(line);
    const outputs: string[] = [];
    for (const typed of lines) {
      const { code, out, err } = await shell(typed);
      expect({ typed, code, err }).toMatchObject({ typed, code: 0 });
      outputs.push(out);
    }
    expect(outputs.at(-1)).toBe("The new checkout, at https://staging.example.com\n");
    expect(outputs.find((output) => output.includes("they differ"))).toBeDefined();
    expect(read("examples/node-app/README.md")).toContain(line);
  });

  test("has a program that follows the flag, says what it lacks, and goes on without the engine", async () => {
    expect(await shell("envm flag set new-checkout=off -e staging")).toMatchObject({ code: 0 });
    expect(await shell(line)).toMatchObject({ code: 0, out: "The old checkout, at https://staging.example.com\n", err: "" });
    expect(await shell("node examples/node-app/app.js")).toMatchObject({ code: 1, err: expect.stringContaining(line) });
    const away = { API_URL: "https://here.example.com", ENVM_TOKEN: "envm_none" };
    const alone = await shell("node examples/node-app/app.js", away);
    expect(alone).toMatchObject({ code: 0, out: "The old checkout, at https://here.example.com\n" });
    expect(alone.err).toContain("Flags are what the program says: The token is not valid");
    expect(alone.err).not.toContain("envm_none");
  });
});
