import { does, group, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { names } from "../telling.ts";
import { assignments, readValues } from "../values.ts";
import { importVariables } from "./import.ts";

export interface Editing {
  readonly message?: string;
  readonly dryRun?: boolean;
}

const list = () =>
  does<{ readonly showValues?: boolean }>(
    leaf("list", {
      summary: "The environment's vars, their values masked",
      aliases: ["ls"],
      examples: ["envm var list -e staging", "envm var ls --show-values", "envm var list --json"],
    }).option("--show-values", "show the values"),
    async (context, { showValues }) => {
      const { client, output, project } = context;
      const { vars, version, revision } = await client.getConfig({ project, env: await context.env() });
      if (output.mode === "json") return output.json({ version, revision, vars });
      const entries = Object.entries(vars).sort(([left], [right]) => (left < right ? -1 : 1));
      if (output.mode === "plain") return output.lines(entries.map(([name, value]) => (showValues ? `${name}=${value}` : name)));
      output.table(
        ["VAR", "VALUE"],
        entries.map(([name, value]) => [name, showValues ? value : "••••••••"]),
      );
      if (!showValues && entries.length > 0) output.note("--show-values shows them.");
    },
  );

const get = () =>
  does(
    leaf("get", { summary: "The value of one var", examples: ["envm var get API_URL", "envm var get API_URL --plain"] }).argument(
      "<name>",
      "the var",
    ),
    async (context, _options, name = "") => {
      const { client, output, project } = context;
      const env = await context.env();
      const { vars, secrets } = await client.getConfig({ project, env });
      const value = Object.hasOwn(vars, name) ? vars[name] : undefined;
      if (value === undefined)
        throw missing("var", name, env, Object.hasOwn(secrets, name) ? `It is a secret: envm secret reveal ${name}.` : "");
      if (output.mode === "json") return output.json({ [name]: value });
      return output.line(value);
    },
  );

export function missing(kind: "var" | "secret" | "flag", name: string, env: string, fix = ""): Failure {
  return new Failure(EXIT.missing, "key_not_found", `${env} has no ${kind} ${name}.`, fix || `envm ${kind} list -e ${env} lists them.`);
}

const set = () =>
  does<Editing & { readonly empty?: boolean }>(
    leaf("set", {
      summary: "Set vars",
      about:
        "Values may be typed, read from standard input (-) or from a file (@FILE), or asked for where none is given. A var that the environment keeps as a secret is refused: secrets are set with `envm secret set`",
      examples: [
        "envm var set API_URL=https://staging.example.com REGION=eu -e staging -m 'New region'",
        "echo eu | envm var set REGION=-",
        "envm var set MOTD=@motd.txt",
        "envm var set NOTE= --empty",
      ],
    })
      .argument("<name=value...>", "what to set")
      .option("--empty", "an empty value is meant")
      .option("-m, --message <why>", "why")
      .option("--dry-run", "say what would change, and change nothing"),
    async (context, { message, dryRun, empty = false }, ...typed) => {
      const vars = await readValues(assignments(typed), { prompts: context.prompts, empty, hidden: true });
      return written(context, { vars }, { message, dryRun });
    },
  );

export const unset = (kind: "var" | "secret" | "flag") =>
  does<Editing>(
    leaf("unset", {
      summary: `Remove ${kind}s`,
      aliases: ["rm", "delete"],
      examples: [`envm ${kind} unset ${{ var: "OLD_URL", secret: "OLD_KEY", flag: "old-checkout" }[kind]} -e staging`],
    })
      .argument("<name...>", "what to remove")
      .option("-m, --message <why>", "why")
      .option("--dry-run", "say what would change, and change nothing"),
    async (context, { message, dryRun }, ...typed) => {
      const { client, project } = context;
      const env = await context.env();
      const config: Readonly<Record<string, object>> = { ...(await client.getConfig({ project, env })) } as never;
      const gone = typed.find((name) => !Object.hasOwn(config[`${kind}s`] ?? {}, name));
      if (gone !== undefined) throw missing(kind, gone, env);
      return written(context, { unset: typed.map((name) => `${kind}s/${name}`) }, { message, dryRun, grave: true });
    },
  );

export interface ConfigChange {
  readonly vars?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, never>>;
  readonly unset?: readonly string[];
  /** The tag of the config that it rests on. */
  readonly ifMatch?: string;
}

/** One write of config, all or nothing. What it says names what changed and shows no value. */
export async function written(
  context: Context,
  change: ConfigChange,
  {
    message,
    dryRun = false,
    grave = false,
  }: { readonly message?: string | undefined; readonly dryRun?: boolean | undefined; readonly grave?: boolean },
): Promise<void> {
  const { client, output, project } = context;
  const env = await context.env();
  if (!dryRun) await context.confirmProduction(env, `${env} is production.`, { grave });
  const reply = await client.patchConfig({
    project,
    env,
    ...change,
    ...(message !== undefined && { message }),
    ...(dryRun && { dry_run: true }),
  });
  if (output.mode === "json") output.json(reply);
  const changed = names([...reply.changes.env_vars_changed, ...reply.changes.feature_flags]);
  if (reply.status === "no_changes" || (reply.status === "planned" && changed === "")) output.say(`Nothing changes in ${env}.`);
  else if (reply.status === "planned") output.say(`Would change in ${env}: ${changed}. Nothing was changed.`);
  else output.say(`${env} is ${reply.version}, revision ${reply.revision}. Changed: ${changed}.`, "good");
}

export const vars = () => group("var", "Vars", ["vars"], [list(), get(), set(), unset("var"), importVariables()]);
