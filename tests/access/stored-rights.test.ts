import { beforeEach, describe, expect, test } from "vitest";
import type { Grant, Role } from "../../src/access.ts";
import { SYSTEM_PARTITION } from "../../src/keys.ts";
import { caller, codeOf, documents, errorOf, PROJECT, type Project, vaultEntries } from "../domain/support.ts";
import { type Access, grant, holderOf, openAccess, ROOT, serveTo } from "./support.ts";

/** Rights that depend on what is stored: what no request names, so that the domain asks for them. */

let world: Access;
let project: Project;

beforeEach(async () => {
  world = await openAccess();
  ({ project } = world);
  await project.create("staging", { env_variables: { REGION: "eu", API_KEY: "sk-of-staging" } });
  await project.set("staging", { "flows/a": { v: 1 } }, { version: "v1.1.0" });
  await project.create("production", { base: "staging", env_variables: { API_KEY: "sk-of-production" } });
});

/** Everything that a project holds: its documents, and which secrets are in the vault. */
async function stateOf({ store }: Access): Promise<unknown> {
  return [await documents(store), await vaultEntries(store)];
}

async function refusedWithoutTrace(asked: Promise<unknown>, before: unknown): Promise<string> {
  const code = await codeOf(asked);
  expect(await stateOf(world)).toEqual(before);
  return code;
}

const as = (role: Role, ...grants: readonly Grant[]) => project.as(holderOf(`a-${role}`, grant(role), ...grants));

describe("in a protected environment", () => {
  beforeEach(async () => {
    await project.create("pr-1", { base: "staging", type: "preview", expires_in: "72h" });
    await project.policy({ environments: { production: { protected: true }, "type:preview": { protected: true } } });
  });

  const on = (who: Project, env: string) => ({ project: who.id, env });
  type Change = (who: Project) => Promise<unknown>;
  interface Changing {
    readonly what: string;
    readonly change: Change;
    /** What must be done before. */
    readonly ready?: Change;
  }
  const archive: Change = (who) => who.domain.environments.archive(who.caller, on(who, "production"));
  const hold: Change = (who) => who.domain.environments.hold(who.caller, on(who, "production"));
  const changes: readonly Changing[] = [
    { what: "sets a var", change: (who) => who.configure("production", { vars: { REGION: "us" } }) },
    { what: "sets a secret", change: (who) => who.configure("production", { secrets: { API_KEY: "sk-changed" } }) },
    { what: "sets a flag", change: (who) => who.configure("production", { flags: { beta: true } }) },
    { what: "unsets a var", change: (who) => who.configure("production", { unset: ["vars/REGION"] }) },
    { what: "rolls back", change: (who) => who.rollback("production", 1) },
    { what: "plans a rollback", change: (who) => who.rollback("production", 1, { dry_run: true }) },
    { what: "archives", change: archive },
    { what: "restores", change: (who) => who.domain.previews.restore(who.caller, on(who, "production")), ready: archive },
    { what: "holds", change: hold },
    { what: "resumes", change: (who) => who.domain.environments.resume(who.caller, on(who, "production")), ready: hold },
    { what: "moves a preview's end", change: (who) => who.domain.previews.extend(who.caller, { ...on(who, "pr-1"), expires_in: "1h" }) },
    { what: "asks for a preview again", change: (who) => who.create("pr-1", { type: "preview", expires_in: "1h" }) },
    {
      what: "asks for a preview again, with a secret",
      change: (who) => who.create("pr-1", { type: "preview", env_variables: { API_KEY: "sk-preview" } }),
    },
  ];

  test.each(changes)("an editor who $what is refused, and changes nothing: a promoter may", async ({ change, ready }) => {
    await ready?.(project);
    const before = await stateOf(world);
    expect(await refusedWithoutTrace(change(as("editor")), before)).toBe("forbidden");
    expect(await refusedWithoutTrace(change(as("editor", grant("promoter", [PROJECT], ["staging"]))), before)).toBe("forbidden");
    expect(await refusedWithoutTrace(change(as("editor", grant("promoter", ["pf-1"], ["*"]))), before)).toBe("forbidden");
    await change(as("promoter"));
  });

  test.each(changes)("an engine or an admin who $what may, too", async ({ change, ready }) => {
    await ready?.(project);
    for (const who of [as("engine"), as("admin")]) {
      const error = await change(who).then(
        () => undefined,
        (thrown: { readonly code?: string }) => thrown.code,
      );
      // The second finds done what the first did.
      expect([undefined, "invalid_transition", "environment_archived"]).toContain(error);
    }
  });

  test.each(changes)("an editor who $what may, where it is not protected", async ({ change, ready }) => {
    await project.policy({});
    await ready?.(project);
    await change(as("editor"));
  });

  test("the state is changed by promotion alone, whoever asks", async () => {
    const before = await stateOf(world);
    const caller = holderOf("ann", grant("admin"), grant("promoter"), grant("engine"));
    for (const who of [as("editor"), as("promoter"), as("engine"), as("admin"), project.as(caller), project]) {
      const replace = who.domain.state.replace(who.caller, { project: PROJECT, env: "production", state: {}, ifMatch: null });
      expect(await refusedWithoutTrace(replace, before)).toBe("environment_protected");
      expect(await refusedWithoutTrace(who.set("production", { "flows/b": {} }), before)).toBe("environment_protected");
      expect(await refusedWithoutTrace(who.remove("production", "flows/a"), before)).toBe("environment_protected");
    }
    // A preview's base is its state: whom the change of config would be forbidden to is told that.
    expect(await refusedWithoutTrace(as("editor").create("pr-1", { type: "preview", base: "staging" }), before)).toBe("forbidden");
    for (const who of [as("promoter"), as("admin")]) {
      expect(await refusedWithoutTrace(who.create("pr-1", { type: "preview", base: "staging" }), before)).toBe("environment_protected");
    }
  });

  test("an editor still makes new ones: what there is not yet is nobody's", async () => {
    expect(await as("editor").create("pr-2", { type: "preview", base: "staging" })).toMatchObject({ status: "env_created" });
    expect(await codeOf(as("editor").create("pr-2", { type: "preview", expires_in: "1h" }))).toBe("forbidden");
  });

  test("over HTTP it is 403 to an editor, in words that name the environment, and 409 where the state is meant", async () => {
    const { as: ask } = await serveTo(world.domain);
    const { token } = await world.domain.tokens.create(ROOT, { name: "ed", role: "editor", projects: [PROJECT] });
    const path = `/env/${PROJECT}/production`;
    const patched = await ask(token, { method: "PATCH", path: `${path}/config`, body: { vars: { REGION: "us" } } });
    expect(patched).toMatchObject({
      status: 403,
      body: { code: "forbidden", reason: expect.stringContaining('change "production", which is protected') },
    });
    const state = await ask(token, { method: "PATCH", path: `${path}/state`, body: { set: { "flows/b": {} } } });
    expect(state).toMatchObject({ status: 409, body: { code: "environment_protected" } });
  });
});

describe("a promotion that waits is its target's", () => {
  let id: string;

  beforeEach(async () => {
    await project.create("canary", { base: "staging" });
    await project.set("staging", { "flows/b": { v: 1 } });
    await project.policy({ environments: { production: { approvals: 1 } } });
    id = (await project.as(caller("requester")).promote("staging", "production")).promotion_id ?? "";
  });

  const decide = (who: Grant | readonly Grant[], decision: "approve" | "reject", which = id) =>
    world.domain.pending[decision](holderOf("ben", ...[who].flat()), { project: PROJECT, id: which });

  test.each(["approve", "reject"] as const)(
    "whoever cannot read there cannot %s it: it looks like one that there is not",
    async (decision) => {
      const before = await stateOf(world);
      const missing = id.replace(/.$/, id.endsWith("0") ? "1" : "0");
      for (const who of [grant("promoter", [PROJECT], ["staging"]), grant("admin", [PROJECT], ["canary", "staging"], ["secrets:reveal"])]) {
        const [foreign, none] = [await errorOf(decide(who, decision)), await errorOf(decide(who, decision, missing))];
        expect(foreign.code).toBe("promotion_not_found");
        expect({ ...foreign, message: foreign.message.replace(id, missing) }).toEqual({ ...none, message: none.message });
      }
      expect(await stateOf(world)).toEqual(before);
      expect(await decide(grant("promoter", [PROJECT], ["production"]), decision)).toMatchObject({ environment: "production" });
    },
  );

  test.each(["approve", "reject"] as const)("whoever may read there, and %s elsewhere alone, is refused", async (decision) => {
    const before = await stateOf(world);
    for (const role of ["reader", "editor", "engine"] as const) {
      const grants = [grant(role, [PROJECT], ["production"]), grant("promoter", [PROJECT], ["staging", "canary"])];
      expect(await codeOf(decide(grants, decision))).toBe("forbidden");
    }
    expect(await stateOf(world)).toEqual(before);
  });

  test("over HTTP the same bytes tell of one that is hidden and of one that there is not", async () => {
    const { as: ask } = await serveTo(world.domain);
    const { token } = await world.domain.tokens.create(ROOT, { name: "ben", ...grant("promoter", [PROJECT], ["staging"]) });
    const missing = "0".repeat(id.length);
    const body = { project_id: PROJECT };
    for (const decision of ["approve", "reject"]) {
      const reply = async (which: string) => {
        const path = `/env/promotions/${which}/${decision}`;
        const { status, text, headers } = await ask(token, { method: "POST", path, body, headers: { "x-request-id": "same" } });
        return { status, text: text.replaceAll(which, "<id>"), headers: { ...headers, date: "" } };
      };
      expect(await reply(id)).toEqual(await reply(missing));
      expect((await reply(id)).status).toBe(404);
    }
  });

  test("whoever is refused leaves nothing behind, not even a timer", async () => {
    const before = await documents(world.store, SYSTEM_PARTITION);
    expect(await codeOf(decide(grant("promoter", [PROJECT], ["staging"]), "approve"))).toBe("promotion_not_found");
    expect(await documents(world.store, SYSTEM_PARTITION)).toEqual(before);
  });
});

describe("skipping checks", () => {
  beforeEach(async () => {
    await project.set("staging", { "flows/b": { v: 1 } });
    await project.policy({ environments: { production: { soak: "30d", forceable: ["soak_time"] } } });
  });

  const force = { force: { reason: "An incident." } } as const;

  test("is for admins of the target alone", async () => {
    const before = await stateOf(world);
    const elsewhere = grant("admin", [PROJECT], ["staging"]);
    for (const who of [as("promoter"), as("engine"), as("promoter", elsewhere)]) {
      expect(await refusedWithoutTrace(who.promote("staging", "production", force), before)).toBe("forbidden");
      expect(await refusedWithoutTrace(who.plan("staging", "production", force), before)).toBe("forbidden");
    }
    const admin = project.as(holderOf("ann", grant("admin", [PROJECT], ["production"])));
    expect(await admin.promote("staging", "production", force)).toMatchObject({ status: "ready_for_deploy" });
  });
});

describe("the secrets of a base", () => {
  const revealing = (role: Role, ...envs: readonly string[]) => grant(role, [PROJECT], envs, ["secrets:reveal"]);

  test("are copied for whoever may reveal them there, and for nobody else", async () => {
    const before = await stateOf(world);
    for (const who of [as("editor"), as("admin"), as("editor", revealing("reader", "production", "new")), as("editor", grant("client"))]) {
      expect(await refusedWithoutTrace(who.create("new", { base: "staging", secrets: "copy" }), before)).toBe("forbidden");
    }
    expect(await as("admin").create("without", { base: "staging" })).toMatchObject({ secrets_unbound: ["API_KEY"] });
    expect(await project.secrets("without")).toEqual({});
    await as("editor", revealing("reader", "staging")).create("with", { base: "staging", secrets: "copy" });
    expect(await project.secrets("with")).toEqual({ API_KEY: "sk-of-staging" });
  });

  test("are told apart from another's only by whoever may reveal both", async () => {
    const secrets = async (...grants: readonly Grant[]) => (await as("reader", ...grants).compare("staging", "production")).secrets;
    for (const grants of [[], [revealing("reader", "staging")], [revealing("reader", "production")], [grant("client")]]) {
      expect(await secrets(...grants)).toMatchObject({ undisclosed: ["API_KEY"], different: [], same_count: 0 });
    }
    const both = await secrets(revealing("reader", "staging"), revealing("reader", "production"));
    expect(both).toMatchObject({ different: [{ name: "API_KEY" }] });
    expect(both).not.toHaveProperty("undisclosed");
  });

  test("are revealed where the right is, and in no other place, and each time that is recorded first", async () => {
    const who = holderOf("ann", grant("admin"), revealing("reader", "staging"));
    const reveal = (env: string) => world.domain.config.reveal(who, { project: PROJECT, env });
    expect((await reveal("staging")).secrets).toEqual({ API_KEY: "sk-of-staging" });
    const before = await stateOf(world);
    expect(await refusedWithoutTrace(reveal("production"), before)).toBe("forbidden");
    expect(await refusedWithoutTrace(world.domain.config.runtime(who, PROJECT, "production", {}), before)).toBe("forbidden");
    const { items } = await world.domain.audit.list(ROOT, PROJECT, { limit: 10, cursor: null }, { action: "reveal" });
    expect(items).toMatchObject([{ actor: "ann", token: who.token, environment: "staging", details: { secrets: ["API_KEY"] } }]);
  });
});
