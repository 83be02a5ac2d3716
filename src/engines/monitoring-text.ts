import { LIMITS } from "../limits.ts";
import type { AuditRecord } from "../ports.ts";

/** What a log entry says of a record in words, and where it belongs. */
interface Told {
  /** As a person would say it: `ada promoted v2.3.1 to production`. */
  readonly message: string;
  readonly level: "info" | "warn" | "error";
  readonly event_type: string;
  readonly status: "success" | "pending" | "failed";
}

interface Saying extends Partial<Omit<Told, "message">> {
  readonly event_type: string;
  /** What follows the actor's name. */
  readonly does: (record: AuditRecord) => string;
}

const at = ({ version, environment }: AuditRecord, verb: string, joined = "to") => `${verb} ${version} ${joined} ${environment}`;
const on = (verb: string) => (record: AuditRecord) => `${verb} ${record.environment}`;
const plain = (text: string) => () => text;

/** What a detail says, where it is text: nothing else is shown. */
function detail({ details }: AuditRecord, name: string): string | null {
  const value = details[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function because(record: AuditRecord): string {
  const reason = detail(record, "reason") ?? detail(record, "message");
  return reason === null ? "" : `: ${reason}`;
}

const SAYINGS: Readonly<Record<string, Saying>> = {
  create: { event_type: "environment", does: (record) => `created ${record.environment} at ${record.version}` },
  update: {
    event_type: "state",
    does: (record) => `changed the platform of ${record.environment}, now ${record.version}${because(record)}`,
  },
  config: {
    event_type: "config",
    does: (record) => `changed the config of ${record.environment}, now ${record.version}${because(record)}`,
  },
  promote: { event_type: "promotion", does: (record) => `${at(record, "promoted")}${because(record)}` },
  rollback: {
    event_type: "rollback",
    level: "warn",
    does: (record) => `rolled ${record.environment} back to ${record.version}${because(record)}`,
  },
  rollback_failed: {
    event_type: "rollback",
    level: "error",
    status: "failed",
    does: (record) => `could not take back ${record.version} in ${record.environment}${because(record)}`,
  },
  expire: { event_type: "environment", does: on("ended the preview") },
  restore: { event_type: "environment", does: on("brought back") },
  archive: { event_type: "environment", level: "warn", does: (record) => `${on("archived")(record)}${because(record)}` },
  hold: { event_type: "environment", level: "warn", does: (record) => `${on("put a hold on")(record)}${because(record)}` },
  resume: { event_type: "environment", does: on("lifted the hold of") },
  extend: { event_type: "environment", does: on("extended the preview") },
  preview_url: { event_type: "environment", does: on("gave an address to") },
  policy: { event_type: "policy", level: "warn", does: plain("changed the policy") },
  request_promotion: { event_type: "promotion", status: "pending", does: (record) => at(record, "asked to promote") },
  approve: { event_type: "promotion", does: (record) => at(record, "approved the promotion of") },
  reject: { event_type: "promotion", level: "warn", status: "failed", does: (record) => at(record, "rejected the promotion of") },
  void_promotion: { event_type: "promotion", level: "warn", status: "failed", does: (record) => at(record, "voided the promotion of") },
  expire_promotion: {
    event_type: "promotion",
    level: "warn",
    status: "failed",
    does: (record) => at(record, "let expire the promotion of"),
  },
  validation_failed: {
    event_type: "validation",
    level: "error",
    status: "failed",
    does: (record) => `${at(record, "could not promote")}: the Validation engine refuses it`,
  },
  git_source: {
    event_type: "git",
    level: "warn",
    does: (record) =>
      `let ${record.environment} follow ${record.details.removed === true ? "no repository any more" : `a branch of ${detail(record, "host")}`}`,
  },
  pull: { event_type: "pull", does: on("pulled what changes nothing into") },
  pull_refused: {
    event_type: "pull",
    level: "error",
    status: "failed",
    does: (record) => `${on("could not take over what was pushed for")(record)}${because(record)}`,
  },
  mirror_set: { event_type: "git", level: "warn", does: (record) => `set the mirror to ${detail(record, "url")}` },
  mirror_removed: { event_type: "git", level: "warn", does: (record) => `removed the mirror to ${detail(record, "url")}` },
  reveal: { event_type: "secrets", level: "warn", does: on("was shown secrets of") },
  clear: { event_type: "secrets", does: on("gave up the secrets of") },
  collect: { event_type: "secrets", does: on("gave up the secrets of") },
  webhook_created: { event_type: "webhook", does: (record) => `made a webhook to ${detail(record, "host")}` },
  webhook_updated: { event_type: "webhook", does: (record) => `changed the webhook to ${detail(record, "host")}` },
  webhook_deleted: { event_type: "webhook", does: (record) => `deleted the webhook to ${detail(record, "host")}` },
  webhook_rotated: { event_type: "webhook", does: (record) => `replaced the secret of the webhook to ${detail(record, "host")}` },
  webhook_disabled: {
    event_type: "webhook",
    level: "error",
    status: "failed",
    does: (record) => `switched off the webhook to ${detail(record, "host")}${because(record)}`,
  },
};

const DEPLOYMENT: Readonly<Record<string, Saying>> = {
  deploying: { event_type: "deployment", status: "pending", does: (record) => at(record, "began to deploy") },
  deployed: { event_type: "deployment", does: (record) => at(record, "deployed") },
  failed: {
    event_type: "deployment",
    level: "error",
    status: "failed",
    does: (record) => `${at(record, "failed to deploy")}${because(record)}`,
  },
};

export function told(record: AuditRecord): Told {
  const saying = sayingOf(record);
  const { event_type, level = "info", status = "success" } = saying;
  return { message: `${record.actor} ${saying.does(record)}`.slice(0, LIMITS.messageLength), level, event_type, status };
}

/** What is not in the table, an action of a later engine perhaps, is told all the same. */
function sayingOf(record: AuditRecord): Saying {
  const { action, environment } = record;
  const known =
    action === "deployment" ? DEPLOYMENT[detail(record, "status") ?? ""] : Object.hasOwn(SAYINGS, action) ? SAYINGS[action] : undefined;
  return known ?? { event_type: action, does: () => `did "${action}"${environment === null ? "" : ` in ${environment}`}` };
}
