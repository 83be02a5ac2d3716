import { BOUNDS } from "../bounds.ts";
import { does, leaf } from "../command.ts";
import { limitOf, listed } from "../context.ts";
import { moment } from "../telling.ts";
import { showOutcome } from "./promote.ts";

export const approve = () =>
  does<{ readonly message?: string; readonly limit?: string }>(
    leaf("approve", {
      summary: "Approve a promotion that waits; without an id, list those that do",
      about: "The last approval that was missing applies it",
      examples: ["envm approve", "envm approve $PROMOTION -m 'Looks right'"],
    })
      .argument("[promotion]", "its id")
      .option("-m, --message <why>", "why")
      .option("--limit <n>", "how many are listed at most", String(BOUNDS.listed)),
    async (context, { message, limit }, id?: string) => {
      const { client, output, project } = context;
      if (id === undefined) {
        const most = limitOf(limit);
        return output.list(await listed(client.listPromotions, { project, status: "pending" as const }, most), most, {
          plain: (item) => item.id,
          headings: ["PROMOTION", "VERSION", "FROM", "TO", "ASKED BY", "SINCE", "MISSING", "WHY"],
          row: (item) => [
            item.id,
            item.version,
            item.source_env,
            item.target_env,
            item.requested_by,
            moment(item.requested_at),
            String(item.missing),
            item.message ?? "",
          ],
        });
      }
      const reply = await client.approvePromotion({ id, project_id: project, ...(message !== undefined && { comment: message }) });
      if (output.mode === "json") output.json(reply);
      return showOutcome(context, reply);
    },
  );

export const reject = () =>
  does<{ readonly message?: string }>(
    leaf("reject", { summary: "Turn a promotion that waits down", examples: ["envm reject $PROMOTION -m 'Not before the holidays'"] })
      .argument("<promotion>", "its id")
      .option("-m, --message <why>", "why"),
    async ({ client, output, project }, { message }, id = "") => {
      const reply = await client.rejectPromotion({ id, project_id: project, ...(message !== undefined && { comment: message }) });
      if (output.mode === "json") return output.json(reply);
      output.say(`${reply.version} for ${reply.environment} is rejected.`, "good");
    },
  );
