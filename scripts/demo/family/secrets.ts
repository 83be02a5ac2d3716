import { names } from "../narration.ts";
import { PROJECT } from "../telling.ts";
import type { Scene } from "./scene.ts";

const ENVIRONMENTS = ["development", "staging", "production"] as const;

/** The chapter on secrets: three environments, and what the Vault has of each. */
export async function tellSecrets(scene: Scene): Promise<void> {
  const { state, development, staging, production } = scene.inputs;
  scene.step("Three environments, each with secrets of its own");
  await scene.create({ new_environment: "development" });
  await scene.write("PUT", "development/state", { state, message: "First import" });
  await scene.write("PATCH", "development/config", { ...development });
  await scene.create({ new_environment: "staging", base_from: "development", env_variables: staging });
  await scene.create({ new_environment: "production", base_from: "staging", env_variables: production, secrets: "empty" });

  scene.step("The Vault has a project for each environment: every value of a secret is an entry of its own");
  for (const env of ENVIRONMENTS) scene.sees("Vault", tokensPath(env), [await secretNames(scene, env)]);
}

/** The names of an environment's secrets, as the Vault has them: a name and which of its values it is. */
export async function secretNames({ family }: Pick<Scene, "family">, env: string): Promise<string> {
  const reply = await fetch(family.vault.url + tokensPath(env));
  const { tokens = {} } = (await reply.json()) as { readonly tokens?: Readonly<Record<string, string>> };
  return names(Object.keys(tokens).sort());
}

export function tokensPath(env: string): string {
  return `/vault/tokens/${encodeURIComponent(`${PROJECT}/${env}`)}`;
}
