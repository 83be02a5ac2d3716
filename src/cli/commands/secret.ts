import { does, group, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { usage } from "../failure.ts";
import { assignments, readValues } from "../values.ts";
import { type Editing, unset, written } from "./var.ts";

const list = () =>
  does<{ readonly showValues?: boolean }>(
    leaf("list", {
      summary: "Which secrets are set",
      aliases: ["ls"],
      examples: ["envm secret list -e staging", "envm secret ls --plain"],
    }).option("--show-values", "their values too: the same as envm secret reveal"),
    async (context, { showValues }) => {
      if (showValues) return revealed(context, []);
      const { client, output, project } = context;
      const { secrets, version, revision } = await client.getConfig({ project, env: await context.env() });
      if (output.mode === "json") return output.json({ version, revision, secrets });
      const found = Object.keys(secrets).sort();
      if (output.mode === "plain") return output.lines(found.map((name) => name));
      output.table(
        ["SECRET", "VALUE"],
        found.map((name) => [name, "set"]),
      );
    },
  );

const LIKE_A_NAME = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;

const set = () =>
  does<Editing>(
    leaf("set", {
      summary: "Set secrets",
      about:
        "The value is asked for without being shown, or read from standard input (-) or from a file (@FILE). NAME=VALUE works too, and stays in your shell's history",
      examples: [
        "envm secret set API_KEY -e staging",
        "cat key.txt | envm secret set API_KEY=-",
        "envm secret set API_KEY=@key.txt TLS_KEY=@tls.pem -m 'Rotated'",
      ],
    })
      .argument("<name...>", "NAME, NAME=- or NAME=@FILE")
      .option("-m, --message <why>", "why")
      .option("--dry-run", "say what would change, and change nothing"),
    async (context, options, ...typed) => {
      // `NAME VALUE` is taken too: what may be either is not shown, and nothing is made of it.
      if (typed.length === 2 && !typed[0]?.includes("=") && LIKE_A_NAME.test(typed[1] ?? ""))
        throw usage(
          `Whether what follows ${typed[0]} is its value or the name of another secret is not clear.`,
          `Write ${typed[0]}=VALUE, or set one secret at a time.`,
        );
      const secrets = await readValues(assignments(typed), { prompts: context.prompts, hidden: true });
      return written(context, { secrets }, options);
    },
  );

const reveal = () =>
  does<{ readonly at?: string }>(
    leaf("reveal", {
      summary: "Show the values of secrets; the audit log keeps who looked",
      aliases: ["get"],
      examples: ["envm secret reveal API_KEY -e staging", "envm secret reveal API_KEY --plain", "envm secret reveal --json"],
    }).argument("[name...]", "which; all where none is named"),
    (context, _options, ...wanted) => revealed(context, wanted),
  );

async function revealed(context: Context, wanted: readonly string[]): Promise<void> {
  const { client, output, project } = context;
  const reply = await client.revealSecrets({ project, env: await context.env(), ...(wanted.length > 0 && { names: [...wanted] }) });
  if (output.mode === "json") return output.json(reply);
  const entries = Object.entries(reply.secrets);
  if (output.mode === "plain" || wanted.length === 1)
    return output.lines(entries.map(([name, value]) => (wanted.length === 1 ? value : `${name}=${value}`)));
  output.table(["SECRET", "VALUE"], entries);
}

export const secret = () => group("secret", "Secrets", ["secrets"], [list(), set(), unset("secret"), reveal()]);
