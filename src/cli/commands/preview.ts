import { BOUNDS } from "../bounds.ts";
import { collect, does, group, leaf } from "../command.ts";
import { limitOf, listed } from "../context.ts";
import { moment } from "../telling.ts";
import { assignments, readValues } from "../values.ts";
import { shown } from "../width.ts";

interface Creating {
  readonly from: string;
  readonly ttl?: string;
  readonly until?: string;
  readonly ref?: string;
  readonly set?: string[];
  readonly message?: string;
}

const create = () =>
  does<Creating>(
    leaf("create", {
      summary: "Create a preview, or bring the one of that name up to date",
      examples: ["envm preview create pr-142 --from staging --ttl 72h --ref https://git.example.com/pulls/142"],
    })
      .argument("<name>", "the preview")
      .requiredOption("--from <env>", "the environment that it starts from")
      .option("--ttl <duration>", "how long it lives: 1h, 72h, 7d")
      .option("--until <time>", "or until when, ISO 8601")
      .option("--ref <text>", "the pull request or ticket that it is for")
      .option("--set <name=value>", "a variable of its own; secret by its name", collect)
      .option("-m, --message <why>", "why"),
    async (context, { from, ttl, until, ref, set = [], message }, name = "") => {
      const { client, output, project, prompts } = context;
      const env_variables = await readValues(assignments(set), { prompts, hidden: true });
      const made = await client.createEnvironment({
        project_id: project,
        new_environment: name,
        base_from: await context.resolve(from),
        type: "preview",
        env_variables,
        ...(ttl !== undefined && { expires_in: ttl }),
        ...(until !== undefined && { expires_at: until }),
        ...(ref !== undefined && { source_ref: ref }),
        ...(message !== undefined && { message }),
      });
      if (output.mode === "json") return output.json(made);
      if (output.mode === "plain") return output.line(made.url);
      output.say(
        `${made.env} is ${made.status === "env_updated" ? "up to date" : "there"} with ${made.linked_version}, until ${moment(made.expires_at)} UTC.`,
        "good",
      );
      output.say(`  at ${shown(made.url)}`);
      if (made.warning !== undefined) output.warn(made.warning);
    },
  );

const extend = () =>
  does<{ readonly ttl?: string; readonly until?: string; readonly message?: string }>(
    leaf("extend", { summary: "Let a preview live longer", examples: ["envm preview extend pr-142 --ttl 24h"] })
      .argument("<name>", "the preview")
      .option("--ttl <duration>", "how long from now on: 1h, 72h, 7d")
      .option("--until <time>", "or until when, ISO 8601")
      .option("-m, --message <why>", "why"),
    async ({ client, output, project }, { ttl, until, message }, env = "") => {
      const reply = await client.extendEnvironment({
        project_id: project,
        env,
        ...(ttl !== undefined && { expires_in: ttl }),
        ...(until !== undefined && { expires_at: until }),
        ...(message !== undefined && { reason: message }),
      });
      if (output.mode === "json") return output.json(reply);
      output.say(`${reply.env} lives until ${moment(reply.expires_at)} UTC.`, "good");
    },
  );

const list = () =>
  does<{ readonly limit?: string }>(
    leaf("list", { summary: "The project's previews", aliases: ["ls"], examples: ["envm preview list"] }).option(
      "--limit <n>",
      "environments looked at, at most",
      String(BOUNDS.page),
    ),
    async ({ client, output, project }, { limit }) => {
      const most = limitOf(limit, BOUNDS.page);
      const page = await listed(client.listEnvironments, { project }, most);
      output.list({ ...page, items: page.items.filter(({ type }) => type === "preview") }, most, {
        plain: ({ env }) => env,
        headings: ["PREVIEW", "STATUS", "VERSION", "FROM", "ENDS", "FOR", "URL"],
        row: (item) => [
          item.env,
          item.status,
          item.version,
          item.base_from ?? "",
          moment(item.expires_at),
          item.source_ref ?? "",
          item.url,
        ],
      });
    },
  );

export const preview = () => group("preview", "Previews: environments that end by themselves", ["previews"], [create(), extend(), list()]);
