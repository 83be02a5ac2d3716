import type { AuditRecord, Revision } from "../api.ts";
import { changedWhat } from "../words.ts";

/** Audit records as sentences. What has no words of its own is told by its name. */

type Words = (record: AuditRecord) => string;

const DEPLOYED: Readonly<Record<string, string>> = {
  deploying: "Began to deploy",
  deployed: "Deployed",
  failed: "Could not deploy",
};

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
  deployment: ({ version, environment, details }) => `${DEPLOYED[String(details.status)] ?? "Deployment of"} ${version} to ${environment}`,
  validation_failed: ({ environment, version }) => `Could not promote ${version} to ${environment}: its flows are not valid`,
  void_promotion: ({ environment, version }) => `The promotion of ${version} to ${environment} was overtaken by a change`,
  expire_promotion: ({ environment, version }) => `Nobody answered in time about ${version} for ${environment}`,
  preview_url: ({ environment }) => `${environment} has an address`,
  webhook_created: () => "Made a webhook",
  webhook_updated: () => "Changed a webhook",
  webhook_deleted: () => "Deleted a webhook",
  webhook_rotated: () => "Gave a webhook another secret",
  webhook_disabled: () => "Switched a webhook off",
  git_source: ({ environment, details }) =>
    details.removed === true ? `${environment} follows no repository any more` : `Let ${environment} follow a repository`,
  pull: ({ environment }) => `Looked for news in the repository of ${environment}: nothing changed`,
  pull_refused: ({ environment }) => `Could not take over what was pushed for ${environment}`,
  mirror_set: () => "Set up a mirror in another repository",
  mirror_removed: () => "Removed the mirror",
  policy: () => "Changed the policy",
  reveal: () => "Revealed passwords",
  collect: () => "Cleared away what nothing refers to",
};

export function recordInWords(record: AuditRecord): string {
  return WORDS[record.action]?.(record) ?? `${record.action.replaceAll("_", " ")}${record.version === null ? "" : ` (${record.version})`}`;
}

/** Why it was done, as whoever did it said. */
export function reasonOf({ details }: Pick<AuditRecord, "details">): string | null {
  const said = [details.message, details.reason, details.comment].find((each) => typeof each === "string" && each !== "");
  return typeof said === "string" ? said : null;
}

/** What it changed, where that is counted: `2 components changed, 1 value (API_URL)`. */
export function changeOf({ details }: Pick<AuditRecord, "details">): string | null {
  const { changes } = details;
  return typeof changes === "object" && changes !== null ? changedWhat({ changes: changes as unknown as Revision["changes"] }) : null;
}

export function detailsOf({ details }: AuditRecord): readonly { readonly name: string; readonly value: string }[] {
  return Object.entries(details).map(([name, value]) => ({ name, value: typeof value === "string" ? value : JSON.stringify(value) }));
}
