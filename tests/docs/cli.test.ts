import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CLI_COMMAND, CLI_PAGE, withCommands } from "../../scripts/cli-doc.ts";
import { setScene, writeExampleFiles } from "../cli/scene.ts";
import { PROJECT, ROOT_TOKEN, useCli } from "../cli/support.ts";
import { blocks, read, section } from "./support.ts";

test("the commands, options, examples and exit codes of docs/cli.md are those of envm", async () => {
  const page = read(CLI_PAGE);
  expect(page, `${CLI_PAGE} is not what envm says: run \`${CLI_COMMAND}\` and commit the page`).toBe(await withCommands(page));
});

describe("the README's example", () => {
  const context = useCli();

  test("works line by line, and the program finds the variables of staging", async () => {
    const { engine, cli } = context;
    await setScene(engine, PROJECT, "usual");
    writeExampleFiles(cli, ROOT_TOKEN);
    mkdirSync(join(cli.home, "bin"));
    symlinkSync(cli.main, join(cli.home, "bin", "envm"));
    const [example = ""] = blocks(section(read("README.md"), "## From the shell"), "sh");
    const lines = example.trim().split("\n");
    expect(lines.at(-1)).toContain("envm run -e staging -- node app.js");
    const outputs: string[] = [];
    for (const line of lines) {
      const { code, out, err } = await cli.shell(line, { env: { ENVM_PROJECT: "" } });
      expect({ line, code, err }).toMatchObject({ line, code: 0 });
      outputs.push(out);
    }
    expect(outputs.at(-1)).toBe("https://staging.example.com\n");
    expect(outputs.at(-2)).toContain("they differ");
  });
});
