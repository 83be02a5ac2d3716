import { does, group, leaf } from "../command.ts";
import { usage } from "../failure.ts";
import { moment, oldestOf } from "../telling.ts";
import { readDocument, readValue } from "../values.ts";
import { shown } from "../width.ts";

export const cloneUrl = () =>
  does(
    leaf("clone-url", {
      summary: "The address that git clones the project from",
      about: "Git asks for a name and a password: any name, and a token that may read as the password",
      examples: ["envm git clone-url -p pf-777", "envm git clone-url --plain -p pf-777"],
    }),
    async (context) => {
      const url = `${context.settings.url.replace(/\/+$/, "")}/git/${context.project}`;
      if (context.output.mode === "json") return context.output.json({ project_id: context.project, url });
      context.output.line(url);
    },
  );

interface Setting {
  readonly username?: string;
  readonly sshKey?: string;
  readonly hostKeys?: string;
}

const set = () =>
  does<Setting>(
    leaf("set", {
      summary: "Push the project to a repository elsewhere",
      about:
        "By https, the token is asked for without being shown, or read from standard input. By ssh, --ssh-key is a file with a private key, and --host-keys one with what ssh-keyscan prints",
      examples: [
        "envm git mirror set https://git.example.com/team/platform.git -p pf-777",
        "envm git mirror set git@git.example.com:team/platform.git --ssh-key mirror_key --host-keys known_hosts",
      ],
    })
      .argument("<address>", "https://… or ssh://…")
      .option("--username <name>", "whose the token is, where the host wants to know")
      .option("--ssh-key <file>", "a private key without a passphrase")
      .option("--host-keys <file>", "the host's public keys, as ssh-keyscan prints them"),
    async ({ client, output, project, prompts }, { username, sshKey, hostKeys }, url: string) => {
      if (sshKey !== undefined && hostKeys === undefined) {
        throw usage("By ssh, the host is known by its keys.", "Add --host-keys FILE: ssh-keyscan HOST prints them.");
      }
      const credential =
        sshKey === undefined
          ? url.startsWith("file:")
            ? {}
            : { token: await readValue("the token", null, { prompts, hidden: true }) }
          : { ssh_key: await readDocument(sshKey), host_keys: keysIn(await readDocument(hostKeys ?? "-")) };
      const reply = await client.setMirror({ project, url, ...(username !== undefined && { username }), ...credential });
      if (output.mode === "json") return output.json(reply);
      output.say(`${project} is pushed to ${shown(reply.url)} from now on; envm git mirror show tells how far it has come.`, "good");
    },
  );

const show = () =>
  does(
    leaf("show", {
      summary: "Where the project is pushed, and how far that has come",
      examples: ["envm git mirror show", "envm git mirror show --json"],
    }),
    async ({ client, output, project }) => {
      const mirror = await client.getMirror({ project });
      const { items } = await client.listSinks({ project });
      const status = items.find(({ name }) => name === "git");
      if (output.mode === "json") return output.json({ ...mirror, status });
      output.line(`${shown(mirror.url)}, set by ${shown(mirror.updated_by)} at ${moment(mirror.updated_at)}`);
      if (status === undefined) return;
      const left =
        status.backlog === 0
          ? "has everything"
          : `has not had the newest ${status.backlog} of ${status.head} records${oldestOf(status.backlog_since)}`;
      output.line(`${status.state}: ${left}`);
      if (status.last_error !== null) output.line(`last error, at ${moment(status.last_error.at)}: ${shown(status.last_error.reason)}`);
    },
  );

const remove = () =>
  does(
    leaf("remove", { summary: "Push the project nowhere any more", aliases: ["rm"], examples: ["envm git mirror remove -y"] }),
    async (context) => {
      const { client, output, project } = context;
      await context.confirm(`This ends the mirror of ${project}; what was pushed stays where it is.`);
      const reply = await client.removeMirror({ project });
      if (output.mode === "json") return output.json(reply);
      output.say(`${project} is pushed nowhere any more.`, "good");
    },
  );

/** Lines of `ssh-keyscan`, with or without the name at their beginning. */
function keysIn(text: string): string[] {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => line.replace(/^\S+ (?=(ssh-|ecdsa-|sk-)\S+ )/, ""));
}

export const mirror = () => group("mirror", "Where the project is pushed", [], [set(), show(), remove()]);
