import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { beforeAll, describe, expect, test } from "vitest";
import { examplesOf } from "../../src/cli/command.ts";
import { createProgram, everyCommand } from "../../src/cli/program.ts";
import { type SceneKind, setScene, writeExampleFiles } from "./scene.ts";
import { ENVM, PROJECT, ROOT_TOKEN, useCli } from "./support.ts";

const program = await createProgram();
const leaves = everyCommand(program).filter((command) => command.commands.length === 0 && command !== program);
const pathOf = (command: Command): string => (command.parent === null ? "" : `${pathOf(command.parent)} ${command.name()}`.trim());

const context = useCli();

/** What is there before the examples of a command; the usual project where not named. */
const SCENES: Readonly<Record<string, SceneKind>> = {
  "env create": "empty",
  "env restore": "archived",
  resume: "held",
  approve: "waiting",
  reject: "waiting",
  "git mirror show": "mirrored",
  "git mirror remove": "mirrored",
  "git source show": "following",
  "git source remove": "following",
};

/** Exit codes besides 0 that an example may end with. */
const CODES: Readonly<Record<string, readonly number[]>> = { diff: [1] };

/** Run elsewhere, since they do not end by themselves. */
const ELSEWHERE: Readonly<Record<string, string>> = { serve: "package.test.ts" };

beforeAll(() => {
  const { cli } = context;
  writeExampleFiles(cli, ROOT_TOKEN);
  mkdirSync(join(cli.home, "bin"));
  symlinkSync(ENVM, join(cli.home, "bin", "envm"));
});

test("every command has a summary and an example", () => {
  expect(leaves.length).toBeGreaterThan(50);
  expect(leaves.filter((leaf) => leaf.summary() === "" || examplesOf(leaf).length === 0).map(pathOf)).toEqual([]);
  expect(everyCommand(program).filter((command) => command.summary() === "" && command !== program)).toEqual([]);
});

test("what gathers commands shows examples of theirs", () => {
  const known = new Set(leaves.flatMap(examplesOf));
  for (const group of everyCommand(program).filter((command) => !leaves.includes(command))) {
    expect(examplesOf(group).length).toBeGreaterThan(0);
    for (const example of examplesOf(group)) expect(known).toContain(example);
  }
});

test("every option and argument says what it is for", () => {
  const silent = everyCommand(program).flatMap((command) => [
    ...command.options.filter(({ description }) => description === "").map(({ flags }) => `${pathOf(command)} ${flags}`),
    ...command.registeredArguments
      .filter(({ description }) => description === "")
      .map((argument) => `${pathOf(command)} ${argument.name()}`),
  ]);
  expect(silent).toEqual([]);
});

describe("the examples that the help shows work:", () => {
  test.each(leaves.filter((leaf) => !Object.hasOwn(ELSEWHERE, pathOf(leaf))).map((leaf) => [pathOf(leaf), leaf] as const))(
    "envm %s",
    async (path, leaf) => {
      const { engine, cli } = context;
      const project = `${PROJECT}-${path.replaceAll(" ", "-")}`;
      const { variables } = await setScene(engine, project, SCENES[path] ?? "usual");
      const env = { ENVM_PROJECT: project, ENVM_ENV: "staging", ...variables };
      for (const example of examplesOf(leaf)) {
        // A login's tokens go where it says; what is asked for comes from standard input.
        const line = example.replace("http://127.0.0.1:4006", engine.url).replaceAll("-p pf-777", `-p ${project}`);
        const { code, out, err } = await cli.shell(line, {
          env: path === "login" ? { ...env, ENVM_TOKEN: "" } : env,
          input: `${ROOT_TOKEN}\n`,
        });
        expect({ example, code, out, err }).toMatchObject({
          code: expect.toSatisfy((ended) => [0, ...(CODES[path] ?? [])].includes(ended)),
        });
      }
    },
  );
});
