import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "../../src/sdk/client.ts";
import { packageRoot } from "../../src/settings.ts";

/** A project in the middle of its life: something to look at on every page. */
export interface Scene {
  readonly project: string;
  readonly root: Client;
  /** May promote and approve, and is not who asked. */
  readonly grace: string;
  readonly promotion: string;
}

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

export async function setScene(url: string, token: string, project = "customer-portal"): Promise<Scene> {
  const root = createClient({ url, token });
  const portal = JSON.parse(readFileSync(join(packageRoot(), "examples/customer-portal.json"), "utf8")) as State;
  const create = (new_environment: string, more: object = {}) => root.createEnvironment({ project_id: project, new_environment, ...more });
  const required = Object.entries(portal["requires"] ?? {}) as [string, { readonly kind: string }][];
  const valuesOf = (env: string) => {
    const bound = required.filter(([, { kind }]) => kind !== "flag");
    return Object.fromEntries(
      bound.map(([name, { kind }]) => [name, { value: `${name.toLowerCase()} of ${env}`, secret: kind === "secret" }]),
    );
  };
  const switches = required.filter(([, { kind }]) => kind === "flag").map(([name]) => [name, false]);
  const flags = { ...Object.fromEntries(switches), ...FLAGS };

  await create("development", { env_variables: { API_URL: "https://dev.example.com", LOG_LEVEL: "debug", ...valuesOf("development") } });
  await root.replaceState({ project, env: "development", state: portal, message: "First import" });
  await root.patchConfig({ project, env: "development", flags });
  await create("staging", { base_from: "development", env_variables: { API_URL: "https://staging.example.com", LOG_LEVEL: "info" } });
  await create("production", { env_variables: { API_URL: "https://portal.example.com", ...valuesOf("production") } });
  await root.patchConfig({ project, env: "production", flags });
  const ends = { project_id: project, source_env: "staging", target_env: "production" };
  const first = await root.promote({ ...ends, message: "Go live" });
  await root.reportDeployment({ project_id: project, env: "production", version: first.version, status: "deployed" });

  await root.patchState({
    project,
    env: "development",
    set: { "entities/Refund": { label: "Refund", fields: { amount: { type: "money" }, reason: { type: "text" } } } },
    message: "Refunds can be recorded",
  });
  await root.promote({ project_id: project, source_env: "development", target_env: "staging", message: "Refunds, to be tried out" });
  await root.patchState({
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
  const { token: grace } = await root.createToken({ name: "Grace", role: "promoter", projects: [project], envs: ["*"] });
  const asked = await root.promote({ ...ends, message: "Refunds for everybody", confirm: "production" });
  return { project, root, grace, promotion: asked.promotion_id ?? "" };
}

/** Every address of the dashboard, by what it shows. */
export function pagesOf({ project, promotion }: Scene): Readonly<Record<string, string>> {
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
