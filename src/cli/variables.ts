import { EnvmError } from "../sdk/errors.ts";
import type { Context } from "./context.ts";

/** What a program is given of an environment. */
export interface Variables {
  readonly vars: Readonly<Record<string, string>>;
  /** Values; empty where they were not asked for, or may not be shown. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Secrets that are set and not among them. */
  readonly left: readonly string[];
  readonly env: string;
  readonly version: string;
  readonly revision: number;
}

/** `needed`: without them it fails. `allowed`: where the token may reveal them. */
export type SecretsWanted = "needed" | "allowed" | "none";

/** Vars, with the platform's defaults, and secrets of one moment. */
export async function fetchVariables(context: Context, { secrets }: { readonly secrets: SecretsWanted }): Promise<Variables> {
  const { client, project } = context;
  const env = await context.env();
  if (secrets === "none") return varsAlone(context, env);
  try {
    const { vars, secrets: values, version, revision } = await client.getRuntime({ project, env });
    return { vars, secrets: values, left: [], env, version, revision };
  } catch (error) {
    if (secrets === "allowed" && error instanceof EnvmError && error.code === "forbidden") return varsAlone(context, env);
    throw error;
  }
}

async function varsAlone({ client, project }: Context, env: string): Promise<Variables> {
  const [config, first] = await Promise.all([client.getConfig({ project, env }), required(client, project, env)]);
  // Both of one revision, also where somebody writes between the two reads.
  const { defaults } =
    first.revision === null || first.revision === config.revision ? first : await required(client, project, env, config.revision);
  const { version, revision } = config;
  return { vars: { ...defaults, ...config.vars }, secrets: {}, left: Object.keys(config.secrets), env, version, revision };
}

/** The defaults that the platform declares, which `runtime` puts under the vars. */
async function required(client: Context["client"], project: string, env: string, at?: number) {
  try {
    const request = { project, env, collection: "requires", ...(at !== undefined && { at }) };
    const { components, revision } = await client.getCollection(request);
    const declared = Object.entries(components as Readonly<Record<string, { kind?: string; default?: unknown }>>);
    const defaults = declared
      .filter(([, item]) => item.kind === "var" && item.default !== undefined)
      .map(([name, item]) => [name, String(item.default)]);
    return { defaults: Object.fromEntries(defaults) as Record<string, string>, revision };
  } catch (error) {
    if (error instanceof EnvmError && error.code === "collection_not_found") return { defaults: {}, revision: null };
    throw error;
  }
}
