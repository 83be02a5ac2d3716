import { does, leaf } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { diffLines } from "../telling.ts";

interface RollingBack {
  readonly message?: string;
  readonly dryRun?: boolean;
  readonly keepSecrets?: boolean;
}

export const rollback = () =>
  does<RollingBack>(
    leaf("rollback", {
      summary: "Take an environment back: platform and config together",
      about:
        "To a version (or the beginning of one), a revision or a moment. Shows first what changes, and is refused where the environment changed since. It becomes a new revision, and holds automatic promotions until `envm resume`",
      examples: ["envm rollback production 2 --dry-run", "envm rollback production v0.1 -y -m 'Checkout fails'"],
    })
      .argument("<env>", "the environment")
      .argument("<to>", "version, revision or moment")
      .option("--keep-secrets", "keep today's secret where the old value is gone from the vault")
      .option("--dry-run", "show what would change, and change nothing")
      .option("-m, --message <why>", "why"),
    async (context, { message, dryRun, keepSecrets }, name = "", to = "") => {
      const { client, output, project } = context;
      const env = await context.resolve(name);
      const request = {
        project_id: project,
        env,
        to: /^\d+$/.test(to) ? Number(to) : to,
        ...(keepSecrets && { secrets: "keep_current" as const }),
        ...(message !== undefined && { message }),
      };
      const plan = await client.rollback({ ...request, dry_run: true });
      if (dryRun && output.mode === "json") return output.json(plan);
      output.say(`${env} would return to revision ${plan.restored_revision} (${plan.version}):`);
      for (const line of diffLines(plan.diff_from_previous)) output.say(`  ${line}`);
      if (dryRun) {
        output.say("Nothing was changed.");
        return EXIT.ok;
      }
      if (plan.status !== "no_changes") await context.confirmProduction(env, `This changes ${env}.`, { grave: true });
      // What was shown is what is done: neither what the version or moment may mean by now, nor to what somebody changed since.
      const reply = await client.rollback({ ...request, to: plan.restored_revision, plan_id: plan.plan_id, confirm: env });
      if (output.mode === "json") return output.json(reply);
      if (reply.status === "no_changes") output.say(`Nothing changes in ${env}.`);
      else
        output.say(
          `${env} is ${reply.version} again, as revision ${reply.revision}. It is held: envm resume ${env} lets automatic promotions in again.`,
          "good",
        );
    },
  );
