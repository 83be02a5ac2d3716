import type { Engine, Members } from "../support/engine.ts";
import { succeeded } from "../support/project.ts";

/** A project with something of everything, so that requests have something to meet. */
export async function setScene(engine: Engine, project: string): Promise<void> {
  const post = async (path: string, body: Members) => succeeded(await engine.request("POST", path, { project_id: project, ...body }), 201);
  const write = async (method: "PUT" | "PATCH", path: string, body: Members) =>
    succeeded(await engine.request(method, `/env/${project}/${path}`, body));
  const create = (new_environment: string, more: Members = {}) => post("/env/create", { new_environment, ...more });

  await create("development", { env_variables: { REGION: "eu", API_KEY: "first-key", LIMIT: "10" } });
  await write("PUT", "development/state", {
    state: {
      entities: { Order: { fields: { name: "text" } }, Note: {} },
      flows: { submit: { steps: 1, title: "Submit" }, "a/b": {} },
      requires: { REGION: { kind: "var" }, API_KEY: { kind: "secret" } },
    },
  });
  await write("PATCH", "development/config", { flags: { beta: true }, secrets: { DB_PASSWORD: "first-password" } });
  for (const env of ["staging", "production", "qa"]) await create(env, { base_from: "development" });
  for (const env of ["pr-1", "pr-2"]) await create(env, { base_from: "staging", type: "preview", expires_in: "7d" });
  await write("PATCH", "development/state", { set: { "flows/submit": { steps: 2, title: "Submit" } } });
  await write("PUT", "policy", { environments: { production: { approvals: 1, forceable: ["approvals"] } } });
}
