import { isObject } from "../../json.ts";
import { does, group, leaf } from "../command.ts";
import { parsedDocument } from "../documents.ts";
import { usage } from "../failure.ts";
import { readDocument } from "../values.ts";

const get = () =>
  does<{ readonly format?: string }>(
    leaf("get", {
      summary: "What the project demands of its promotions",
      aliases: ["show"],
      examples: ["envm policy get", "envm policy get --format json"],
    }).option("--format <format>", "yaml or json", "yaml"),
    async ({ client, output, project }, { format }) => {
      const reply = await client.getPolicy({ project });
      if (output.mode === "json") return output.json(reply);
      if (format !== "json" && format !== "yaml") throw usage(`There is no format ${format}.`, "Formats: yaml, json.");
      if (format === "json") return output.line(JSON.stringify(reply.policy, null, 2));
      const { stringify } = await import("../yaml.ts");
      return output.write(stringify(reply.policy));
    },
  );

const set = () =>
  does<{ readonly preset?: string }>(
    leaf("set", {
      summary: "Replace the policy by a file's, JSON or YAML",
      about: "What is wrong with it is told all at once, with the place of each fault, and changes nothing",
      examples: ["envm policy set policy.yaml", "envm policy set --preset team", "envm policy get | envm policy set -"],
    })
      .argument("[file]", "the file, or - for standard input")
      .option("--preset <name>", "solo, team or regulated"),
    async ({ client, output, project }, { preset }, file?: string) => {
      if ((file === undefined) === (preset === undefined))
        throw usage("Give a file or --preset.", "For example: envm policy set --preset team");
      const policy = file === undefined ? { preset } : await parsedDocument(await readDocument(file), file);
      if (!isObject(policy)) throw usage(`${file} holds no policy.`, "Write an object; {} demands nothing but complete config.");
      // Its faults are the engine's to name.
      const reply = await client.replacePolicy({ project, policy } as Parameters<typeof client.replacePolicy>[0]);
      if (output.mode === "json") return output.json(reply);
      if (reply.status === "no_changes") output.say(`The policy is in force already, as revision ${reply.revision}.`);
      else output.say(`The policy is in force, as revision ${reply.revision}.`, "good");
    },
  );

export const policy = () => group("policy", "What the project demands of its promotions", [], [get(), set()]);
