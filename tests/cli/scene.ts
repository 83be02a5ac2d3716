import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { WorkTree } from "../git/work-tree.ts";
import type { Engine } from "../support/engine.ts";
import type { Cli } from "./support.ts";

/** A project as somebody would have it who types the examples of the help. */
export interface Scene {
  readonly project: string;
  /** What the examples name by a variable of the shell. */
  readonly variables: Readonly<Record<string, string>>;
}

export type SceneKind = "usual" | "empty" | "archived" | "held" | "waiting" | "following" | "mirrored";

interface TokenReply {
  readonly id: string;
  readonly token: string;
}

const welcome = { trigger: "Customer.created", actions: [] };

/** Files that the examples name. */
export function writeExampleFiles(cli: Cli, token: string): void {
  cli.file("token.txt", `${token}\n`);
  cli.file("motd.txt", "Hello\nthere\n");
  cli.file("key.txt", "key-1\n");
  cli.file("mirror_key", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n");
  cli.file("known_hosts", "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n");
  cli.file("tls.pem", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n");
  cli.file("colour.flag.json", JSON.stringify({ state: "ENABLED", variants: { red: "#f00", blue: "#00f" }, defaultVariant: "red" }));
  cli.file("flags.json", JSON.stringify({ flags: { "new-checkout": true } }));
  cli.file("welcome.json", JSON.stringify(welcome));
  cli.file("platform.json", JSON.stringify({ entities: { Customer: { fields: {} } }, flows: { welcome } }));
  cli.file("feature.json", JSON.stringify({ entities: { Order: { fields: {} } } }));
  cli.file("policy.yaml", "pipeline: [development, staging, production]\nenvironments:\n  production: { protected: true }\n");
  cli.file(".env", "# Settings\nexport API_URL=https://env.example.com\nNEW_TOKEN='t'\n");
  repository(join(cli.folder, "platform-repo"));
  cli.file("app.js", "console.log(process.env.API_URL);\n");
}

/** A repository with a branch for each environment, and a folder for each too. */
function repository(folder: string): void {
  mkdirSync(folder);
  const tree = new WorkTree(folder);
  tree.commit("Begin", { "platform/flows/pulled.json": welcome, "deploy/qa/platform/flows/pulled.json": welcome });
  tree.commit("Go on", { "platform/flows/pulled.json": { ...welcome, steps: 2 } });
  tree.git("branch", "staging");
}

export async function setScene(engine: Engine, project: string, kind: SceneKind): Promise<Scene> {
  const variables: Record<string, string> = {};
  if (kind !== "empty") await environments(engine, project);
  if (kind === "archived") await done(engine, "/env/archive", { project_id: project, env: "qa" });
  if (kind === "held") await done(engine, "/env/hold", { project_id: project, env: "staging" });
  if (kind === "mirrored") await done(engine, `/env/${project}/git/mirror`, { url: "https://git.example.com/x.git", token: "t" }, "PUT");
  if (kind === "following")
    await done(engine, `/env/${project}/staging/git`, { url: "https://git.example.com/platform.git", branch: "main" }, "PUT");
  const token = await made(engine, { name: "somebody", role: "promoter", projects: [project] });
  variables["TOKEN_ID"] = token.id;
  if (kind === "waiting") {
    await done(engine, `/env/${project}/policy`, { environments: { production: { approvals: 1 } } }, "PUT");
    const asked = await engine.request<{ promotion_id: string }>(
      "POST",
      "/env/promote",
      { project_id: project, source_env: "staging", target_env: "production" },
      { authorization: `Bearer ${token.token}` },
    );
    variables["PROMOTION"] = asked.body.promotion_id;
  }
  if (kind !== "empty") variables["HEAD"] = (await engine.get<{ head: string }>(`/env/${project}/audit/verify`)).body.head;
  return { project, variables };
}

async function environments(engine: Engine, project: string): Promise<void> {
  const create = (body: object) => done(engine, "/env/create", { project_id: project, ...body });
  await create({
    new_environment: "development",
    env_variables: { API_URL: "https://dev.example.com", OLD_URL: "x", API_KEY: "k", OLD_KEY: "k" },
  });
  await done(
    engine,
    `/env/${project}/development/state`,
    { set: { "flows/welcome": welcome, "flows/old": welcome, "entities/Customer": { fields: { name: "text" } } } },
    "PATCH",
  );
  await done(engine, `/env/${project}/development/config`, { flags: { "new-checkout": false, "old-checkout": true } }, "PATCH");
  await create({ new_environment: "staging", base_from: "development" });
  await create({ new_environment: "production" });
  await done(engine, `/env/${project}/production/config`, { vars: { REGION: "eu" } }, "PATCH");
  await done(engine, `/env/${project}/production/config`, { vars: { REGION: "us" } }, "PATCH");
  await create({ new_environment: "qa", base_from: "staging" });
  await create({ new_environment: "pr-142", base_from: "staging", type: "preview" });
}

async function made(engine: Engine, body: object): Promise<TokenReply> {
  return (await engine.request<TokenReply>("POST", "/tokens", body)).body;
}

async function done(engine: Engine, path: string, body: object, method: "POST" | "PUT" | "PATCH" = "POST"): Promise<void> {
  const reply = await engine.request(method, path, body);
  if (reply.status >= 300) throw new Error(`${method} ${path} answered ${reply.status}: ${reply.text}`);
}
