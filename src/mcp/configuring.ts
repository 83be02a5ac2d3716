import { createHash } from "node:crypto";
import * as z from "zod";
import { switched } from "../cli/flag-switch.ts";
import { canonicalJson } from "../merkle/canonical.ts";
import { Message, mapOf } from "../schemas/common.ts";
import { PatchConfigBody } from "../schemas/config.ts";
import { CreateEnvironmentBody } from "../schemas/environments.ts";
import { EnvmError, invalidCall } from "../sdk/errors.ts";
import type { ReplyOf, RequestOf } from "../sdk/index.ts";
import { type Agreed, agreed, confirming, env, howToApply, project_id } from "./members.ts";
import { type Answer, type Tool, tool, type Work } from "./tool.ts";
import { lines, names, quoted } from "./words.ts";

/** New environments, vars and flags. */

/** Values go through an assistant here: what the engine takes for a secret is refused. */
const plainVars = (description: string) => mapOf(z.string()).exactOptional().meta({ description });

/** @throws EnvmError where the engine would keep something of it as a secret */
function checkNoSecrets(given: object, secrets: readonly string[]): void {
  const found = secrets.filter((name) => Object.hasOwn(given, name));
  if (found.length === 0) return;
  throw invalidCall(
    `These would be kept as secrets, by their name, their content or what the platform declares: ${names(found)}. Nothing was changed.`,
    "Secrets are not given through an assistant: a person sets them, with `envm secret set` or in the dashboard. A value that was typed here should be replaced.",
  );
}

const { new_environment, type, secrets, version, message, expires_in, expires_at, source_ref } = CreateEnvironmentBody.shape;

const ownVars = plainVars("Vars of its own, on top of those of the environment that it starts from. No secrets.");
const startsFrom = env.meta({ description: "The environment that it starts from. `dev`, `stage` and `prod` stand for the usual names." });

const createEnvironment = tool({
  name: "create_environment",
  title: "Create an environment",
  description:
    "Creates an environment from another one, with its version, vars and flags, or empty. Secrets are copied only where the token may reveal them. " +
    "The first call shows what would be made; called again with its plan_id and confirm, exactly that is made.",
  input: z.strictObject({
    project_id,
    new_environment,
    base_from: startsFrom.exactOptional(),
    type,
    secrets,
    version,
    env_variables: ownVars,
    message,
    ...confirming,
  }),
  uses: ["createEnvironment"],
  effect: "adds",
  run: (work, given) => creation("create_environment", work, given),
});

const createPreview = tool({
  name: "create_preview",
  title: "Create a preview",
  description:
    "Creates a preview, an environment that ends by itself, or brings the one of that name up to date with what it starts from. " +
    "The first call shows what would be made; called again with its plan_id and confirm, exactly that is made.",
  input: z.strictObject({
    project_id,
    new_environment,
    base_from: startsFrom,
    expires_in,
    expires_at,
    source_ref,
    secrets,
    env_variables: ownVars,
    message,
    ...confirming,
  }),
  uses: ["createEnvironment"],
  effect: "adds",
  run: (work, given) => creation("create_preview", work, { ...given, type: "preview" }),
});

type Created = Omit<RequestOf<"createEnvironment">, "project_id" | "dry_run" | "plan_id" | "idempotencyKey"> & {
  readonly project_id?: string | undefined;
  readonly plan_id?: string | undefined;
  readonly confirm?: true | string | undefined;
};

async function creation(name: string, work: Work, { plan_id, confirm, ...given }: Created): Promise<Answer> {
  const project = await work.project(given.project_id);
  const base = given.base_from;
  const request = { ...given, project_id: project, ...(base != null && { base_from: await work.env(project, base) }) };
  const look = async () => work.client.createEnvironment({ ...request, dry_run: true }, work.options);
  const word = agreed({ plan_id, confirm });
  if (word === null) {
    const plan = await look();
    checkNoSecrets(given.env_variables ?? {}, plan.stored.secrets);
    return { text: creationText(name, plan), data: plan };
  }
  // What is a secret is found out before anything is written.
  if (given.env_variables !== undefined) checkNoSecrets(given.env_variables, (await look().catch(whereMade)).stored.secrets);
  const reply = await work.client.createEnvironment({ ...request, ...applying(word) }, work.options);
  return { text: creationText(name, reply), data: reply };
}

/** It may have been made by a call whose answer was lost: then the engine knows the plan, and answers as it did. */
function whereMade(error: unknown): { readonly stored: { readonly secrets: readonly string[] } } {
  if (error instanceof EnvmError && error.code === "environment_exists") return { stored: { secrets: [] } };
  throw error;
}

/** The id of the plan is the key by which it is known: a call whose answer was lost may be made again. */
function applying({ plan_id }: Agreed) {
  return { plan_id, idempotencyKey: `mcp-${plan_id}` };
}

function creationText(name: string, reply: ReplyOf<"createEnvironment">): string {
  const { stored, secrets_unbound: unbound, warning } = reply;
  const what = `${quoted(reply.env)} (${reply.type}), with ${reply.linked_version}, as its revision ${reply.revision}`;
  const plans = reply.status === "planned";
  const made = reply.revision === 1 ? "created" : "brought up to date";
  return lines(
    plans ? `Plan ${reply.plan_id}: ${what}, would be ${made}.` : `${what}, was ${made}.`,
    reply.expires_at === null ? null : `- it ends ${reply.expires_at}`,
    `- its address: ${quoted(reply.url)}`,
    stored.vars.length === 0 ? null : `- vars of its own: ${names(stored.vars)}`,
    stored.secrets.length === 0 ? null : `- secrets copied into its own vault entries: ${names(stored.secrets)}`,
    unbound.length === 0 ? null : `- secrets still to be set, by a person: ${names(unbound)}`,
    warning === undefined ? null : `- warning: ${quoted(warning)}`,
    plans ? howToApply(name, reply.plan_id) : null,
  );
}

const unset = (what: string) =>
  z
    .array(z.string().min(1).max(256))
    .max(1_000)
    .exactOptional()
    .meta({ description: `Names of ${what} to remove.` });

const setVars = tool({
  name: "set_vars",
  title: "Set vars",
  description:
    "Sets and removes vars of one environment, in one revision. Secrets are refused. The first call shows what would change; called again with its plan_id " +
    "and confirm, exactly that is done, or refused where the environment changed since.",
  input: z.strictObject({
    project_id,
    env,
    vars: plainVars("Vars to set. No secrets."),
    unset: unset("vars"),
    message: Message.exactOptional(),
    ...confirming,
  }),
  uses: ["getConfig", "patchConfig"],
  effect: "changes",
  run: (work, { vars = {}, unset = [], ...given }) =>
    written("set_vars", work, given, () => ({ env_variables: vars, unset: unset.map((name) => `vars/${name}`) })),
});

const { flags } = PatchConfigBody.shape;

const setFlags = tool({
  name: "set_flags",
  title: "Set feature flags",
  description:
    "Sets and removes feature flags of one environment, in one revision. true and false make a boolean flag of a new name, and choose the default of a boolean flag " +
    "that is there; anything else is a flagd definition. The first call shows what would change; called again with its plan_id and confirm, exactly that is done.",
  input: z.strictObject({ project_id, env, flags, unset: unset("flags"), message: Message.exactOptional(), ...confirming }),
  uses: ["getConfig", "patchConfig"],
  effect: "changes",
  run: (work, { flags = {}, unset = [], ...given }) =>
    written("set_flags", work, given, ({ flags: present }) => ({
      flags: Object.fromEntries(
        Object.entries(flags).map(([name, value]) => [name, switched(Object.hasOwn(present, name) ? present[name] : undefined, value)]),
      ) as typeof flags,
      unset: unset.map((name) => `flags/${name}`),
    })),
});

interface Writing {
  readonly project_id?: string | undefined;
  readonly env: string;
  readonly message?: string | undefined;
  readonly plan_id?: string | undefined;
  readonly confirm?: true | string | undefined;
}

type Change = Pick<RequestOf<"patchConfig">, "env_variables" | "flags" | "unset">;

/**
 * One write of config. A plan's id is the tag of the head that it was made on and a digest of the change: the engine takes the write on that
 * head alone, so that what is applied is what was shown.
 */
async function written(
  name: string,
  work: Work,
  { plan_id, confirm, message, ...place }: Writing,
  changeOf: (config: ReplyOf<"getConfig">) => Change,
): Promise<Answer> {
  const project = await work.project(place.project_id);
  const env = await work.env(project, place.env);
  const { body: config, etag } = await work.client.answer("getConfig", { project, env }, work.options);
  if (config === null || etag === null) throw new Error("a read of config that was not conditional has a body and a tag");
  const change = changeOf(config);
  const request = { project, env, ...change, ...(message !== undefined && { message }) };
  const digest = digestOf({ name, project, env, ...change });
  const word = agreed({ plan_id, confirm });
  if (word === null) {
    const reply = await work.client.patchConfig({ ...request, dry_run: true, ifMatch: etag }, work.options);
    checkNoSecrets(change.env_variables ?? {}, reply.stored?.secrets ?? []);
    const id = `${etag}.${digest}`;
    return { text: changeText(name, reply, id), data: { ...reply, plan_id: id } };
  }
  const [head = "", of] = word.plan_id.split(".");
  if (of !== digest)
    throw new EnvmError("plan_stale", {
      reason: "The plan is of other arguments.",
      fix: `Call ${name} without plan_id, look at the new plan, and apply that one with the same arguments.`,
    });
  // What is a secret is found out before anything is written; of a head that is gone the write says so, or that it was made.
  if (etag === head && change.env_variables !== undefined) {
    const looked = await work.client.patchConfig({ ...request, dry_run: true, ifMatch: etag }, work.options);
    checkNoSecrets(change.env_variables, looked.stored?.secrets ?? []);
  }
  const reply = await work.client.patchConfig({ ...request, ifMatch: head, idempotencyKey: `mcp-${word.plan_id}` }, work.options);
  return { text: changeText(name, reply, word.plan_id), data: reply };
}

function digestOf(change: object): string {
  const covered = JSON.parse(JSON.stringify(change)) as Parameters<typeof canonicalJson>[0];
  return createHash("sha256").update(canonicalJson(covered)).digest("hex").slice(0, 32);
}

function changeText(name: string, reply: ReplyOf<"patchConfig">, plan_id: string): string {
  const { env_vars_changed, feature_flags } = reply.changes;
  const changed = names([...env_vars_changed, ...feature_flags]);
  const env = quoted(reply.env);
  if (changed === "" || reply.status === "no_changes") return `Nothing changes in ${env}.`;
  if (reply.status === "updated") return `${env} is ${reply.version}, revision ${reply.revision}. Changed: ${changed}.`;
  return lines(`Plan ${plan_id}: in ${env}, at revision ${reply.revision}, this changes: ${changed}.`, howToApply(name, plan_id));
}

export const CONFIGURING: readonly Tool[] = [createEnvironment, createPreview, setVars, setFlags];
