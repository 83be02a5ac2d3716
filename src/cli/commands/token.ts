import { BOUNDS } from "../bounds.ts";
import { collectNames, does, group, leaf } from "../command.ts";
import { limitOf, listed } from "../context.ts";
import { usage } from "../failure.ts";
import { moment, names } from "../telling.ts";
import { grantLine } from "./whoami.ts";

interface Creating {
  readonly role: string;
  readonly projects?: string[];
  readonly envs?: string[];
  readonly reveal?: boolean;
  readonly expires?: string;
}

const ROLES = ["client", "reader", "editor", "promoter", "engine", "admin"] as const;

const create = () =>
  does<Creating>(
    leaf("create", {
      summary: "Make a token, which is shown this once",
      about: "It lives 90 days where --expires does not say otherwise",
      examples: [
        "envm token create ci-deploy --role promoter --envs staging,production --expires 30d",
        "envm token create app --role reader --envs staging --reveal --plain",
      ],
    })
      .argument("<name>", "who uses it: what the audit log names")
      .requiredOption("--role <role>", ROLES.join(", "))
      .option("--projects <patterns>", "projects, separated by commas; the one that is set where not given", collectNames)
      .option("--envs <patterns>", "environments, separated by commas; the one of -e where not given, and all without it", collectNames)
      .option("--reveal", "it may reveal secrets")
      .option("--expires <duration>", "how long it is taken: 12h, 30d; never for no end"),
    async (context, { role, projects, envs, reveal, expires }, name = "") => {
      const { client, output } = context;
      const known = ROLES.find((each) => each === role);
      if (known === undefined) throw usage(`There is no role ${role}.`, `Roles: ${ROLES.join(", ")}.`);
      // Who types -e means that environment alone. What `.envm.json` or the shell names is where work is done, and says nothing of a token.
      const reached = envs ?? (context.options.env === undefined ? undefined : [await context.resolve(context.options.env)]);
      const made = await client.createToken({
        name,
        role: known,
        projects: projects ?? [context.project],
        ...(reached !== undefined && { envs: reached }),
        ...(reveal && { rights: ["secrets:reveal" as const] }),
        ...(expires !== undefined && { expires_in: expires === "never" ? null : expires }),
      });
      if (output.mode === "json") return output.json(made);
      output.note(
        `${made.name} (${made.id}): ${grantLine(made)}, until ${made.expires_at === null ? "it is revoked" : moment(made.expires_at)}`,
      );
      if (output.mode === "human") output.note("Keep it now: it is not shown again.");
      return output.line(made.token);
    },
  );

const list = () =>
  does<{ readonly limit?: string }>(
    leaf("list", { summary: "Tokens, without themselves", aliases: ["ls"], examples: ["envm token list", "envm token ls --json"] }).option(
      "--limit <n>",
      "how many at most",
      String(BOUNDS.listed),
    ),
    async ({ client, output }, { limit }) => {
      const most = limitOf(limit);
      output.list(await listed(client.listTokens, {}, most), most, {
        plain: ({ id }) => id,
        headings: ["ID", "NAME", "ROLE", "PROJECTS", "ENVIRONMENTS", "STATUS", "ENDS", "LAST USED"],
        row: (item) => [
          item.id,
          item.name,
          [item.role, ...item.rights].join(", "),
          names(item.projects),
          names(item.envs),
          item.status,
          moment(item.expires_at) || "never",
          moment(item.last_used_at),
        ],
      });
    },
  );

const revoke = () =>
  does(
    leaf("revoke", { summary: "End a token at once", aliases: ["rm", "delete"], examples: ["envm token revoke $TOKEN_ID -y"] }).argument(
      "<id>",
      "its id: the part between the underscores",
    ),
    async (context, _options, id = "") => {
      const { client, output } = context;
      if (context.prompts.possible) await context.confirm(`End token ${id}? Whoever uses it is refused from then on.`);
      const reply = await client.revokeToken({ id });
      if (output.mode === "json") return output.json(reply);
      output.say(`Token ${reply.id} is not taken any more.`, "good");
    },
  );

const rotate = () =>
  does<{ readonly overlap?: string }>(
    leaf("rotate", { summary: "Replace a token by a new one of the same rights", examples: ["envm token rotate $TOKEN_ID --overlap 24h"] })
      .argument("<id>", "its id")
      .option("--overlap <duration>", "how long the token before is still taken: an hour where not given, 0s to end it now"),
    async ({ client, output }, { overlap }, id = "") => {
      const made = await client.rotateToken({ id, ...(overlap !== undefined && { overlap }) });
      if (output.mode === "json") return output.json(made);
      output.note(`${made.name} (${made.id}) has a new token; the one before is taken until ${moment(made.previous_until) || "now"}.`);
      return output.line(made.token);
    },
  );

export const token = () => group("token", "Tokens: who may do what", ["tokens"], [create(), list(), revoke(), rotate()]);
