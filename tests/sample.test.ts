import { expect, test } from "vitest";
import { useEngine } from "./support/engine.ts";

/** The whole loop in its smallest form: two environments, one change, one promotion. */
const engine = useEngine();

test("a change made in development reaches staging by promotion", async () => {
  // A project begins with its first environment.
  const development = await engine.request("POST", "/env/create", { project_id: "shop", new_environment: "development" });
  expect(development.status).toBe(201);
  expect(development.body).toMatchObject({ status: "env_created", env: "development", linked_version: "v0.1.0", revision: 1 });

  // Staging starts as development is, with configuration of its own.
  const staging = await engine.request("POST", "/env/create", {
    project_id: "shop",
    new_environment: "staging",
    base_from: "development",
    env_variables: { PUBLIC_URL: "https://staging.shop.example", STRIPE_API_KEY: "sk_test_dummy" },
  });
  expect(staging.body).toMatchObject({ linked_version: "v0.1.0", stored: { vars: ["PUBLIC_URL"], secrets: ["STRIPE_API_KEY"] } });

  // Every edit makes a version.
  const edit = await engine.request("PUT", "/env/shop/development/state", {
    state: { entities: { Order: { fields: { total: "money" } } }, flows: { "orders/submit": { trigger: "Order.created", actions: [] } } },
  });
  expect(edit.status).toBe(200);
  expect(edit.body).toMatchObject({ status: "updated", version: "v0.2.0", revision: 2 });

  // Promotion carries the platform state, and leaves staging's configuration alone.
  const promotion = await engine.request("POST", "/env/promote", { project_id: "shop", source_env: "development", target_env: "staging" });
  expect(promotion.status).toBe(200);
  expect(promotion.body).toMatchObject({
    status: "ready_for_deploy",
    version: "v0.2.0",
    environment: "staging",
    diff_from_previous: { entities_added: ["Order"], logic_changed: 1, env_updated: [] },
  });

  // What a deployment planner asks: which version should staging run, and where is it?
  const active = await engine.get("/env/shop/staging/active");
  expect(active.body).toMatchObject({ project_id: "shop", env: "staging", version: "v0.2.0" });

  const config = await engine.get("/env/shop/staging/config");
  expect(config.body).toMatchObject({ vars: { PUBLIC_URL: "https://staging.shop.example" }, secrets: { STRIPE_API_KEY: { set: true } } });
});
