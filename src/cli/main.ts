#!/usr/bin/env node
import { CommanderError } from "commander";
import { described } from "./command.ts";
import { EXIT } from "./exit-codes.ts";
import { usage } from "./failure.ts";
import { Output } from "./output.ts";
import { createProgram, typedVerb } from "./program.ts";

/** Carries out what was typed. Answers how the process ends. */
async function main(words: readonly string[]): Promise<number> {
  if (words[0] === "__complete") return complete(words.slice(1));
  const program = await createProgram(typedVerb(words));
  try {
    await program.parseAsync(words, { from: "user" });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for, and the version, are no errors; help in the place of a command that is missing is.
    if (error.exitCode === 0) return EXIT.ok;
    if (words.slice(0, words.includes("--") ? words.indexOf("--") : words.length).includes("--json")) tellPrograms(error);
    return EXIT.usage;
  }
}

/** What commander has told a person, as every other error is told to a program. */
function tellPrograms({ code, message }: CommanderError): void {
  const reason = code === "commander.help" ? "A command is missing." : message.replace(/^error: /, "");
  new Output({ json: true }).json(described(usage(reason, "--help shows what it takes.")).body);
}

/** What shells ask for: `envm __complete [--described|--tabbed] -- words…` */
async function complete(words: readonly string[]): Promise<number> {
  const { completed } = await import("./commands/complete.ts");
  const at = words.indexOf("--");
  const candidates = await completed(await createProgram(), words.slice(at + 1));
  const described = words.slice(0, at).includes("--described");
  const tabbed = words.slice(0, at).includes("--tabbed");
  for (const { word, about } of candidates) {
    const text = described ? `${word.replaceAll(":", "\\:")}:${about}` : tabbed ? `${word}\t${about}` : word;
    process.stdout.write(`${text}\n`);
  }
  return EXIT.ok;
}

process.stdout.on("error", () => {});
process.exit(await main(process.argv.slice(2)));
