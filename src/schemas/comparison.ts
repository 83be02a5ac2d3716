import * as z from "zod";
import { AnyJson, Digest, EnvironmentName, exampleHash, ProjectId, RevisionNumber, switchText, Timestamp, VersionLabel } from "./common.ts";

const side = (which: string) =>
  z
    .string()
    .min(1)
    .max(256)
    .meta({
      description: `The ${which} side: \`staging\`, \`staging@v2.3.1\`, \`staging@12\` or \`staging@<ISO time>\`.`,
      examples: ["staging"],
    });

export const CompareQuery = z.strictObject({
  project_id: ProjectId,
  left: side("left"),
  right: side("right"),
  bodies: switchText.optional().meta({ description: "`1` shows the components that differ, and not their names alone." }),
});

const Differences = z
  .object({
    only_left: z.array(z.string()),
    only_right: z.array(z.string()),
    different: z.array(z.object({ name: z.string(), left: AnyJson.optional(), right: AnyJson.optional() })),
    same_count: z.int().min(0),
    undisclosed: z
      .array(z.string())
      .exactOptional()
      .meta({ description: "Secrets of which this token may not know whether they are equal." }),
    omitted: z.int().exactOptional().meta({ description: "Differences that the lists had no room for." }),
  })
  .meta({
    id: "Differences",
    description: "What one side has, what both have, and what differs.",
    examples: [{ only_left: ["entities/Notification"], only_right: [], different: [{ name: "flows/onboarding" }], same_count: 40 }],
  });

const Side = z
  .object({ env: EnvironmentName, version: VersionLabel, revision: RevisionNumber, snapshot: Digest, timestamp: Timestamp })
  .meta({
    id: "ComparedSide",
    description: "The revision that was compared.",
    examples: [{ env: "staging", version: "v2.3.1", revision: 12, snapshot: exampleHash, timestamp: "2025-01-31T12:00:00.000Z" }],
  });

const none = { only_left: [], only_right: [], different: [], same_count: 0 };

export const ComparisonReply = z
  .object({
    project_id: ProjectId,
    left: Side,
    right: Side,
    components: Differences,
    vars: Differences,
    flags: Differences,
    evaluators: Differences.meta({ description: "Rules that flags refer to by `$ref`." }),
    flag_metadata: Differences.meta({ description: "What every evaluation of a flag shows." }),
    secrets: Differences.meta({ description: "Names alone. Whether two values are equal is told only to who may reveal both." }),
  })
  .meta({
    id: "Comparison",
    description: "Two environments, or two moments of one, side by side.",
    examples: [
      {
        project_id: "pf-777",
        left: { env: "staging", version: "v2.3.1", revision: 12, snapshot: exampleHash, timestamp: "2025-01-31T12:00:00.000Z" },
        right: { env: "production", version: "v2.2.0", revision: 7, snapshot: exampleHash, timestamp: "2025-01-24T12:00:00.000Z" },
        components: { only_left: ["entities/Notification"], only_right: [], different: [{ name: "flows/onboarding" }], same_count: 40 },
        vars: { ...none, different: [{ name: "API_URL", left: "https://staging.example.com", right: "https://api.example.com" }] },
        flags: none,
        evaluators: none,
        flag_metadata: none,
        secrets: { ...none, different: [{ name: "API_KEY" }] },
      },
    ],
  });
