import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { notificationFeature, withMember } from "../../scripts/demo/feature.ts";
import { readInputs } from "../../scripts/demo/inputs.ts";
import { type Cli, useCli } from "./support.ts";

const context = useCli();

/** What `npm run demo` does over HTTP (`scripts/demo/story.ts`), typed. */
test("the whole demo can be told by the command line alone", async () => {
  const root = context.cli;
  const inputs = readInputs(undefined);

  // Who works on it: each logs in with a token of their own.
  const hire = async (args: readonly string[]) => (await root.ok(["token", "create", ...args, "--plain"])).trim();
  const ada = root.as({ ENVM_TOKEN: await hire(["ada", "--role", "admin", "--reveal"]) });
  const ben = root.as({ ENVM_TOKEN: await hire(["ben", "--role", "promoter", "--envs", "staging,production"]) });
  expect(await ben.run(["token", "create", "eve", "--role", "admin"])).toMatchObject({ code: 3 });
  expect(await ben.run(["env", "list", "-p", "somebody-elses"])).toMatchObject({ code: 4 });

  // Environments, the platform, and config of each.
  await ada.ok(["env", "create", "development"]);
  ada.file("platform.json", JSON.stringify(inputs.state));
  await ada.ok(["state", "import", "platform.json", "-e", "dev", "-m", "First import"]);
  await configure(ada, "dev", inputs.development);
  await ada.ok(["env", "create", "staging", "--from", "dev", ...set(inputs.staging)]);
  const production = await ada.json<{ linked_version: string }>([
    "env",
    "create",
    "production",
    "--from",
    "stage",
    "--secrets",
    "empty",
    ...set(inputs.production),
  ]);

  // A feature, which needs a key.
  const { set: components, variables } = notificationFeature(inputs.state);
  ada.file("feature.json", JSON.stringify(byCollection(components)));
  await ada.ok(["state", "import", "feature.json", "--keep", "-e", "dev", "-m", "Notifications"]);
  await ada.ok(["promote", "dev", "stage", ...set(variables)]);

  // Production refuses it, and says which key is not bound; bound there, exactly the plan that was shown is applied.
  const refused = await ada.run(["promote", "stage", "prod", "-y"]);
  expect(refused).toMatchObject({ code: 6, err: expect.stringContaining("config_complete") });
  const plan = JSON.parse((await ada.run(["promote", "stage", "prod", "--dry-run", "--json"])).out) as Plan;
  const unbound = plan.checks.find(({ name }) => name === "config_complete")?.details.unbound ?? [];
  expect(unbound.length).toBeGreaterThan(0);
  for (const entry of unbound) {
    const [kind = "", name = ""] = entry.split("/");
    if (kind === "flags") await ada.ok(["flag", "set", `${name}=off`, "-e", "prod"]);
    else await ada.ok([kind === "secrets" ? "secret" : "var", "set", `${name}=-`, "-e", "prod"], { input: `dummy-${name}` });
  }
  const planId = (await ada.ok(["promote", "stage", "prod", "--plan", "--plain"])).trim();
  // To look is not to do, whatever else is typed.
  expect(await ada.json(["promote", "stage", "prod", "--plan", planId, "--dry-run", "-y"])).toMatchObject({ plan_id: planId });
  const released = await ada.json<{ version: string; revision: number }>([
    "promote",
    "stage",
    "prod",
    "--plan",
    planId,
    "-y",
    "-m",
    "Notifications for everyone",
  ]);
  expect(await ada.run(["promote", "stage", "prod", "--plan", planId, "-y"])).toMatchObject({
    code: expect.toSatisfy((code) => code === 0 || code === 5),
  });

  // Compared: one platform, each with config of its own.
  const compared = await ada.run(["diff", "stage", "prod", "--json"]);
  expect(compared.code).toBe(1);
  expect(JSON.parse(compared.out)).toMatchObject({ components: { only_left: [], only_right: [], different: [] } });

  // Rules: straight into production is refused; a merge keeps both sides; a release waits for somebody else.
  ada.file(
    "policy.yaml",
    "pipeline: [development, staging, production]\nenvironments:\n  production: { protected: true, approvals: 1 }\n  type:preview: { max_ttl: 7d }\n",
  );
  await ada.ok(["policy", "set", "policy.yaml"]);
  await change(ada, "dev", "priority", { type: "choice", options: ["low", "high"] });
  expect(await ada.run(["promote", "dev", "prod", "-y"])).toMatchObject({ code: 6, err: expect.stringContaining("pipeline_order") });
  await change(ada, "stage", "text", { type: "text", max_length: 2_000 });
  expect(await ada.run(["promote", "dev", "stage"])).toMatchObject({ code: 6, err: expect.stringContaining("diverged") });
  await ada.ok(["promote", "dev", "stage", "--merge"]);
  const merged = JSON.parse(await ada.ok(["state", "get", "entities/Notification", "-e", "stage"])) as { fields: Record<string, unknown> };
  expect(merged.fields).toMatchObject({ priority: { type: "choice" }, text: { max_length: 2_000 } });

  const waiting = await ada.run(["promote", "stage", "prod", "-y", "-m", "Priorities", "--json"]);
  expect(waiting.code).toBe(6);
  const { promotion_id: promotion } = JSON.parse(waiting.out) as { promotion_id: string };
  expect(await ada.run(["approve", promotion])).toMatchObject({ code: 6, err: expect.stringContaining("cannot approve") });
  expect(await ben.ok(["approve"])).toContain(promotion);
  expect(await ben.ok(["approve", promotion, "-m", "Seen in staging"])).toContain("ready for deployment");

  // A preview, the way back, and the record of it all.
  expect(await ada.ok(["preview", "create", "pr-142", "--from", "dev", "--ttl", "72h"])).toContain("until");
  expect(await ada.ok(["preview", "list", "--plain"])).toBe("pr-142\n");
  const back = await ada.run(["rollback", "prod", production.linked_version, "-y", "-m", "Too many notifications"]);
  expect(back).toMatchObject({ code: 0, out: expect.stringContaining("It is held") });
  expect(await ada.json(["env", "show", "prod"])).toMatchObject({ version: production.linked_version, hold: { by: "ada" } });
  expect(await ada.ok(["history", "prod"])).toContain(released.version);
  await ada.ok(["resume", "prod"]);
  expect(await ada.ok(["audit", "verify"])).toContain("The audit log is whole");
  await ada.ok(["audit", "export", "-o", "audit.ndjson"]);
  const records = readFileSync(join(ada.folder, "audit.ndjson"), "utf8").trim().split("\n");
  expect(records.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(records.map((_, index) => index + 1));
  expect(await ada.run(["doctor", "-e", "production"])).toMatchObject({ code: 0, out: expect.stringContaining("✓ token: ada") });
  ada.dispose();
  ben.dispose();
}, 180_000);

interface Plan {
  readonly checks: readonly { readonly name: string; readonly details: { readonly unbound?: readonly string[] } }[];
}

type Variables = Readonly<Record<string, string | { readonly value: string; readonly secret: boolean }>>;

function set(variables: Variables): string[] {
  return Object.entries(variables).flatMap(([name, value]) => ["--set", `${name}=${typeof value === "string" ? value : value.value}`]);
}

async function configure(cli: Cli, env: string, config: { vars?: object; secrets?: object; flags?: object }): Promise<void> {
  const pairs = (members: object = {}) =>
    Object.entries(members).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  await cli.ok(["var", "set", ...pairs(config.vars), "-e", env]);
  await cli.ok(["secret", "set", ...pairs(config.secrets), "-e", env]);
  await cli.ok(["flag", "set", ...pairs(config.flags), "-e", env]);
}

/** `{"flows/welcome": …}` as the files of `state import` have it. */
function byCollection(components: Readonly<Record<string, unknown>>): Record<string, Record<string, unknown>> {
  const state: Record<string, Record<string, unknown>> = {};
  for (const [name, body] of Object.entries(components)) {
    const slash = name.indexOf("/");
    const collection = name.slice(0, slash);
    state[collection] = { ...state[collection], [name.slice(slash + 1)]: body };
  }
  return state;
}

async function change(cli: Cli, env: string, field: string, definition: Parameters<typeof withMember>[3]): Promise<void> {
  const component = JSON.parse(await cli.ok(["state", "get", "entities/Notification", "-e", env])) as Parameters<typeof withMember>[0];
  await cli.ok(["state", "put", "entities/Notification", "-", "-e", env], {
    input: JSON.stringify(withMember(component, "fields", field, definition)),
  });
}
