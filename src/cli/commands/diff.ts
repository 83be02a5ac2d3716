import { does, leaf } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { memberChanges } from "../members.ts";
import { names } from "../telling.ts";
import { shown } from "../width.ts";

interface Differences {
  readonly only_left: readonly string[];
  readonly only_right: readonly string[];
  readonly different: readonly { readonly name: string; readonly left?: unknown; readonly right?: unknown }[];
  readonly same_count: number;
  readonly undisclosed?: readonly string[];
  readonly omitted?: number;
}

interface Comparing {
  readonly bodies?: boolean;
  readonly showValues?: boolean;
}

const KINDS = ["components", "vars", "flags", "evaluators", "flag_metadata", "secrets"] as const;

export const diff = () =>
  does<Comparing>(
    leaf("diff", {
      summary: "What differs between two environments, or two moments; exit code 1 where something does",
      about:
        "A side is an environment, or one at a version, a revision or a moment: staging, staging@v2.3.1, staging@12, staging@2026-01-31T12:00:00Z",
      aliases: ["compare"],
      examples: ["envm diff staging production", "envm diff staging@1 staging --bodies", "envm diff dev prod --json"],
    })
      .argument("<left>", "a side")
      .argument("<right>", "the other side")
      .option("--bodies", "show which members of the components differ")
      .option("--show-values", "show the values of vars"),
    async (context, { bodies = false, showValues = false }, left = "", right = "") => {
      const { client, output, project } = context;
      const sides = { left: await context.resolveSide(left), right: await context.resolveSide(right) };
      const reply = await client.compare({ project_id: project, ...sides, ...(bodies && { bodies: true }) });
      const found: readonly (readonly [string, Differences])[] = KINDS.map((kind) => [kind, reply[kind]]);
      const differ = found.some(([, { only_left, only_right, different }]) => only_left.length + only_right.length + different.length > 0);
      const code = differ ? EXIT.failed : EXIT.ok;
      if (output.mode === "json") {
        output.json(reply);
        return code;
      }
      if (output.mode === "human") {
        output.line(`${output.paint("-", "bad")} ${side(reply.left)}`);
        output.line(`${output.paint("+", "good")} ${side(reply.right)}`);
      }
      for (const [kind, differences] of found) {
        for (const [sign, name, details] of linesOf(differences, kind, { bodies, showValues })) {
          output.line(
            output.paint(
              `${sign} ${kind === "components" ? "" : `${kind}/`}${shown(name)}`,
              sign === "+" ? "good" : sign === "-" ? "bad" : "warn",
            ),
          );
          for (const detail of details) output.line(`    ${detail}`);
        }
        if (differences.undisclosed !== undefined && differences.undisclosed.length > 0) {
          output.note(`Whether these secrets are equal, this token is not told: ${names(differences.undisclosed)}`);
        }
        if (differences.omitted) output.note(`${differences.omitted} more ${kind} differ, for which the reply had no room.`);
      }
      if (!differ) output.say(`No difference; ${found.reduce((sum, [, { same_count }]) => sum + same_count, 0)} the same.`);
      return code;
    },
  );

function side({ env, version, revision, timestamp }: { env: string; version: string; revision: number; timestamp: string }): string {
  return `${env} ${version}, revision ${revision}, ${timestamp}`;
}

type Line = readonly [sign: "+" | "-" | "~", name: string, details: readonly string[]];

function linesOf({ only_left, only_right, different }: Differences, kind: string, { bodies, showValues }: Required<Comparing>): Line[] {
  const details = (left: unknown, right: unknown): string[] => {
    if (left === undefined && right === undefined) return [];
    if (kind === "components") return bodies ? memberChanges(left, right) : [];
    if (kind === "flags" || kind === "evaluators") return memberChanges(left, right);
    const isShown = kind === "flag_metadata" || (kind === "vars" && showValues);
    return isShown ? [`- ${shown(String(left))}`, `+ ${shown(String(right))}`] : [];
  };
  const lines: Line[] = [
    ...only_left.map((name): Line => ["-", name, []]),
    ...only_right.map((name): Line => ["+", name, []]),
    ...different.map(({ name, left, right }): Line => ["~", name, details(left, right)]),
  ];
  return lines.sort(([, left], [, right]) => (left < right ? -1 : left > right ? 1 : 0));
}
