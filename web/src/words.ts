import type { Created, Environment, Revision } from "./api.ts";
import type { Tone } from "./components/Badge.tsx";
import { exactTime } from "./time.ts";

/** The engine's terms in words that need no manual. The terms themselves stay findable under "Technical details". */

interface Words {
  readonly tone: Tone;
  readonly text: string;
}

const SYNC: Readonly<Record<Environment["sync_status"], Words>> = {
  in_sync: { tone: "good", text: "Up to date" },
  ready_for_deploy: { tone: "info", text: "Waiting to be deployed" },
  deploying: { tone: "info", text: "Being deployed" },
  failed: { tone: "bad", text: "Deployment failed" },
  never_deployed: { tone: "plain", text: "Never deployed" },
};

/** The one thing about an environment that somebody should know first. */
export function statusOf(environment: Environment): Words {
  if (environment.status === "expired") return { tone: "plain", text: "Expired" };
  if (environment.status === "archived") return { tone: "plain", text: "Archived" };
  if (environment.sync_status === "failed") return SYNC.failed;
  if (!environment.config_complete) return { tone: "warn", text: `${plural(environment.unbound.length, "value")} missing` };
  if (environment.hold !== null) return { tone: "warn", text: "On hold" };
  return SYNC[environment.sync_status];
}

const GRAVITY: readonly Tone[] = ["good", "plain", "info", "warn", "bad"];

/** The status that is worst, and whose it is. */
export function worstOf(environments: readonly Environment[]): (Words & { readonly env: string }) | null {
  const statuses = environments.filter(({ status }) => status === "active").map((each) => ({ ...statusOf(each), env: each.env }));
  return statuses.reduce<(Words & { env: string }) | null>(
    (worst, each) => (worst === null || GRAVITY.indexOf(each.tone) > GRAVITY.indexOf(worst.tone) ? each : worst),
    null,
  );
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `a, b and c`; of many, the first and how many more. */
export function listed(names: readonly string[], most = 4): string {
  const shown = names.slice(0, most);
  const rest = names.length - shown.length;
  const parts = rest > 0 ? [...shown, `${rest} more`] : shown;
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** Of a new environment: that it is there, what it is, until when, and what it has still to be given. */
export function createdInWords({ status, env, type, expires_at, secrets_unbound, warning }: Created): string {
  const sentences = [
    status === "env_updated" ? `${env} was there, and has the newest version now.` : `${env} is there.`,
    type === "preview" && expires_at !== null ? `It is a preview until ${exactTime(expires_at)}.` : KINDS[type],
    secrets_unbound.length === 0 ? "" : `It has no ${listed(secrets_unbound)}: set them in Configuration.`,
    warning ?? "",
  ];
  return sentences.filter(Boolean).join(" ");
}

const KINDS: Readonly<Record<Environment["type"], string>> = {
  development: "It is for development.",
  staging: "It is for trying things out.",
  production: "It is for production.",
  preview: "It is a preview.",
  custom: "It is of a kind of its own.",
};

const ACTIONS: Readonly<Record<Revision["action"], string>> = {
  create: "created the environment",
  update: "changed the platform",
  config: "changed the configuration",
  promote: "promoted a version here",
  rollback: "rolled back",
  expire: "expired",
  restore: "brought it back",
  archive: "archived it",
};

/** `Ada promoted v2.3.1 from staging`. */
export function whatHappened({
  action,
  created_by,
  version,
  source,
}: Pick<Revision, "action" | "created_by" | "version" | "source">): string {
  if (action === "promote" && source !== undefined) return `${created_by} promoted ${source.version} from ${source.env}`;
  if (action === "rollback") return `${created_by} rolled back to ${version}`;
  return `${created_by} ${ACTIONS[action]}`;
}

/** What a revision changed: `2 components changed, 1 value (API_URL)`. */
export function changedWhat({ changes }: Pick<Revision, "changes">): string {
  const parts = [
    changes.components_added > 0 ? `${plural(changes.components_added, "component")} added` : "",
    changes.components_changed > 0 ? `${plural(changes.components_changed, "component")} changed` : "",
    changes.components_removed > 0 ? `${plural(changes.components_removed, "component")} removed` : "",
    changes.env_vars_changed.length > 0
      ? `${plural(changes.env_vars_changed.length, "value")} (${listed(changes.env_vars_changed, 3)})`
      : "",
    changes.feature_flags.length > 0 ? `${plural(changes.feature_flags.length, "flag")} (${listed(changes.feature_flags, 3)})` : "",
  ].filter(Boolean);
  return parts.length === 0 ? "No change of content" : parts.join(", ");
}

const CHECKS: Readonly<Record<string, string>> = {
  pipeline_order: "The way to production",
  environment_protected: "Protection",
  freeze_window: "Times of release",
  hold: "Hold",
  soak_time: "Time to try it out",
  diverged: "The target’s own changes",
  config_complete: "Values that it needs",
  secrets_isolated: "Passwords of its own",
  validation: "The flows’ validity",
  approvals: "Somebody else’s word",
};

export function checkInWords(name: string): string {
  return CHECKS[name] ?? name;
}

/** `vars/API_URL` → `API_URL, a value`. */
export function keyInWords(key: string): { readonly kind: "var" | "secret" | "flag"; readonly name: string; readonly text: string } {
  const [collection = "", name = ""] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
  if (collection === "secrets") return { kind: "secret", name, text: "a password kept in the vault" };
  if (collection === "flags") return { kind: "flag", name, text: "a switch for a feature" };
  return { kind: "var", name, text: "a value" };
}

/** Names that somebody typed, separated by commas or spaces. */
export function namesIn(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
