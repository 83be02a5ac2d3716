import { names } from "../narration.ts";
import type { Config } from "../replies.ts";
import { PROJECT } from "../telling.ts";
import type { Previewed, Unavailable } from "./replies.ts";
import type { Scene } from "./scene.ts";

const OUTAGE_FLOW = "operations/monthly-report";
const SECRET = { secrets: { SLACK_WEBHOOK_URL: "https://hooks.example/dummy-staging/rotated" }, message: "Rotated" };

/** The chapter on an outage: all six are gone. What needs one of them is refused or waits; the rest goes on. */
export async function tellOutage(scene: Scene): Promise<void> {
  scene.step("All six engines are stopped. Reads go on");
  await scene.family.stop();
  await scene.environment("production");
  await scene.ada.ask<Config>({
    method: "GET",
    path: `/env/${PROJECT}/production/config`,
    shows: ({ vars, secrets }) => [`vars: ${names(Object.keys(vars))}`, `secrets that are set: ${names(Object.keys(secrets))}`],
  });

  scene.step("So do changes, and config without secrets");
  await scene.flow(OUTAGE_FLOW, "record.query");
  await scene.write("PATCH", "staging/config", { vars: { LOG_SAMPLING: "0.1" }, message: "Log less" });

  scene.step("What needs the Validation engine's word is refused: nothing comes to staging unseen");
  await refused(scene, "POST", "/env/promote", { project_id: PROJECT, source_env: "development", target_env: "staging" });

  scene.step("A secret cannot be kept anywhere, so it is not taken");
  await refused(scene, "PATCH", `/env/${PROJECT}/staging/config`, SECRET);

  scene.step("A preview is made all the same, and says what it lacks");
  await preview(scene, "pr-143", 201);

  scene.step("A promotion that waits for approval waits");
  await scene.promote("staging", "production", { status: 202 });

  scene.step("What was to be told waits in the audit log, and is counted");
  await scene.ada.awaits(
    `/env/${PROJECT}/sinks`,
    "three engines that fail",
    ({ items }: { readonly items: readonly { readonly state: string }[] }) => items.every(({ state }) => state === "failing"),
  );
  await scene.sinks();

  scene.step("The engine itself is ready, and says which of its siblings are not");
  await scene.ready();
}

/** Makes a preview, or brings it up to date. */
export function preview(scene: Scene, env: string, status: number): Promise<Previewed> {
  return scene.ada.ask<Previewed>({
    method: "POST",
    path: "/env/create",
    // Without secrets: to copy them takes the Vault.
    body: { project_id: PROJECT, new_environment: env, base_from: "development", type: "preview", expires_in: "72h", secrets: "empty" },
    status,
    shows: ({ linked_version, url, warning }) => [
      `version: ${linked_version}, at ${url}`,
      ...(warning === undefined ? [] : [`warning: ${warning}`]),
    ],
  });
}

/** The same request as in the outage, once the Vault is back. */
export async function rotate(scene: Scene): Promise<void> {
  await scene.ada.ask({ method: "PATCH", path: `/env/${PROJECT}/staging/config`, body: SECRET, meanwhile: 503, shows: () => [] });
}

function refused(scene: Scene, method: "POST" | "PATCH", path: string, body: object): Promise<Unavailable> {
  return scene.ada.ask<Unavailable>({
    method,
    path,
    body,
    status: 503,
    shows: ({ reason, fix_suggestion }) => [reason, `fix: ${fix_suggestion}`],
  });
}
