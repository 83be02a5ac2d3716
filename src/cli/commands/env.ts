import { BOUNDS } from "../bounds.ts";
import { collect, does, group, leaf } from "../command.ts";
import { type Context, limitOf, listed } from "../context.ts";
import { counted, moment, names } from "../telling.ts";
import { assignments, readValues } from "../values.ts";
import { shown } from "../width.ts";

const list = () =>
  does<{ readonly limit?: string; readonly archived?: boolean }>(
    leaf("list", { summary: "The project's environments", aliases: ["ls"], examples: ["envm env list", "envm env ls --json"] }).option(
      "--limit <n>",
      "how many at most",
      String(BOUNDS.listed),
    ),
    async ({ client, output, project }, { limit }) => {
      const most = limitOf(limit);
      output.list(await listed(client.listEnvironments, { project }, most), most, {
        plain: ({ env }) => env,
        headings: ["ENVIRONMENT", "TYPE", "VERSION", "REV", "STATUS", "SYNC", "CONFIG", "CHANGED"],
        row: (item) => [
          item.env,
          item.type,
          item.version,
          String(item.revision),
          item.hold === null ? item.status : `${item.status}, held`,
          item.sync_status,
          item.config_complete ? "complete" : `${item.unbound.length} missing`,
          moment(item.updated_at),
        ],
      });
    },
  );

const show = () =>
  does(
    leaf("show", {
      summary: "One environment: its head and where it stands",
      examples: ["envm env show staging", "envm env show prod --json"],
    }).argument("[env]", "the environment"),
    async (context, _options, name?: string) => {
      const { client, output, project } = context;
      const view = await client.getEnvironment({ project, env: await named(context, name) });
      if (output.mode === "json") return output.json(view);
      if (output.mode === "plain") return output.line(`${view.env}\t${view.type}\t${view.status}\t${view.version}\t${view.revision}`);
      const rows: readonly (readonly [string, string | null])[] = [
        ["environment", `${view.env} (${view.type}${view.protected ? ", protected" : ""})`],
        ["status", view.status],
        ["version", `${view.version}, revision ${view.revision}`],
        ["changed", `${moment(view.updated_at)} by ${view.updated_by}`],
        ["deployed", view.deployed === null ? null : `${view.deployed.version} at ${moment(view.deployed.at)}`],
        ["sync", view.sync_status],
        ["hold", view.hold === null ? null : `${view.hold.reason} (by ${view.hold.by}, ${moment(view.hold.at)})`],
        ["missing", view.unbound.length === 0 ? null : names(view.unbound)],
        ["ends", view.expires_at === null ? null : moment(view.expires_at)],
        ["made from", view.base_from],
        ["url", view.url],
      ];
      for (const [label, text] of rows) if (text !== null) output.line(`${output.paint(label.padEnd(12), "dim")} ${shown(text)}`);
    },
  );

interface Creating {
  readonly from?: string;
  readonly type?: "development" | "staging" | "production" | "preview" | "custom";
  readonly set?: string[];
  readonly secrets?: "copy" | "empty";
  readonly version?: string;
  readonly message?: string;
  readonly empty?: boolean;
}

const create = () =>
  does<Creating>(
    leaf("create", {
      summary: "Create an environment",
      about: "From another one (--from) with its version and config, or empty. The first environment makes the project",
      examples: [
        "envm env create development",
        "envm env create staging --from development --set API_URL=https://staging.example.com",
        "envm env create qa --from staging --secrets empty --type custom",
      ],
    })
      .argument("<name>", "the new environment")
      .option("--from <env>", "the environment that it starts from")
      .option("--type <type>", "development, staging, production, preview or custom; guessed from the name where not given")
      .option("--set <name=value>", "a variable of its own; secret by its name (- and @FILE as in `envm var set`)", collect)
      .option("--secrets <how>", "copy or empty: whether the base's secrets are copied")
      .option("--version <version>", "starts from this version of the base")
      .option("-m, --message <why>", "why")
      .option("--empty", "empty values are meant"),
    async (context, options, name = "") => {
      const { client, output, project, prompts } = context;
      const values = await readValues(assignments(options.set ?? []), { prompts, empty: options.empty ?? false, hidden: true });
      const made = await client.createEnvironment({
        project_id: project,
        new_environment: name,
        ...(options.from !== undefined && { base_from: await context.resolve(options.from) }),
        ...(options.type !== undefined && { type: options.type }),
        ...(options.secrets !== undefined && { secrets: options.secrets }),
        ...(options.version !== undefined && { version: options.version }),
        ...(options.message !== undefined && { message: options.message }),
        env_variables: values,
      });
      if (output.mode === "json") return output.json(made);
      output.say(`${made.env} is there, with ${made.linked_version}.`, "good");
      output.say(`  at ${shown(made.url)}`);
      if (made.stored.vars.length > 0) output.say(`  vars: ${names(made.stored.vars)}`);
      if (made.stored.secrets.length > 0) output.say(`  secrets: ${names(made.stored.secrets)}`);
      if (made.secrets_unbound.length > 0) {
        output.say(`  ${counted(made.secrets_unbound.length, "secret")} still to be set: ${names(made.secrets_unbound)}`, "warn");
        output.say(`  next: envm secret set ${shown(made.secrets_unbound[0] ?? "")} -e ${made.env}`);
      }
    },
  );

const archive = () =>
  does<{ readonly message?: string }>(
    leaf("archive", {
      summary: "Put an environment away; it can be brought back",
      aliases: ["rm", "delete"],
      examples: ["envm env archive qa -y"],
    })
      .argument("<env>", "the environment")
      .option("-m, --message <why>", "why"),
    async (context, { message }, name = "") => {
      const { client, output, project } = context;
      const env = await context.resolve(name);
      await context.confirmProduction(env, `${env} is production.`, { grave: true });
      const reply = await client.archiveEnvironment({ project_id: project, env, ...(message !== undefined && { reason: message }) });
      if (output.mode === "json") return output.json(reply);
      output.say(`${env} is archived. envm env restore ${env} brings it back.`, "good");
    },
  );

const restore = () =>
  does<{ readonly message?: string }>(
    leaf("restore", { summary: "Bring an archived or expired environment back", examples: ["envm env restore qa"] })
      .argument("<env>", "the environment")
      .option("-m, --message <why>", "why"),
    async (context, { message }, name = "") => {
      const { client, output, project } = context;
      const env = await context.resolve(name);
      const reply = await client.restoreEnvironment({ project_id: project, env, ...(message !== undefined && { reason: message }) });
      if (output.mode === "json") return output.json(reply);
      output.say(`${env} is back, with ${reply.version} as revision ${reply.revision}.`, "good");
    },
  );

/** The environment that is an argument, or the one that is set. */
export function named(context: Context, name: string | undefined): Promise<string> {
  return name === undefined ? context.env() : context.resolve(name);
}

export const env = () =>
  group("env", "Environments", ["envs", "environment", "environments"], [list(), show(), create(), archive(), restore()]);
