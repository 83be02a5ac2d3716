import { existsSync } from "node:fs";
import { join } from "node:path";
import { BOUNDS } from "../bounds.ts";
import { does, leaf } from "../command.ts";
import { type Context, listed } from "../context.ts";
import { usage } from "../failure.ts";
import { PROJECT_FILE, writeProjectFile } from "../settings.ts";

export const init = () =>
  does(
    leaf("init", {
      summary: `Write ${PROJECT_FILE}, which names the project and environment of a folder`,
      about: "It holds no token and no address, so it belongs into the repository",
      examples: ["envm init -p pf-777 -e development", "envm init -y"],
    }),
    async (context) => {
      const { output } = context;
      const path = join(process.cwd(), PROJECT_FILE);
      const project = context.options.project ?? (await chosenProject(context));
      const env = context.options.env ?? (await chosenEnvironment(context, project));
      if (existsSync(path)) await context.confirm(`${PROJECT_FILE} is there already. Replace it?`);
      const content = { project, ...(env !== "" && { env }) };
      await writeProjectFile(path, content);
      if (output.mode === "json") output.json(content);
      output.say(`Wrote ${path}: project ${project}${env === "" ? "" : `, environment ${env}`}.`, "good");
    },
  );

async function chosenProject(context: Context): Promise<string> {
  const { items } = await listed(context.client.listProjects, {}, BOUNDS.listed);
  const known = items.map(({ project_id }) => project_id);
  const only = context.settings.project ?? (known.length === 1 ? known[0] : undefined);
  if (!context.prompts.possible && only !== undefined) return only;
  if (known.length > 0 && context.prompts.possible) context.output.note(`Projects: ${known.join(", ")}`);
  const project = await context.prompts.text("Project", { preset: only ?? "", otherwise: "Name it: envm init -p PROJECT." });
  if (project === "") throw usage("No project is named.", "Name it: envm init -p PROJECT.");
  return project;
}

/** Nobody has to choose one: it can be named with each command. */
async function chosenEnvironment(context: Context, project: string): Promise<string> {
  if (!context.prompts.possible) return "";
  const { items } = await listed(context.client.listEnvironments, { project }, BOUNDS.listed);
  context.output.note(`Environments: ${items.map(({ env }) => env).join(", ")}`);
  return context.prompts.text("Environment (none: named with each command)", { otherwise: "Name it: envm init -e ENV." });
}
