import type { Command } from "commander";
import { collect, does, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { usage } from "../failure.ts";
import { counted, names } from "../telling.ts";
import { readDocument } from "../values.ts";
import type { ImportingGit } from "./import-git.ts";

interface Importing {
  readonly dryRun?: boolean;
  readonly empty?: boolean;
  readonly skipEmpty?: boolean;
  readonly message?: string;
}

/** What a file of variables does to an environment, by name. */
interface ImportPlan {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
  /** Which of those are kept as secrets. */
  readonly secrets: readonly string[];
}

/** `envm import` and `envm var import`. */
export const importVariables = (): Command =>
  does<Importing>(
    variableOptions(
      leaf("import", {
        summary: "Set the variables of a .env file, after showing what that does",
        about: ABOUT,
        examples: ["envm var import .env -e staging --dry-run", "envm var import .env -e staging -y -m 'From .env'"],
      }).argument("<file>", "the file, or - for standard input"),
    ),
    (context, options, file = "") => importFile(context, options, file),
  );

export const importCommand = (): Command =>
  does<Importing & Partial<ImportingGit>>(
    variableOptions(
      leaf("import", {
        summary: "Set the variables of a .env file, or bring in a repository with its history",
        about: `${ABOUT}. With --git, a repository that has a branch or a folder for each environment becomes a project: one revision for each commit and environment that it changed. What is there already is left out, so that the same command goes on where it was stopped`,
        examples: [
          "envm import .env -e staging --dry-run",
          "envm import .env -e staging -y -m 'From .env'",
          "envm import --git platform-repo --env-from branches -p pf-imported -y",
          "envm import --git platform-repo --path deploy --env-from folders -p pf-folders --map qa=quality --dry-run",
        ],
      }).argument("[file]", "the file, or - for standard input"),
    )
      .option("--git <repository>", "a repository to bring in: a folder, or with --env-from folders an address that git can fetch from")
      .option("--path <folder>", "the folder in it that holds the environments, or each branch's platform/ and config/")
      .option("--env-from <what>", "branches or folders: what is an environment there")
      .option("--branch <branch>", "with --env-from folders, the branch; what is checked out where not given")
      .option("--map <name=env>", "gives a branch or folder another name here", collect),
    async (context, options, file) => {
      const { git } = options;
      if (git === undefined) {
        if (file === undefined)
          throw usage("There is nothing to import.", "Name a .env file (- is standard input), or a repository: --git.");
        return importFile(context, options, file);
      }
      if (file !== undefined) throw usage("A file and --git do not go together.", "Leave one out.");
      const { importRepository } = await import("./import-git.ts");
      return importRepository(context, { ...options, git });
    },
  );

const ABOUT =
  "Reads files as the dotenv package does: quotes, several lines, comments, export. What is kept as a secret goes by its name, as everywhere; the engine says it. What the file does not name stays";

function variableOptions(command: Command): Command {
  return command
    .option("--dry-run", "show the plan, and change nothing")
    .option("--empty", "empty values are meant")
    .option("--skip-empty", "leave out what is empty")
    .option("-m, --message <why>", "why");
}

async function importFile(context: Context, options: Importing, file: string): Promise<unknown> {
  const { client, output, project } = context;
  const env = await context.env();
  const variables = await readVariables(context, file, options);
  const request = { project, env, env_variables: variables, ...(options.message !== undefined && { message: options.message }) };
  const present = await client.answer("getConfig", { project, env });
  if (present.body === null) throw new Error("the engine answered a read without a tag with 304");
  const ifMatch = present.etag ?? undefined;
  // The rule of what is a secret is the engine's, as is what is a secret there already: it is asked, and not copied.
  const planned = await client.patchConfig({ ...request, ifMatch, dry_run: true });
  const plan = importPlan(variables, planned.stored?.secrets ?? [], present.body);
  showPlan(context, plan, env);
  if (options.dryRun || (plan.added.length === 0 && plan.changed.length === 0)) {
    if (output.mode === "json") output.json({ ...planned, plan });
    output.say("Nothing was changed.");
    return EXIT.ok;
  }
  if (context.prompts.possible) await context.confirm(`Set them in ${env}?`);
  await context.confirmProduction(env, `${env} is production.`);
  const reply = await client.patchConfig({ ...request, ifMatch });
  if (output.mode === "json") return output.json({ ...reply, plan });
  return output.say(
    reply.status === "no_changes" ? `Nothing changes in ${env}.` : `${env} is ${reply.version}, revision ${reply.revision}.`,
    "good",
  );
}

async function readVariables(context: Context, file: string, { empty, skipEmpty }: Importing): Promise<Record<string, string>> {
  const { readDotenv } = await import("../dotenv-file.ts");
  const path = file === "-" ? "standard input" : file;
  const { values, repeated } = readDotenv(await readDocument(file), path);
  for (const [name, lines] of repeated) context.output.warn(`${path} gives ${name} in the lines ${lines.join(", ")}: the last one counts.`);
  const blank = [...values].filter(([, value]) => value === "").map(([name]) => name);
  if (blank.length > 0 && !empty && !skipEmpty) {
    throw usage(
      `${path} gives no value for ${names(blank)}.`,
      "Add the values, or say --skip-empty to leave them out, or --empty where empty ones are meant.",
    );
  }
  const taken = Object.fromEntries([...values].filter(([, value]) => value !== "" || !skipEmpty));
  if (Object.keys(taken).length === 0) throw usage(`${path} holds no variables.`, "Write NAME=VALUE, a line for each.");
  return taken;
}

interface Present {
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, unknown>>;
}

/** A secret that is set already counts as changed: nobody is told whether its value is another. */
function importPlan(variables: Readonly<Record<string, string>>, secrets: readonly string[], present: Present): ImportPlan {
  const secret = new Set(secrets);
  const isThere = (name: string) => Object.hasOwn(present.vars, name) || Object.hasOwn(present.secrets, name);
  const isSame = (name: string) => !secret.has(name) && Object.hasOwn(present.vars, name) && present.vars[name] === variables[name];
  const all = Object.keys(variables).sort();
  return {
    added: all.filter((name) => !isThere(name)),
    changed: all.filter((name) => isThere(name) && !isSame(name)),
    unchanged: all.filter((name) => isThere(name) && isSame(name)),
    secrets: all.filter((name) => secret.has(name)),
  };
}

function showPlan({ output }: Context, { added, changed, unchanged, secrets }: ImportPlan, env: string): void {
  const kind = (name: string) => (secrets.includes(name) ? `${name} (secret)` : name);
  const tell = output.mode === "human" ? (text: string) => output.say(text) : () => undefined;
  tell(`Into ${env}:`);
  for (const name of added) tell(output.paint(`  + ${kind(name)}`, "good"));
  for (const name of changed) tell(output.paint(`  ~ ${kind(name)}`, "warn"));
  tell(`  ${added.length} added, ${changed.length} changed, ${unchanged.length} the same; ${counted(secrets.length, "secret")} by name`);
}
