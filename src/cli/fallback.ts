import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { EnvmError } from "../sdk/errors.ts";
import { fileStore } from "../sdk/node.ts";
import { seal, unseal } from "../sdk/sealing.ts";
import type { Context } from "./context.ts";
import { systemCode, usage } from "./failure.ts";
import { loginFile } from "./settings.ts";
import { longName } from "./short-names.ts";
import { span } from "./telling.ts";
import { fetchVariables, type SecretsWanted, type Variables } from "./variables.ts";

interface Kept {
  readonly at: string;
  readonly variables: Variables;
}

/** Why the engine's copy is not to be had: what it refuses is no reason to go on with what it allowed once. */
const AWAY: ReadonlySet<string> = new Set([
  "connection_failed",
  "timeout",
  "invalid_answer",
  "internal_error",
  "overloaded",
  "shutting_down",
  "store_unavailable",
  "vault_unavailable",
  "identity_unavailable",
]);

/** Where a copy is kept that no file is named for: one for each environment, as it is typed. */
export function usualPlace({ settings, project }: Context, wanted: SecretsWanted): string {
  const whose = [settings.url, project, settings.env ?? "", wanted].join("\n");
  return join(dirname(loginFile()), "copies", `${createHash("sha256").update(whose).digest("hex").slice(0, 32)}.envm`);
}

/** The engine's variables, which are kept sealed; or, while it is away, those that were. Sealed with the token, or with ENVM_FALLBACK_KEY. */
export async function withFallback(context: Context, path: string, wanted: SecretsWanted): Promise<Variables> {
  const key = process.env["ENVM_FALLBACK_KEY"]?.trim() || context.settings.token;
  if (!key)
    throw usage("There is nothing to seal the copy with.", "Set ENVM_FALLBACK_KEY, for example to what `openssl rand -hex 32` prints.");
  const store = fileStore(path);
  const about = (env: string) => ["envm run", context.settings.url, context.project, env, wanted].join("\n");
  const { output } = context;
  try {
    const variables = await fetchVariables(context, { secrets: wanted });
    const kept: Kept = { at: new Date().toISOString(), variables };
    await store.write(await seal(JSON.stringify(kept), key, about(variables.env))).catch((error: unknown) => {
      // The program matters more than its copy.
      output.warn(
        `The copy could not be kept in ${path} (${systemCode(error) ?? "unknown error"}): without it nothing starts while the engine is away.`,
      );
    });
    return variables;
  } catch (error) {
    if (!(error instanceof EnvmError) || !AWAY.has(error.code)) throw error;
    const sealed = await store.read().catch(() => null);
    if (sealed === null) throw error;
    const { at, variables } = JSON.parse(await opened(context, sealed, key, about).catch(alsoAway(error))) as Kept;
    output.warn(
      `${error.reason} Going on with the copy of revision ${variables.revision} (${variables.version}), which is ${span(Date.now() - Date.parse(at))} old.`,
    );
    return variables;
  }
}

/** Why the copy was to be opened at all is what somebody has to know first. */
function alsoAway({ reason }: EnvmError): (unreadable: unknown) => never {
  return (unreadable) => {
    if (!(unreadable instanceof EnvmError)) throw unreadable;
    throw new EnvmError(unreadable.code, { reason: `${reason} ${unreadable.reason}`, fix: unreadable.fix });
  };
}

/** Which environment a short name stands for cannot be asked now: both are tried. */
async function opened(context: Context, sealed: string, key: string, about: (env: string) => string): Promise<string> {
  const typed = context.settings.env ?? "";
  try {
    return await unseal(sealed, key, about(typed));
  } catch (error) {
    const long = longName(typed);
    if (long === null) throw error;
    return unseal(sealed, key, about(long));
  }
}
