import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { useCli } from "../cli/support.ts";
import { Assistant, nextVersion, platform } from "./support.ts";

/** What people ask an assistant for, done through the protocol's own client, over both of its transports. */

const context = useCli();

const WAYS = {
  "`envm mcp`, over standard input and output": () => Assistant.overStdio(context.cli),
  "/mcp, over streamable HTTP": () => Assistant.overHttp(context.engine),
};

describe.each(Object.entries(WAYS))("%s:", (_, connect) => {
  let assistant: Assistant;
  let project: string;

  beforeAll(async () => {
    assistant = await connect();
    project = `pf-${Object.values(WAYS).indexOf(connect)}`;
    await platform(context.engine, project);
  });
  afterAll(() => assistant.close());

  const active = async (env: string) =>
    (await context.engine.get<{ version: string; revision: number }>(`/env/${project}/${env}/active`)).body;
  const exists = async (env: string) => (await context.engine.get(`/env/${project}/${env}`)).status === 200;

  test('"create a staging environment from dev"', async () => {
    const asked = { project_id: project, new_environment: "staging", base_from: "dev" };
    const plan = await assistant.call("create_environment", asked);
    expect(plan).toMatchObject({ isError: false, data: { status: "planned", env: "staging", linked_version: "v2.9.0", revision: 1 } });
    expect(plan.text).toContain('"staging" (staging), with v2.9.0, as its revision 1, would be created.');
    expect(plan.text).toContain(`plan_id "${plan.data["plan_id"]}"`);
    expect(await exists("staging")).toBe(false);

    const made = await assistant.call("create_environment", { ...asked, plan_id: plan.data["plan_id"], confirm: true });
    expect(made).toMatchObject({ isError: false, data: { status: "env_created", linked_version: "v2.9.0" } });
    expect(await active("staging")).toMatchObject({ version: "v2.9.0", revision: 1 });
    // Again, as after an answer that was lost: it is made once.
    expect(await assistant.call("create_environment", { ...asked, plan_id: plan.data["plan_id"], confirm: true })).toEqual(made);
  });

  test('"promote v3.1 from staging to production"', async () => {
    await assistant.confirmed("create_environment", { project_id: project, new_environment: "production", base_from: "staging" });
    await nextVersion(context.engine, project);
    await assistant.confirmed("promote", { project_id: project, source_env: "dev", target_env: "stage" });

    const asked = { project_id: project, source_env: "staging", target_env: "prod", version: "v3.1" };
    const looked = await assistant.call("plan_promotion", asked);
    const plan = await assistant.call("promote", asked);
    expect(plan).toEqual(looked);
    expect(plan.data).toMatchObject({ status: "planned", version: "v3.1.0", environment: "production", applicable: true });
    expect(plan.text).toContain('components added (1): "entities/Customer"');
    expect(await active("production")).toMatchObject({ version: "v2.9.0", revision: 1 });

    const done = await assistant.call("promote", { ...asked, plan_id: plan.data["plan_id"], confirm: true });
    expect(done.text).toContain('"production" is v3.1.0, revision 2: ready for deployment.');
    expect(await active("production")).toMatchObject({ version: "v3.1.0", revision: 2 });
    expect((await assistant.call("plan_promotion", asked)).text).toContain('There is nothing to promote: "production" has all of it.');
  });

  test('"roll production back to v2.9"', async () => {
    const { plan, done } = await assistant.confirmed("rollback", {
      project_id: project,
      env: "prod",
      to: "v2.9",
      message: "Checkout fails",
    });
    expect(plan.data).toMatchObject({ status: "planned", version: "v2.9.0", restored_revision: 1, revision: 2 });
    expect(done.data).toMatchObject({ status: "rolled_back", version: "v2.9.0", revision: 3, plan_id: plan.data["plan_id"] });
    expect(await active("production")).toMatchObject({ version: "v2.9.0", revision: 3 });
  });

  test('"compare staging and prod configs"', async () => {
    const change = { project_id: project, env: "staging", vars: { API_URL: "https://staging.example.com", REGION: "eu" } };
    const { plan, done } = await assistant.confirmed("set_vars", change);
    expect(plan.text).toContain('this changes: "API_URL", "REGION"');
    expect(done.data).toMatchObject({ status: "updated" });

    const masked = await assistant.call("compare", { project_id: project, left: "staging", right: "prod" });
    expect(masked.data).toMatchObject({
      vars: { only_left: ["REGION"], different: [{ name: "API_URL" }] },
      components: { only_left: ["entities/Customer"] },
    });
    expect(JSON.stringify(masked)).not.toContain("https://");
    const shown = await assistant.call("compare", { project_id: project, left: "staging", right: "prod", show_values: true });
    expect(shown.text).toContain('"API_URL": left "https://staging.example.com", right "https://dev.example.com"');
  });

  test('"add a preview environment for the QA demo"', async () => {
    const asked = { project_id: project, new_environment: "qa-demo", base_from: "staging", expires_in: "24h", source_ref: "QA demo" };
    const { plan, done } = await assistant.confirmed("create_preview", asked);
    expect(plan.data).toMatchObject({ status: "planned", type: "preview", linked_version: done.data["linked_version"] });
    expect(done.data).toMatchObject({ status: "env_created", type: "preview", env: "qa-demo" });
    const { data } = await assistant.call("get_environment", { project_id: project, env: "qa-demo" });
    expect(data).toMatchObject({ type: "preview", base_from: "staging", source_ref: "QA demo", status: "active" });
  });

  test("flags are switched, and all that was done is in the audit log", async () => {
    const asked = { project_id: project, env: "staging", flags: { "new-checkout": true } };
    await assistant.confirmed("set_flags", asked);
    await assistant.confirmed("set_flags", { ...asked, flags: { "new-checkout": false } });
    const flags = await assistant.call("list_flags", { project_id: project, env: "stage" });
    expect(flags.text).toContain('"new-checkout": enabled, default "off", variants "off", "on"');
    const audit = await assistant.call("list_audit", { project_id: project, env: "production" });
    const actions = (audit.data["items"] as { action: string }[]).map(({ action }) => action);
    expect(actions).toEqual(["rollback", "promote", "create"]);
  });
});
