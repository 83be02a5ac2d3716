import { BOUNDS } from "../bounds.ts";
import { does, leaf } from "../command.ts";
import { listed, noteMore, wholeNumber } from "../context.ts";
import type { Output } from "../output.ts";
import { moment } from "../telling.ts";
import { named } from "./env.ts";

interface Entry {
  readonly env: string;
  readonly revision: number;
  readonly version: string;
  readonly action: string;
  readonly created_by: string;
  readonly timestamp: string;
  readonly message: string | null;
}

export const versions = () =>
  does<{ readonly limit?: string }>(
    leaf("versions", { summary: "The project's versions, newest first", examples: ["envm versions", "envm versions --limit 5 --json"] })
      .argument("[version]", "one alone")
      .option("--limit <n>", "how many at most", String(BOUNDS.listed)),
    async ({ client, output, project }, { limit }, version?: string) => {
      if (version !== undefined) {
        const entry = await client.getVersion({ project, version });
        if (output.mode === "json") return output.json(entry);
        return showEntries(output, [entry], true);
      }
      const most = wholeNumber("--limit", limit, BOUNDS.listed, BOUNDS.listedMax);
      const page = await listed(client.listVersions, { project }, most);
      if (output.mode === "json") return output.json(page);
      showEntries(output, page.items, true);
      noteMore(output, page, most);
    },
  );

export const history = () =>
  does<{ readonly limit?: string }>(
    leaf("history", {
      summary: "The version log of an environment: who, when, why; newest first",
      aliases: ["log"],
      examples: ["envm history staging", "envm log prod --limit 10"],
    })
      .argument("[env]", "the environment")
      .option("--limit <n>", "how many at most", String(BOUNDS.listed)),
    async (context, { limit }, name?: string) => {
      const { client, output, project } = context;
      const env = await named(context, name);
      const most = wholeNumber("--limit", limit, BOUNDS.listed, BOUNDS.listedMax);
      const page = await listed(client.listRevisions, { project, env }, most);
      if (output.mode === "json") return output.json(page);
      showEntries(output, page.items, false);
      noteMore(output, page, most);
    },
  );

function showEntries(output: Output, entries: readonly Entry[], withEnvironment: boolean): void {
  if (output.mode === "plain") {
    output.lines(entries.map(({ revision, version }) => (withEnvironment ? version : `${revision}\t${version}`)));
    return;
  }
  output.table(
    [...(withEnvironment ? ["VERSION", "ENVIRONMENT", "REV"] : ["REV", "VERSION"]), "ACTION", "BY", "WHEN", "WHY"],
    entries.map(({ env, revision, version, action, created_by, timestamp, message }) => [
      ...(withEnvironment ? [version, env, String(revision)] : [String(revision), version]),
      action,
      created_by,
      moment(timestamp),
      message ?? "",
    ]),
  );
}
