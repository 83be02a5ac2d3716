import type { Client } from "./client.ts";
import { withMember } from "./feature.ts";
import { type Narration, names } from "./narration.ts";
import type { JsonValue } from "./platform.ts";
import type { Created, PolicyReply, Promoted, Refused, WaitingPage, Written } from "./replies.ts";
import { checkLines, PROJECT } from "./telling.ts";

const ENTITY = "entities/Notification";
const POLICY = {
  pipeline: ["development", "staging", "production"],
  environments: { production: { protected: true, approvals: 1 }, "type:preview": { max_ttl: "7d" } },
};

interface ComponentReply {
  readonly component: JsonValue;
}

/** The chapter on rules: a promotion that they refuse, one that is merged, one that waits for somebody's approval, and a preview. */
export async function tellRules(client: Client, narration: Narration, approver: Client): Promise<void> {
  await agree(client, narration);
  await refuse(client, narration);
  await merge(client, narration);
  await approve(client, narration, approver);
  await preview(client, narration);
}

async function agree(client: Client, narration: Narration): Promise<void> {
  narration.step("The team agrees on rules: an order of environments, and production by promotion alone, with somebody's approval");
  await client.ask<PolicyReply>({
    method: "PUT",
    path: `/env/${PROJECT}/policy`,
    body: POLICY,
    shows: ({ revision, policy }) => [
      `policy revision ${revision}`,
      ...Object.entries(policy.environments ?? {}).map(([name, rules]) => `${name}: ${JSON.stringify(rules)}`),
    ],
  });
}

async function refuse(client: Client, narration: Narration): Promise<void> {
  narration.step("Development goes on: notifications get a priority");
  await change(client, "development", "priority", { type: "choice", options: ["low", "high"], default: "low" }, "Priorities");

  narration.step("Straight into production? The rules refuse it, and say what to do");
  await client.ask<Refused>({
    method: "POST",
    path: "/env/promote",
    body: { project_id: PROJECT, source_env: "development", target_env: "production" },
    status: 409,
    shows: ({ details }) => details.checks.filter(({ status }) => status === "failed").flatMap(checkLines),
  });
}

async function merge(client: Client, narration: Narration): Promise<void> {
  narration.step("Meanwhile somebody mends the same entity in staging: longer texts");
  await change(client, "staging", "text", { type: "text", required: true, max_length: 2_000 }, "Longer texts");

  narration.step("Neither change is lost: the promotion to staging is merged, into a version of its own");
  await client.ask<Promoted>({
    method: "POST",
    path: "/env/promote",
    body: { project_id: PROJECT, source_env: "development", target_env: "staging", strategy: "merge" },
    shows: ({ version, source_version, checks }) => [
      `version: ${version}, with what ${source_version} brought`,
      ...checks.filter(({ name }) => name === "diverged").flatMap(checkLines),
    ],
  });
  await client.ask<ComponentReply>({
    method: "GET",
    path: `/env/${PROJECT}/staging/state/${ENTITY}`,
    shows: ({ component }) => {
      const { fields } = component as { readonly fields: { readonly text: { readonly max_length: number } } };
      return [`fields: ${names(Object.keys(fields))}; texts up to ${fields.text.max_length} characters`];
    },
  });
}

async function approve(client: Client, narration: Narration, approver: Client): Promise<void> {
  narration.step("Into production it goes from staging, and waits for approval: nothing changes there yet");
  const { promotion_id } = await client.ask<Promoted>({
    method: "POST",
    path: "/env/promote",
    body: { project_id: PROJECT, source_env: "staging", target_env: "production", message: "Priorities, and longer texts" },
    status: 202,
    shows: ({ version, promotion_id, checks }) => [
      `version: ${version}, as promotion ${promotion_id}`,
      ...checks.filter(({ name }) => name === "pipeline_order" || name === "approvals").flatMap(checkLines),
    ],
  });
  const decision = { method: "POST", path: `/env/promotions/${promotion_id}/approve`, body: { project_id: PROJECT } } as const;

  narration.step("Who asked for it cannot approve it");
  await client.ask<Refused>({ ...decision, status: 403, shows: ({ reason, fix_suggestion }) => [reason, `fix: ${fix_suggestion}`] });

  narration.step("Ben sees what waits for him, and approves");
  await approver.ask<WaitingPage>({
    method: "GET",
    path: `/env/${PROJECT}/promotions?status=pending`,
    shows: ({ items }) =>
      items.map(({ version, source_env, target_env, requested_by, missing }) => {
        return `${version} from ${source_env} to ${target_env}, asked for by ${requested_by}: ${missing} approval missing`;
      }),
  });
  await approver.ask<Promoted>({
    ...decision,
    body: { ...decision.body, comment: "Seen in staging" },
    shows: ({ version, revision, checks }) => [
      `version: ${version}, as revision ${revision} of production`,
      ...checks.filter(({ name }) => name === "approvals").flatMap(checkLines),
    ],
  });
}

async function preview(client: Client, narration: Narration): Promise<void> {
  narration.step("A preview for a pull request: an environment of its own that ends by itself");
  await client.ask<Created>({
    method: "POST",
    path: "/env/create",
    body: {
      project_id: PROJECT,
      new_environment: "pr-142",
      base_from: "development",
      type: "preview",
      expires_in: "72h",
      source_ref: "https://git.example/portal/pulls/142",
    },
    status: 201,
    shows: ({ linked_version, url, expires_at }) => [`version: ${linked_version}, at ${url}`, `ends: ${expires_at}`],
  });
}

/** Changes one field of the entity as it is there. */
async function change(client: Client, env: string, field: string, definition: JsonValue, message: string): Promise<void> {
  const { component } = await client.ask<ComponentReply>({
    method: "GET",
    path: `/env/${PROJECT}/${env}/state/${ENTITY}`,
    shows: () => [],
  });
  await client.ask<Written>({
    method: "PATCH",
    path: `/env/${PROJECT}/${env}/state`,
    body: { set: { [ENTITY]: withMember(component, "fields", field, definition) }, message },
    shows: ({ version, revision }) => [`version: ${version}, revision ${revision}`],
  });
}
