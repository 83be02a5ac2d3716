import { BOUNDS } from "../bounds.ts";
import { does, leaf } from "../command.ts";
import { limitOf, listed } from "../context.ts";
import type { Listing } from "../output.ts";
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
        return output.list({ items: [entry], next_cursor: null }, 1, OF_PROJECT);
      }
      const most = limitOf(limit);
      output.list(await listed(client.listVersions, { project }, most), most, OF_PROJECT);
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
      const most = limitOf(limit);
      output.list(await listed(client.listRevisions, { project, env }, most), most, OF_ENVIRONMENT);
    },
  );

const WHAT_HAPPENED = ["ACTION", "BY", "WHEN", "WHY"];

function whatHappened({ action, created_by, timestamp, message }: Entry): string[] {
  return [action, created_by, moment(timestamp), message ?? ""];
}

const OF_PROJECT: Listing<Entry> = {
  plain: ({ version }) => version,
  headings: ["VERSION", "ENVIRONMENT", "REV", ...WHAT_HAPPENED],
  row: (entry) => [entry.version, entry.env, String(entry.revision), ...whatHappened(entry)],
};

const OF_ENVIRONMENT: Listing<Entry> = {
  plain: ({ revision, version }) => `${revision}\t${version}`,
  headings: ["REV", "VERSION", ...WHAT_HAPPENED],
  row: (entry) => [String(entry.revision), entry.version, ...whatHappened(entry)],
};
