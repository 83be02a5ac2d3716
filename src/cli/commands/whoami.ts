import { does, leaf } from "../command.ts";
import { names } from "../telling.ts";
import { shown } from "../width.ts";

export const whoami = () =>
  does(
    leaf("whoami", { summary: "Who the token is, and what it may do", examples: ["envm whoami", "envm whoami --json"] }),
    async ({ client, output, settings }) => {
      const who = await client.getSession();
      if (output.mode === "json") return output.json(who);
      if (output.mode === "plain") return output.line(who.actor);
      output.line(
        `${shown(who.actor)} at ${settings.url}${settings.tokenFrom === null ? ", without a token" : `, by the token of ${settings.tokenFrom}`}`,
      );
      for (const grant of who.grants) output.line(`  ${grantLine(grant)}`);
    },
  );

interface Grant {
  readonly role: string;
  readonly projects: readonly string[];
  readonly envs: readonly string[];
  readonly rights: readonly string[];
}

/** One grant in words. */
export function grantLine({ role, projects, envs, rights }: Grant): string {
  const where = (list: readonly string[], all: string) => (list.includes("*") ? all : names(list));
  return `${[role, ...rights].map(shown).join(", ")} in ${where(envs, "all environments")} of ${where(projects, "all projects")}`;
}
