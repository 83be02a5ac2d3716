import type { Client } from "./client.ts";
import { notificationFeature } from "./feature.ts";
import { tellRules } from "./governed-story.ts";
import { bindingsFor, type Inputs } from "./inputs.ts";
import { type Narration, names } from "./narration.ts";
import { countComponents, type JsonValue, type RequiredKey, requiredKeys } from "./platform.ts";
import type {
  CollectionReply,
  Comparison,
  Config,
  Created,
  Differences,
  Promoted,
  Refused,
  Reported,
  RevisionPage,
  RolledBack,
  TokenReply,
  Verified,
  Written,
} from "./replies.ts";
import { checkLines, PROJECT } from "./telling.ts";

/** The whole loop, through HTTP alone: each step asks the engine and shows what came back. Throws `StepFailed`. */
export async function tellStory(root: Client, narration: Narration, inputs: Inputs): Promise<void> {
  const { ada, ben } = await hireTeam(root, narration);
  const story = new Story(ada, narration, inputs);
  await story.environments();
  await story.feature();
  await story.release();
  await story.lookAround();
  await tellRules(ada, narration, ben);
  await story.goBack();
}

/** Who works on the project: each has a token of their own, with what they need and nothing more. */
export async function hireTeam(root: Client, narration: Narration): Promise<{ readonly ada: Client; readonly ben: Client }> {
  narration.step("The root token makes two others: Ada looks after this project, Ben releases to production");
  const hire = async (name: string, grant: object): Promise<Client> => {
    const { token } = await root.ask<TokenReply>({
      method: "POST",
      path: "/tokens",
      body: { name, projects: [PROJECT], ...grant },
      status: 201,
      shows: ({ role, envs, rights, expires_at }) => [
        `${name}: ${names([role, ...rights])} in ${envs.includes("*") ? "all environments" : names(envs)} of ${PROJECT}, until ${expires_at}`,
      ],
    });
    return root.as({ name, token });
  };
  const ada = await hire("ada", { role: "admin", rights: ["secrets:reveal"] });
  const ben = await hire("ben", { role: "promoter", envs: ["staging", "production"] });

  narration.step("What Ben may not do is refused, and what is not his does not exist for him");
  await ben.ask<Refused>({
    method: "POST",
    path: "/tokens",
    body: { name: "eve", role: "admin", projects: ["*"] },
    status: 403,
    shows: ({ reason, fix_suggestion }) => [reason, `fix: ${fix_suggestion}`],
  });
  await ben.ask<Refused>({ method: "GET", path: "/env/somebody-elses", status: 404, shows: ({ reason }) => [reason] });
  return { ada, ben };
}

class Story {
  readonly #client: Client;
  readonly #narration: Narration;
  readonly #inputs: Inputs;
  /** The version that production ran before the feature came. */
  #released = "";

  constructor(client: Client, narration: Narration, inputs: Inputs) {
    this.#client = client;
    this.#narration = narration;
    this.#inputs = inputs;
  }

  async environments(): Promise<void> {
    const { state, development, staging, production } = this.#inputs;
    this.#narration.step("A project begins with its first environment: development");
    await this.#create({ new_environment: "development" });

    this.#narration.step(`The platform goes in: ${countComponents(state)} components`);
    await this.#write("PUT", "development/state", { state, message: "First import" });

    this.#narration.step("Development gets its own config: vars, secrets (to the vault) and feature flags");
    await this.#write("PATCH", "development/config", development);

    this.#narration.step("Staging is created from development, with its own env_variables");
    await this.#create({ new_environment: "staging", base_from: "development", env_variables: staging });

    this.#narration.step("Production is created from staging: the same version, no secret of staging's");
    const created = await this.#create({
      new_environment: "production",
      base_from: "staging",
      env_variables: production,
      secrets: "empty",
    });
    this.#released = created.linked_version;
  }

  async feature(): Promise<void> {
    const { set, variables } = notificationFeature(this.#inputs.state);
    this.#narration.step("A feature is built in development: entity Notification, two flows that use it, and a key that they need");
    await this.#write("PATCH", "development/state", { set, message: "Notifications" });

    this.#narration.step("Staging takes it, and binds the new key in the same request");
    await this.#promote({ source_env: "development", target_env: "staging", env_variables: variables });
  }

  async release(): Promise<void> {
    const request = { source_env: "staging", target_env: "production" };
    this.#narration.step("Production refuses it: a required key is not bound there, and nobody else's value is used instead");
    await this.#client.ask<Refused>({
      method: "POST",
      path: "/env/promote",
      body: { project_id: PROJECT, ...request },
      status: 409,
      shows: ({ reason, details }) => [reason, ...details.checks.filter(({ status }) => status === "failed").flatMap(checkLines)],
    });

    this.#narration.step("What production lacks, it gets");
    const missing = await this.#unbound("production");
    await this.#write("PATCH", "production/config", { ...bindingsFor(missing, "production"), message: "For notifications" });

    this.#narration.step("A dry run shows what would happen");
    const plan = await this.#promote({ ...request, dry_run: true });

    this.#narration.step("Exactly that plan is applied: production is ready for deployment");
    const { version, revision } = await this.#promote({ ...request, plan_id: plan.plan_id, message: "Notifications for everyone" });

    this.#narration.step("The deployment planner reports that it is live");
    const report = { env: "production", version, revision, status: "deployed", url: "https://portal.example", version_id: "deployment-1" };
    await this.#client.ask<Reported>({
      method: "POST",
      path: "/env/deployments",
      body: { project_id: PROJECT, ...report },
      shows: (reply) => (reply.sync_status === undefined ? [] : [`production is ${reply.sync_status}`]),
    });
  }

  async lookAround(): Promise<void> {
    this.#narration.step("Staging and production are compared: one platform, each with config of its own");
    await this.#client.ask<Comparison>({
      method: "GET",
      path: `/env/compare?project_id=${PROJECT}&left=staging&right=production`,
      shows: (reply) => [
        `components: ${difference(reply.components)}`,
        `vars:       ${difference(reply.vars)}`,
        `flags:      ${difference(reply.flags)}`,
        `secrets:    ${difference(reply.secrets)}`,
      ],
    });
  }

  async goBack(): Promise<void> {
    this.#narration.step(`Production is rolled back to ${this.#released}: platform and config return together`);
    await this.#client.ask<RolledBack>({
      method: "POST",
      path: "/env/rollback",
      body: { project_id: PROJECT, env: "production", to: this.#released, message: "Too many notifications" },
      shows: (reply) => [
        `version: ${reply.version}, as revision ${reply.revision}`,
        `config that changed: ${names(reply.diff_from_previous.env_updated)}`,
      ],
    });

    this.#narration.step("Nothing was lost on the way: production's version log");
    await this.#client.ask<RevisionPage>({
      method: "GET",
      path: `/env/${PROJECT}/production/revisions`,
      shows: ({ items }) =>
        items.map(({ revision, version, action, message }) =>
          `${revision}  ${version.padEnd(8)} ${action.padEnd(9)} ${message ?? ""}`.trimEnd(),
        ),
    });

    this.#narration.step("The audit log is a hash chain: it verifies");
    await this.#client.ask<Verified>({
      method: "GET",
      path: `/env/${PROJECT}/audit/verify`,
      shows: ({ valid, records, head }) => [`valid: ${valid}, ${records} records`, `head: ${head}`],
    });
  }

  #create(body: Readonly<Record<string, unknown>>): Promise<Created> {
    return this.#client.ask<Created>({
      method: "POST",
      path: "/env/create",
      body: { project_id: PROJECT, ...body },
      status: 201,
      shows: ({ linked_version, url, stored, secrets_unbound }) => [
        `version: ${linked_version}, at ${url}`,
        `kept as vars: ${names(stored.vars)}`,
        `kept as secrets: ${names(stored.secrets)}`,
        ...(secrets_unbound.length === 0 ? [] : [`secrets still to be set: ${names(secrets_unbound)}`]),
      ],
    });
  }

  #write(method: "PUT" | "PATCH", path: string, body: object): Promise<Written> {
    return this.#client.ask<Written>({
      method,
      path: `/env/${PROJECT}/${path}`,
      body,
      shows: ({ version, revision }) => [`version: ${version}, revision ${revision}`],
    });
  }

  #promote(body: Readonly<Record<string, unknown>>): Promise<Promoted> {
    return this.#client.ask<Promoted>({
      method: "POST",
      path: "/env/promote",
      body: { project_id: PROJECT, ...body },
      shows: ({ version, checks, diff_from_previous: { entities_added, logic_changed, env_updated } }) => [
        `version: ${version}`,
        `entities_added: ${names(entities_added)}; logic_changed: ${logic_changed}; env_updated: ${names(env_updated)}`,
        ...checks.filter(({ status }) => status !== "skipped").flatMap(checkLines),
      ],
    });
  }

  /** The keys that the platform requires and that an environment neither binds nor finds a default for. */
  async #unbound(env: string): Promise<readonly RequiredKey[]> {
    const { components } = await this.#client.ask<CollectionReply>({
      method: "GET",
      path: `/env/${PROJECT}/staging/state/requires`,
      shows: (reply) => [`${Object.keys(reply.components).length} keys are required`],
    });
    const config = await this.#client.ask<Config>({ method: "GET", path: `/env/${PROJECT}/${env}/config`, shows: () => [] });
    const bound: Readonly<Record<RequiredKey["kind"], Readonly<Record<string, JsonValue>>>> = {
      var: config.vars,
      secret: config.secrets,
      flag: config.flags,
    };
    return requiredKeys({ requires: components }).filter(({ name, kind, hasDefault }) => !hasDefault && !Object.hasOwn(bound[kind], name));
  }
}

function difference({ only_left, only_right, different, same_count }: Differences): string {
  const parts = [
    only_left.length > 0 && `only in staging: ${names(only_left)}`,
    only_right.length > 0 && `only in production: ${names(only_right)}`,
    different.length > 0 && `different: ${names(different.map(({ name }) => name))}`,
  ];
  return [...parts.filter((part) => part !== false), `${same_count} the same`].join("; ");
}
