import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { AuditQuery } from "../schemas/audit.ts";
import { EnvironmentName } from "../schemas/common.ts";
import { CompareQuery } from "../schemas/comparison.ts";
import { PromotionQuery } from "../schemas/promotions.ts";
import type { ReplyOf } from "../sdk/index.ts";
import { cursor, env, limit, project_id } from "./members.ts";
import { type Tool, tool } from "./tool.ts";
import { counted, diffLines, lines, names, quoted } from "./words.ts";

const pages = { limit, cursor };
const show_values = z
  .boolean()
  .exactOptional()
  .meta({ description: "Show the values of vars, and not their names alone. Secrets are never shown." });

const MASK = "(masked)";

const listProjects = tool({
  name: "list_projects",
  title: "List projects",
  description: "The projects in which this token may read anything.",
  input: z.strictObject(pages),
  uses: ["listProjects"],
  effect: "reads",
  async run({ client, options }, given) {
    const page = await client.listProjects(paged(given), options);
    const told = page.items.map(({ project_id: project, created_at }) => `- ${quoted(project)}, since ${created_at}`);
    return { text: lines(`${counted(page.items.length, "project")}:`, told, more(page)), data: page };
  },
});

const listEnvironments = tool({
  name: "list_environments",
  title: "List environments",
  description: "The environments of a project: type, version, revision, status, whether what should run is deployed, and what is missing.",
  input: z.strictObject({ project_id, ...pages }),
  uses: ["listEnvironments"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const page = await work.client.listEnvironments({ project, ...paged(given) }, work.options);
    return {
      text: lines(`${counted(page.items.length, "environment")} of ${quoted(project)}:`, page.items.map(environmentLine), more(page)),
      data: page,
    };
  },
});

const getEnvironment = tool({
  name: "get_environment",
  title: "Look at one environment",
  description: "One environment: its head, what is deployed, whether it is held or ends, and what it still needs.",
  input: z.strictObject({ project_id, env }),
  uses: ["getEnvironment"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const view = await work.client.getEnvironment({ project, env: await work.env(project, given.env) }, work.options);
    const { hold, deployed, unbound } = view;
    const text = lines(
      environmentLine(view),
      `  changed ${view.updated_at} by ${quoted(view.updated_by)}; at ${quoted(view.url)}`,
      view.protected ? "  protected: its platform state changes by promotion alone" : null,
      deployed === null ? "  never deployed" : `  deployed: ${deployed.version}, revision ${deployed.revision}, at ${deployed.at}`,
      hold === null ? null : `  held by ${quoted(hold.by)} since ${hold.at}: ${quoted(hold.reason)}`,
      unbound.length === 0 ? null : `  still to be set: ${names(unbound)}`,
    );
    return { text, data: view };
  },
});

const listVersions = tool({
  name: "list_versions",
  title: "Read the version log",
  description:
    "The versions of a project, newest first; with `env`, every revision of that environment, which is what rollback can go back to.",
  input: z.strictObject({ project_id, env: env.exactOptional(), ...pages }),
  uses: ["listVersions", "listRevisions"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const page =
      given.env === undefined
        ? await work.client.listVersions({ project, ...paged(given) }, work.options)
        : await work.client.listRevisions({ project, env: await work.env(project, given.env), ...paged(given) }, work.options);
    const told = page.items.map(
      (entry) =>
        `- ${entry.version}: ${quoted(entry.env)} revision ${entry.revision}, ${entry.action} by ${quoted(entry.created_by)} at ${entry.timestamp}` +
        (entry.message === null ? "" : `: ${quoted(entry.message)}`),
    );
    return { text: lines(page.items.length === 1 ? "1 entry:" : `${page.items.length} entries:`, told, more(page)), data: page };
  },
});

const KINDS = ["components", "vars", "flags", "evaluators", "flag_metadata", "secrets"] as const;
type Comparison = ReplyOf<"compare">;

const { left, right } = CompareQuery.shape;

const compare = tool({
  name: "compare",
  title: "Compare two environments",
  description:
    "What differs between two environments, or two moments: components, vars, flags and which secrets are set. The values of vars are masked unless asked for.",
  input: z.strictObject({
    project_id,
    left,
    right,
    bodies: z.boolean().exactOptional().meta({ description: "Show the components that differ, and not their names alone." }),
    show_values,
  }),
  uses: ["compare"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const sides = { left: await work.side(project, given.left), right: await work.side(project, given.right) };
    const reply = await work.client.compare({ project_id: project, ...sides, ...(given.bodies && { bodies: true }) }, work.options);
    const told = given.show_values ? reply : { ...reply, vars: masked(reply.vars) };
    return { text: comparisonText(told, given.show_values === true), data: told };
  },
});

function masked(vars: Comparison["vars"]): Comparison["vars"] {
  return { ...vars, different: vars.different.map(({ name }) => ({ name })) };
}

function comparisonText(reply: Comparison, values: boolean): string {
  const [left, right] = [reply.left, reply.right].map((side) => `${quoted(side.env)} ${side.version} revision ${side.revision}`);
  const told = KINDS.flatMap((kind) => {
    const { only_left, only_right, different, same_count, omitted = 0 } = reply[kind];
    const valued = kind === "vars" && values;
    return [
      `${kind}: ${same_count} the same, ${different.length + omitted + only_left.length + only_right.length} not`,
      only_left.length > 0 ? `- only on the left: ${names(only_left)}` : null,
      only_right.length > 0 ? `- only on the right: ${names(only_right)}` : null,
      different.length > 0 && !valued ? `- different: ${names(different.map(({ name }) => name))}` : null,
      ...(valued ? different.slice(0, LIMITS.mcpNames).map(valueLine) : []),
    ];
  });
  return lines(
    `left: ${left}`,
    `right: ${right}`,
    told.filter((line) => line !== null),
  );
}

function valueLine({ name, left, right }: Comparison["vars"]["different"][number]): string {
  return `- ${quoted(name)}: left ${quoted(String(left))}, right ${quoted(String(right))}`;
}

const listPromotions = tool({
  name: "list_promotions",
  title: "List promotions that wait",
  description: "Promotions that were put up for approval, with what is still missing. Approving is for people: no tool does it.",
  input: z.strictObject({ project_id, status: PromotionQuery.shape.status, ...pages }),
  uses: ["listPromotions"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const { status } = given;
    const page = await work.client.listPromotions({ project, ...paged(given), ...(status !== undefined && { status }) }, work.options);
    const told = page.items.flatMap((item) => [
      `- ${item.id}: ${item.version} from ${quoted(item.source_env)} to ${quoted(item.target_env)}, ${item.status}, asked by ${quoted(item.requested_by)}; ` +
        `${item.missing} of ${counted(item.needed, "approval")} missing`,
      ...diffLines(item.diff_from_previous).map((line) => `  ${line}`),
    ]);
    return { text: lines(`${counted(page.items.length, "promotion")}:`, told, more(page)), data: page };
  },
});

const listFlags = tool({
  name: "list_flags",
  title: "List feature flags",
  description: "The feature flags of an environment, with their variants and defaults.",
  input: z.strictObject({ project_id, env }),
  uses: ["getConfig"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const config = await work.client.getConfig({ project, env: await work.env(project, given.env) }, work.options);
    const flags = config.flags as Readonly<
      Record<string, { state?: string; variants?: object; defaultVariant?: string | null; targeting?: object }>
    >;
    const told = Object.entries(flags).map(
      ([name, { state, variants = {}, defaultVariant, targeting = {} }]) =>
        `- ${quoted(name)}: ${state === "ENABLED" ? "enabled" : "disabled"}, default ${defaultVariant == null ? "the code's own" : quoted(defaultVariant)}, ` +
        `variants ${names(Object.keys(variants))}${Object.keys(targeting).length > 0 ? ", with rules" : ""}`,
    );
    return { text: lines(`${headOf(config)} has ${counted(told.length, "flag")}:`, told), data: { ...place(config), flags } };
  },
});

const listVars = tool({
  name: "list_vars",
  title: "List vars and secrets",
  description:
    "The names of an environment's vars and secrets. The values of vars are masked unless asked for; those of secrets are never shown.",
  input: z.strictObject({ project_id, env, show_values }),
  uses: ["getConfig"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const config = await work.client.getConfig({ project, env: await work.env(project, given.env) }, work.options);
    const shown = (value: string) => (given.show_values ? value : MASK);
    const vars = Object.fromEntries(Object.entries(config.vars).map(([name, value]) => [name, shown(value)]));
    const told = Object.entries(vars).map(([name, value]) => `- ${quoted(name)}: ${given.show_values ? quoted(value) : value}`);
    const secrets = Object.keys(config.secrets);
    const text = lines(
      `${headOf(config)} has ${counted(told.length, "var")}:`,
      told,
      secrets.length === 0 ? "and no secrets" : `and ${counted(secrets.length, "secret")}, whose values are not shown: ${names(secrets)}`,
    );
    return { text, data: { ...place(config), vars, secrets: config.secrets } };
  },
});

const { action, actor } = AuditQuery.shape;

const listAudit = tool({
  name: "list_audit",
  title: "Read the audit log",
  description: "Who did what and when, newest first.",
  input: z.strictObject({ project_id, env: EnvironmentName.exactOptional(), action, actor, ...pages }),
  uses: ["listAudit"],
  effect: "reads",
  async run(work, given) {
    const project = await work.project(given.project_id);
    const only = {
      ...(given.env !== undefined && { env: await work.env(project, given.env) }),
      ...(given.action !== undefined && { action: given.action }),
      ...(given.actor !== undefined && { actor: given.actor }),
    };
    const page = await work.client.listAudit({ project, ...only, ...paged(given) }, work.options);
    const told = page.items.map(
      ({ seq, at, actor, action, environment, version, revision }) =>
        `- ${seq}: ${at} ${quoted(actor)} ${action}${environment === null ? "" : ` in ${quoted(environment)}`}` +
        `${version === null ? "" : `, ${version}`}${revision === null ? "" : ` revision ${revision}`}`,
    );
    return { text: lines(`${counted(page.items.length, "record")}:`, told, more(page)), data: page };
  },
});

function environmentLine(item: ReplyOf<"getEnvironment">): string {
  const facts = [
    `${item.version}, revision ${item.revision}`,
    item.status,
    item.sync_status,
    ...(item.hold === null ? [] : ["held"]),
    ...(item.config_complete ? [] : [`${item.unbound.length} missing`]),
    ...(item.expires_at === null ? [] : [`ends ${item.expires_at}`]),
  ];
  return `- ${quoted(item.env)} (${item.type}): ${facts.join(", ")}`;
}

function headOf({ env, version, revision }: ReplyOf<"getConfig">): string {
  return `${quoted(env)} (${version}, revision ${revision})`;
}

function place({ project_id, env, version, revision }: ReplyOf<"getConfig">) {
  return { project_id, env, version, revision };
}

function paged({ limit = LIMITS.mcpNames, cursor }: { readonly limit?: number; readonly cursor?: string }) {
  return { limit, ...(cursor !== undefined && { cursor }) };
}

function more({ next_cursor }: { readonly next_cursor: string | null }): string | null {
  return next_cursor === null ? null : `There are more: call again with cursor "${next_cursor}".`;
}

export const READING: readonly Tool[] = [
  listProjects,
  listEnvironments,
  getEnvironment,
  listVersions,
  compare,
  listPromotions,
  listFlags,
  listVars,
  listAudit,
];
