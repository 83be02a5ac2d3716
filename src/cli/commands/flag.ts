import { isObject } from "../../json.ts";
import { does, group, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { parsedDocument } from "../documents.ts";
import { usage } from "../failure.ts";
import { isStdout, writeWhole } from "../files.ts";
import { type Definition, switched } from "../flag-switch.ts";
import { counted } from "../telling.ts";
import { assignments, readDocument } from "../values.ts";
import { type ConfigChange, type Editing, missing, unset, written } from "./var.ts";

const list = () =>
  does(
    leaf("list", { summary: "The environment's flags", aliases: ["ls"], examples: ["envm flag list -e staging", "envm flag ls --json"] }),
    async (context) => {
      const { client, output, project } = context;
      const { flags, version, revision } = await client.getConfig({ project, env: await context.env() });
      if (output.mode === "json") return output.json({ version, revision, flags });
      const entries = Object.entries(flags as Readonly<Record<string, Definition>>).sort(([left], [right]) => (left < right ? -1 : 1));
      if (output.mode === "plain") return output.lines(entries.map(([name]) => name));
      output.table(
        ["FLAG", "STATE", "DEFAULT", "VARIANTS", "RULES"],
        entries.map(([name, { state = "", defaultVariant, variants = {}, targeting }]) => [
          name,
          state === "ENABLED" ? "on" : "off",
          defaultVariant ?? "(code's own)",
          Object.keys(variants).join(", "),
          targeting !== undefined && Object.keys(targeting).length > 0 ? "yes" : "",
        ]),
      );
    },
  );

const get = () =>
  does(
    leaf("get", { summary: "The definition of one flag", examples: ["envm flag get new-checkout"] }).argument("<name>", "the flag"),
    async (context, _options, name = "") => {
      const { client, output, project } = context;
      const env = await context.env();
      const { flags } = await client.getConfig({ project, env });
      if (!Object.hasOwn(flags, name)) throw missing("flag", name, env);
      return output.mode === "human" ? output.line(JSON.stringify(flags[name], null, 2)) : output.json(flags[name]);
    },
  );

const set = () =>
  does<Editing>(
    leaf("set", {
      summary: "Set flags",
      about:
        "on and off (true, false) make a boolean flag of a new name, and choose the default of a boolean flag that is there. Anything else is a flagd definition: as JSON, @FILE, or - for standard input, which is read too where a name stands alone",
      examples: [
        "envm flag set new-checkout=on beta=off -e staging",
        "envm flag set colour=@colour.flag.json",
        "echo true | envm flag set new-checkout=-",
      ],
    })
      .argument("<name=value...>", "what to set")
      .option("-m, --message <why>", "why")
      .option("--dry-run", "say what would change, and change nothing"),
    async (context, options, ...typed) => {
      const { client, project } = context;
      const pairs = await Promise.all(assignedFlags(context, typed));
      const { body, etag } = await client.answer("getConfig", { project, env: await context.env() });
      const present = body?.flags ?? {};
      const flags = pairs.map(
        ([name, value]) => [name, switched(Object.hasOwn(present, name) ? present[name] : undefined, value)] as const,
      );
      // What somebody does meanwhile to a flag that is switched is not taken back with it.
      const ifMatch = flags.some(([, value], index) => value !== pairs[index]?.[1]) ? etag : null;
      const change = { flags: Object.fromEntries(flags) as Readonly<Record<string, never>>, ...(ifMatch !== null && { ifMatch }) };
      return written(context, change, options);
    },
  );

function assignedFlags({ prompts }: Context, typed: readonly string[]): Promise<readonly [string, unknown]>[] {
  return assignments(typed).map(async ({ name, given }, _index, all): Promise<readonly [string, unknown]> => {
    // What is piped in is the value of the one that is named.
    if (given === null && (all.length > 1 || prompts.possible || process.stdin.isTTY))
      throw usage(`${name} does not say what the flag is to be.`, `For example: envm flag set ${name}=on`);
    return [name, await flagValue(name, given ?? "-")];
  });
}

const SWITCHES: Readonly<Record<string, boolean>> = { on: true, true: true, off: false, false: false };

async function flagValue(name: string, given: string): Promise<unknown> {
  const text = given === "-" || given.startsWith("@") ? (await readDocument(given)).trim() : given;
  if (Object.hasOwn(SWITCHES, text)) return SWITCHES[text];
  if (text === "") throw usage(`The value of ${name} is empty.`, `For example: envm flag set ${name}=on`);
  return parsedDocument(text, given.startsWith("@") ? given.slice(1) : `the definition of ${name}`);
}

const importFlags = () =>
  does<Editing>(
    leaf("import", {
      summary: "Set the flags of a file, in one revision",
      about:
        'A definition file of flagd ({"flags":{…},"$evaluators":{…},"metadata":{…}}), or an object of flags by name, in JSON or YAML. Flags that the file does not name stay',
      examples: ["envm flag import flags.json -e staging --dry-run", "envm flag import flags.json -m 'From the repository'"],
    })
      .argument("<file>", "the file, or - for standard input")
      .option("-m, --message <why>", "why")
      .option("--dry-run", "say what would change, and change nothing"),
    async (context, options, file = "") =>
      written(context, flagFile(await parsedDocument(await readDocument(file), file), file) as ConfigChange, options),
  );

function flagFile(content: unknown, file: string): Record<string, unknown> {
  const isFile = isObject(content) && (isObject(content["flags"]) || Array.isArray(content["flags"]));
  const { flags, $evaluators: evaluators, metadata }: Readonly<Record<string, unknown>> = isFile ? content : { flags: content };
  const byName = Array.isArray(flags) ? byKey(flags, file) : flags;
  if (!isObject(byName) || Object.keys(byName).length === 0)
    throw usage(`${file} holds no flags.`, 'Write {"flags":{"new-checkout":true}}.');
  return { flags: byName, ...(evaluators !== undefined && { evaluators }), ...(metadata !== undefined && { flag_metadata: metadata }) };
}

/** flagd's daemon also takes a list of flags that hold their own keys. */
function byKey(flags: readonly unknown[], file: string): Record<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [index, flag] of flags.entries()) {
    const { key, ...definition } = isObject(flag) ? flag : {};
    if (typeof key !== "string") throw usage(`${file}: flags[${index}] has no key.`, "Give each flag of a list its key.");
    if (found.has(key)) throw usage(`${file}: the key ${JSON.stringify(key)} is there twice.`, "Give each flag a key of its own.");
    found.set(key, definition);
  }
  return Object.fromEntries(found);
}

const exportFlags = () =>
  does<{ readonly output?: string }>(
    leaf("export", {
      summary: "The flags as a definition file that flagd reads",
      aliases: ["pull"],
      examples: ["envm flag export -e staging", "envm flag export -o flags-copy.json -e staging"],
    })
      .argument("[file]", "the same as -o")
      .option("-o, --output <file>", "the file to write, as a whole or not at all"),
    async (context, { output: named }, argument?: string) => {
      const { client, output, project } = context;
      const definitions = await client.getFlags({ project, env: await context.env() });
      const text = `${JSON.stringify(definitions, null, 2)}\n`;
      const file = named ?? argument;
      if (isStdout(file)) return output.flowing(text);
      await writeWhole(file, text);
      if (output.mode === "json") return output.json({ status: "exported", file });
      output.say(`Wrote ${counted(Object.keys(definitions.flags).length, "flag")} to ${file}.`, "good");
    },
  );

export const flag = () => group("flag", "Feature flags", ["flags"], [list(), get(), set(), unset("flag"), importFlags(), exportFlags()]);
