import type { Revision, RevisionAction, RevisionRef } from "../model.ts";

/** What a commit says, made of its revision alone, so that every engine says the same. Pure. */

const ENGINE = "Environment Manager <engine@environment-manager.invalid>";

/** `Name <address> seconds +0000`, of whoever made the revision; of one that came from a commit, that commit's author. */
export function authorOf({ created_by, timestamp, git }: Revision): string {
  if (git !== undefined) return `${nameOf(git.author)} <${emailOf(git.email)}> ${secondsOf(git.authored_at)}`;
  return `${nameOf(created_by)} <${addressOf(created_by)}> ${secondsOf(timestamp)}`;
}

export function committerOf({ timestamp }: Revision): string {
  return `${ENGINE} ${secondsOf(timestamp)}`;
}

/** The message of the revision, or what happened in words; and trailers that say which revision it is. */
export function messageOf(revision: Revision): string {
  const { message, project_id, env, version, action, snapshot, source, git } = revision;
  const said = (message ?? "").replaceAll("\0", "\ufffd").trim();
  const trailers = [
    ["Project", project_id],
    ["Environment", env],
    ["Revision", String(revision.revision)],
    ["Version", version],
    ["Action", action],
    ...(source === undefined ? [] : [["Source", shown(source)]]),
    ...(action === "rollback" ? revision.parents.map((restored) => ["Restored", shown(restored)]) : []),
    ...(git === undefined
      ? []
      : [
          ["Commit", git.commit],
          ["Pulled-By", nameOf(revision.created_by)],
        ]),
    ["Snapshot", snapshot],
  ];
  return `${said === "" ? subjectOf(revision) : said}\n\n${trailers.map(([name, value]) => `Env-${name}: ${value}\n`).join("")}`;
}

const SUBJECTS: Readonly<Record<RevisionAction, (revision: Revision) => string>> = {
  create: ({ env, parents: [base] }) => `Create ${env}${base === undefined ? "" : ` from ${shown(base)}`}`,
  update: ({ env, version }) => `Update ${env} to ${version}`,
  config: ({ env, version }) => `Change the config of ${env}: ${version}`,
  promote: ({ env, version, source }) => `Promote ${version}${source === undefined ? "" : ` from ${source.env}`} to ${env}`,
  rollback: ({ env, version }) => `Roll ${env} back to ${version}`,
  expire: ({ env }) => `${env} has expired`,
  restore: ({ env }) => `Bring ${env} back`,
  archive: ({ env }) => `Archive ${env}`,
};

function subjectOf(revision: Revision): string {
  return SUBJECTS[revision.action](revision);
}

function shown({ env, revision }: RevisionRef): string {
  return `${env}@${revision}`;
}

/** Git keeps an author on one line, with the address in angle brackets. */
function nameOf(actor: string): string {
  return actor.replace(/[\p{Cc}\s<>]+/gu, " ").trim() || "unknown";
}

function addressOf(actor: string): string {
  if (/^[^\s<>@\p{Cc}]+@[^\s<>@\p{Cc}]+$/u.test(actor)) return actor;
  return `${encodeURIComponent(nameOf(actor))}@environment-manager.invalid`;
}

/** As the repository had it, which may be no address at all. */
function emailOf(email: string): string {
  return email.replace(/[\p{Cc}\s<>]+/gu, "");
}

function secondsOf(timestamp: string): string {
  return `${Math.floor(Date.parse(timestamp) / 1_000)} +0000`;
}
