import { AppError } from "../errors.ts";
import type { VaultSettings } from "./open.ts";

const DEFAULT_MOUNT = "secret";
const DEFAULT_PREFIX = "environment-manager";

/**
 * Which vault the settings name. `read` answers a setting's value, or `null` where it is not set.
 *
 *     vaultSettings((name) => ({ VAULT_URL: "http://127.0.0.1:4003" })[name] ?? null)
 *     // { kind: "puraify", url: "http://127.0.0.1:4003", token: null }
 *
 * @throws AppError `invalid_request`, naming the setting; no value of a credential is shown
 */
export function vaultSettings(read: (name: string) => string | null): VaultSettings {
  const url = read("VAULT_URL");
  const kind = (read("VAULT_KIND") ?? (url === null ? "builtin" : "puraify")).toLowerCase();
  if (kind === "builtin") return { kind };
  if (kind !== "puraify" && kind !== "kv2") throw wrong(`VAULT_KIND is "${kind}".`, "It must be one of: builtin, puraify, kv2.");
  if (url === null) throw wrong(`VAULT_KIND is ${kind}, so VAULT_URL must be set.`, "Set VAULT_URL to the vault's address.");
  const token = read("VAULT_TOKEN");
  if (kind === "puraify") return { kind, url, token };
  const [roleId, secretId] = [read("VAULT_ROLE_ID"), read("VAULT_SECRET_ID")];
  return {
    kind,
    url,
    mount: read("VAULT_MOUNT") ?? DEFAULT_MOUNT,
    prefix: read("VAULT_PREFIX") ?? DEFAULT_PREFIX,
    namespace: read("VAULT_NAMESPACE"),
    credentials: credentials(token, roleId, secretId),
  };
}

function credentials(token: string | null, roleId: string | null, secretId: string | null) {
  if (token !== null && roleId === null && secretId === null) return { token };
  if (token === null && roleId !== null && secretId !== null) return { roleId, secretId };
  throw wrong("VAULT_KIND=kv2 needs credentials.", "Set either VAULT_TOKEN, or both VAULT_ROLE_ID and VAULT_SECRET_ID.");
}

function wrong(reason: string, fix: string): AppError {
  return new AppError("invalid_request", { reason: `${reason} ${fix}`, fix });
}
