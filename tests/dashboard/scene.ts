import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/package.ts";
import { type Client, createClient } from "../../src/sdk/client.ts";

/** A project in the middle of its life: something to look at on every page. */
export interface Scene {
  readonly project: string;
  readonly root: Client;
  /** May promote and approve, and is not who asked. */
  readonly grace: string;
  readonly promotion: string;
}

type Json = State[string];
type State = Parameters<Client["replaceState"]>[0]["state"];

const FLAGS = {
  "new-checkout": {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: { if: [{ ends_with: [{ var: "email" }, "@example.com"] }, "on", null] },
  },
  "dark-mode": true,
};

/** What the portal is told of where it runs. */
const VALUES: Readonly<Record<string, (env: string) => string>> = {
  API_URL: (env) => `https://api.${hostOf(env)}`,
  APP_BASE_URL: (env) => `https://${hostOf(env)}`,
  ERP_BASE_URL: (env) => `https://erp.${hostOf(env)}`,
  DOCUMENTS_BUCKET: (env) => `portal-documents-${env}`,
  SUPPORT_EMAIL: (env) => `support@${hostOf(env)}`,
  SESSION_TIMEOUT_MINUTES: () => "30",
};

function hostOf(env: string): string {
  return env === "production" ? "portal.example.com" : `${env}.example.com`;
}

interface SceneOptions {
  readonly project?: string;
  /** Lets days go by. Without it all happens at once. */
  readonly later?: (days: number) => Promise<void>;
}

/**
 * A portal that has been live for weeks: releases by several people, one that failed and what mended it, a change that is tried out in
 * staging and waits for approval, and one more in development that staging lacks a password for.
 */
export async function setScene(
  url: string,
  token: string,
  { project = "customer-portal", later = async () => {} }: SceneOptions = {},
): Promise<Scene> {
  const root = createClient({ url, token });
  const asking = async (name: string, role: "editor" | "promoter") => {
    const made = await root.createToken({ name, role, projects: [project], envs: ["*"] });
    return { token: made.token, client: createClient({ url, token: made.token }) };
  };
  const portal = JSON.parse(readFileSync(join(packageRoot(), "examples/customer-portal.json"), "utf8")) as State;
  const create = (new_environment: string, more: object = {}) => root.createEnvironment({ project_id: project, new_environment, ...more });
  const required = Object.entries(portal.requires ?? {}) as [string, { readonly kind: string }][];
  const valuesOf = (env: string) => {
    const bound = required.filter(([, { kind }]) => kind !== "flag");
    const values = bound.map(([name, { kind }]) => [
      name,
      { value: VALUES[name]?.(env) ?? `${name} of ${env}`, secret: kind === "secret" },
    ]);
    return { API_URL: VALUES.API_URL?.(env) ?? "", ...Object.fromEntries(values) };
  };
  const switches = required.filter(([, { kind }]) => kind === "flag").map(([name]) => [name, false]);
  const flags = { ...Object.fromEntries(switches), ...FLAGS };
  const ends = { project_id: project, source_env: "staging", target_env: "production" };

  const ada = await asking("Ada", "promoter");
  const grace = await asking("Grace", "promoter");
  /** A change that goes all the way. */
  const release = async (component: string, body: Json, message: string, outcome: "deployed" | "failed") => {
    await ada.client.patchState({ project, env: "development", set: { [component]: body }, message });
    await ada.client.promote({ project_id: project, source_env: "development", target_env: "staging", message });
    await later(1);
    const { version } = await grace.client.promote({ ...ends, message });
    const reason = outcome === "failed" ? { reason: "The page /orders/list did not answer within 30 seconds." } : {};
    await root.reportDeployment({ project_id: project, env: "production", version, status: outcome, ...reason });
  };

  await create("development", { env_variables: { LOG_LEVEL: "debug", ...valuesOf("development") } });
  await root.replaceState({ project, env: "development", state: portal, message: "First import" });
  await root.patchConfig({ project, env: "development", flags });
  await create("staging", { base_from: "development", env_variables: { LOG_LEVEL: "info", ...valuesOf("staging") } });
  await create("production", { env_variables: valuesOf("production") });
  await root.patchConfig({ project, env: "production", flags });
  const first = await root.promote({ ...ends, message: "Go live" });
  await root.reportDeployment({ project_id: project, env: "production", version: first.version, status: "deployed" });
  await later(6);
  await release(
    "entities/Discount",
    { label: "Discount", fields: { percent: { type: "number" } } },
    "Discounts for regular customers",
    "deployed",
  );
  await later(3);
  await release(
    "pages/orders/list",
    { title: "Orders", columns: ["number", "placed", "total", "discount"] },
    "Orders show their discount",
    "failed",
  );
  await release(
    "pages/orders/list",
    { title: "Orders", columns: ["number", "placed", "total"] },
    "The list of orders is quick again",
    "deployed",
  );
  await later(2);
  await grace.client.patchConfig({
    project,
    env: "production",
    vars: { SESSION_TIMEOUT_MINUTES: "45" },
    message: "Customers asked to stay signed in for longer",
  });
  await root.reportDeployment({ project_id: project, env: "production", version: "v1", status: "deployed" });
  await later(3);
  await ada.client.patchState({
    project,
    env: "development",
    set: { "entities/Refund": { label: "Refund", fields: { amount: { type: "money" }, reason: { type: "text" } } } },
    message: "Refunds can be recorded",
  });
  await ada.client.promote({ project_id: project, source_env: "development", target_env: "staging", message: "Refunds, to be tried out" });
  await root.reportDeployment({ project_id: project, env: "staging", version: "v1", status: "deployed" });
  await later(1);
  await ada.client.patchState({
    project,
    env: "development",
    set: { "requires/PAYMENT_KEY": { kind: "secret", description: "Key of the payment provider" } },
    message: "Refunds go through the payment provider",
  });
  await create("pr-142", { base_from: "staging", type: "preview", expires_in: "72h", source_ref: "https://git.example.com/pulls/142" });
  await create("demo-fair", { base_from: "staging", type: "preview", expires_in: "7d" });
  await root.replacePolicy({
    project,
    policy: {
      pipeline: ["development", "staging", "production"],
      environments: {
        production: { protected: true, approvals: 1, require_message: true, require_confirmation: true, forceable: ["approvals"] },
      },
    },
  });
  const asked = await root.promote({ ...ends, message: "Refunds for everybody", confirm: "production" });
  return { project, root, grace: grace.token, promotion: asked.promotion_id ?? "" };
}

/** Every address of the dashboard, by what it shows. */
export function pagesOf({ project, promotion }: Pick<Scene, "project" | "promotion">): Readonly<Record<string, string>> {
  const base = `/projects/${project}`;
  return {
    projects: "/",
    pipeline: base,
    environment: `${base}/env/production`,
    compare: `${base}/compare?left=staging&right=production`,
    promote: `${base}/promote?from=staging&to=production`,
    promotion: `${base}/promotions/${promotion}`,
    promotions: `${base}/promotions`,
    rollback: `${base}/env/production/rollback`,
    configuration: `${base}/config`,
    platform: `${base}/state?env=staging&component=entities%2FAccount`,
    previews: `${base}/previews`,
    history: `${base}/history`,
    "history of one": `${base}/history?env=production`,
    settings: `${base}/settings`,
    engine: "/settings",
    "nothing there": "/projects/none/at-all/of-this",
  };
}
