import type { AuditRecord } from "../api.ts";

/** Audit records as sentences. What has no words of its own is told by its name. */

type Words = (record: AuditRecord) => string;

const WORDS: Readonly<Record<string, Words>> = {
  create: ({ environment, version }) => `Created ${environment} at ${version}`,
  update: ({ version }) => `Changed the platform: ${version}`,
  config: ({ version }) => `Changed the configuration: ${version}`,
  promote: ({ environment, version }) => `Promoted ${version} to ${environment}`,
  rollback: ({ environment, version }) => `Rolled ${environment} back to ${version}`,
  rollback_failed: ({ environment }) => `Could not roll ${environment} back after a failed deployment`,
  request_promotion: ({ environment, version }) => `Asked to promote ${version} to ${environment}`,
  approve: ({ environment, version }) => `Approved ${version ?? "a promotion"} for ${environment}`,
  reject: ({ environment, version }) => `Turned down ${version ?? "a promotion"} for ${environment}`,
  hold: ({ environment }) => `Put ${environment} on hold`,
  resume: ({ environment }) => `Let ${environment} go on`,
  expire: ({ environment }) => `${environment} expired`,
  extend: ({ environment }) => `Extended ${environment}`,
  restore: ({ environment }) => `Brought ${environment} back`,
  archive: ({ environment }) => `Archived ${environment}`,
  clear: ({ environment }) => `Took the passwords of ${environment} out of the vault`,
  deployment: ({ version, details }) => `Deployment of ${version}: ${String(details.status ?? "reported")}`,
  policy: () => "Changed the policy",
  reveal: () => "Revealed passwords",
  collect: () => "Cleared away what nothing refers to",
};

export function recordInWords(record: AuditRecord): string {
  return WORDS[record.action]?.(record) ?? `${record.action.replaceAll("_", " ")}${record.version === null ? "" : ` (${record.version})`}`;
}

export function detailsOf({ details }: AuditRecord): readonly { readonly name: string; readonly value: string }[] {
  return Object.entries(details).map(([name, value]) => ({ name, value: typeof value === "string" ? value : JSON.stringify(value) }));
}
