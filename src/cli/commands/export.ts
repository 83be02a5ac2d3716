import { does, leaf } from "../command.ts";
import { usage } from "../failure.ts";
import { isStdout, writeWhole } from "../files.ts";
import { FORMATS, type Format, formatted } from "../formats.ts";
import { counted } from "../telling.ts";
import { fetchVariables } from "../variables.ts";

interface Exporting {
  readonly format?: string;
  readonly output?: string;
  readonly secrets?: boolean;
  readonly showValues?: boolean;
  readonly at?: string;
}

export const exportCommand = () =>
  does<Exporting>(
    leaf("export", {
      summary: "Print an environment's variables, or write them to a file",
      about:
        "Vars alone; secrets too with --secrets, where the token may reveal them. A file is written as a whole or not at all, and nobody else may read it",
      aliases: ["pull", "download"],
      examples: ["envm export -e staging", "envm export --format json -o staging.json", "envm pull .env -e dev --secrets -y"],
    })
      .argument("[file]", "the same as -o")
      .option("--format <format>", `${FORMATS.join(", ")}; dotenv where not given, json with --json`)
      .option("-o, --output <file>", "the file to write")
      .option("--secrets", "secrets too")
      .option("--show-values", "the same as --secrets"),
    async (context, { format: typed, output: named, secrets, showValues }, argument?: string) => {
      const { output } = context;
      const file = named ?? argument;
      const format = typed ?? (output.mode === "json" && isStdout(file) ? "json" : "dotenv");
      if (!FORMATS.includes(format as Format)) throw usage(`There is no format ${format}.`, `Formats: ${FORMATS.join(", ")}.`);
      const { vars, secrets: found, left } = await fetchVariables(context, { secrets: secrets || showValues ? "needed" : "none" });
      const text = await formatted(format as Format, { ...vars, ...found });
      if (left.length > 0) output.note(`${counted(left.length, "secret")} left out: --secrets exports them too.`);
      if (isStdout(file)) return output.flowing(text);
      await writeWhole(file, text, { mode: 0o600 });
      const count = Object.keys(vars).length + Object.keys(found).length;
      if (output.mode === "json") return output.json({ status: "exported", file, count });
      output.say(`Wrote ${counted(count, "variable")} to ${file}.`, "good");
    },
  );
