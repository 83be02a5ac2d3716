import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { examplesOf } from "../src/cli/command.ts";
import { EXIT, EXIT_OF } from "../src/cli/exit-codes.ts";
import { createProgram, everyCommand } from "../src/cli/program.ts";
import { packageRoot } from "../src/package.ts";
import { runCommand, say } from "./command.ts";

/** `npx tsx scripts/cli-doc.ts`: writes the parts of `docs/cli.md` that the command line itself says. */

export const CLI_PAGE = "docs/cli.md";
export const CLI_COMMAND = "npx tsx scripts/cli-doc.ts";

/** The page with its parts as they should be. What is not between `<!-- name: … -->` and `<!-- end -->` stays. */
export async function withCommands(page: string): Promise<string> {
  return withPart(withPart(page, "exit codes", exitCodes()), "commands", commands(await createProgram()));
}

function withPart(page: string, name: string, part: string): string {
  const begin = page.indexOf("\n", page.indexOf(`\n<!-- ${name}: `) + 1);
  const end = page.indexOf("\n<!-- end -->\n", begin);
  if (!page.includes(`\n<!-- ${name}: `) || end < 0) throw new Error(`${CLI_PAGE} has no place for "${name}".`);
  return `${page.slice(0, begin)}\n\n${part}\n${page.slice(end)}`;
}

const MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "it is done",
  failed: "something went wrong; or, of `diff`, the sides differ, and of `audit verify` and `doctor`, something is not as it should be",
  usage: "what was typed, or sent, is not valid; nothing was changed",
  access: "no valid token, or one that may not do that",
  missing: "what was named does not exist, or may not be seen",
  conflict: "it does not go together with what is there",
  policy: "the project's rules refuse it, or it waits for somebody's approval",
};

function exitCodes(): string {
  const rows = Object.entries(EXIT).map(([name, exit]) => {
    const codes = Object.entries(EXIT_OF).flatMap(([code, of]) => (of === exit ? [quoted(code)] : []));
    return `| ${exit} | ${MEANINGS[name as keyof typeof EXIT]} | ${codes.join(" ")} |`;
  });
  return ["| exit code | means | error codes of the engine |", "| --- | --- | --- |", ...rows].join("\n");
}

function commands(program: Command): string {
  const leaves = everyCommand(program).filter((command) => command !== program && command.commands.length === 0);
  return leaves.map(chapter).join("\n\n");
}

function chapter(command: Command): string {
  const aliases =
    command.aliases().length === 0
      ? ""
      : ` Also ${command
          .aliases()
          .map((alias) => quoted(alias))
          .join(", ")}.`;
  const told = command.options.filter(({ helpGroupHeading }) => helpGroupHeading === undefined);
  const options = told.map(
    ({ flags, description }) => `| ${quoted(flags.replaceAll("|", "\\|"))} | ${description.replaceAll("|", "\\|")} |`,
  );
  return [
    `### ${quoted(pathOf(command))}`,
    "",
    `${command.description()}.${aliases}`,
    ...(options.length === 0 ? [] : ["", "| option | |", "| --- | --- |", ...options]),
    "",
    "```sh",
    ...examplesOf(command),
    "```",
  ].join("\n");
}

/** `envm promote <source> <target>` */
function pathOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  const args = command.registeredArguments.map((argument) => {
    const name = argument.name() + (argument.variadic ? "..." : "");
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return [...names, ...args].join(" ");
}

function quoted(text: string): string {
  return `\`${text}\``;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runCommand(async () => {
    const path = join(packageRoot(), CLI_PAGE);
    writeFileSync(path, await withCommands(readFileSync(path, "utf8")));
    say(`${CLI_PAGE} is up to date.`);
  });
}
