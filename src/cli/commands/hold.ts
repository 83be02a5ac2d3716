import { does, leaf } from "../command.ts";
import { named } from "./env.ts";

export const hold = () =>
  does<{ readonly message?: string }>(
    leaf("hold", {
      summary: "Keep automatic promotions out of an environment",
      examples: ["envm hold staging -m 'Until the incident is understood'"],
    })
      .argument("[env]", "the environment")
      .option("-m, --message <why>", "why"),
    async (context, { message }, name?: string) => {
      const { client, output, project } = context;
      const reply = await client.holdEnvironment({
        project_id: project,
        env: await named(context, name),
        ...(message !== undefined && { reason: message }),
      });
      if (output.mode === "json") return output.json(reply);
      output.say(`${reply.env} is held. envm resume ${reply.env} lets automatic promotions in again.`, "good");
    },
  );

export const resume = () =>
  does<{ readonly message?: string }>(
    leaf("resume", { summary: "Let automatic promotions into an environment again", examples: ["envm resume staging"] })
      .argument("[env]", "the environment")
      .option("-m, --message <why>", "why"),
    async (context, { message }, name?: string) => {
      const { client, output, project } = context;
      const reply = await client.resumeEnvironment({
        project_id: project,
        env: await named(context, name),
        ...(message !== undefined && { reason: message }),
      });
      if (output.mode === "json") return output.json(reply);
      output.say(`${reply.env} takes automatic promotions again.`, "good");
    },
  );
