import type { Key } from "./ports.ts";

/** The documents of a project's partition. One place, so that a key's shape is written once. */
export const keys = {
  /** Creation, and the head of the audit chain: written by every audited commit. */
  project: "project",
  /** Bumped by every commit that deletes objects, checked by every commit that may refer to some. */
  gcEpoch: "gc/epoch",
  /** When garbage was last collected here. */
  gcRun: "gc/run",
  /** The oldest revision of an environment whose secrets have not been collected. */
  gcSecrets: (env: string): Key => `gc/secrets/${env}`,
  policy: "policy",
  environmentPrefix: "env/",
  environment: (env: string): Key => `env/${env}`,
  revisionsPrefix: "rev/",
  revisionPrefix: (env: string): Key => `rev/${env}/`,
  revision: (env: string, revision: number): Key => `rev/${env}/${padded(revision)}`,
  labelPrefix: "label/",
  label: (version: string): Key => `label/${version}`,
  linkPrefix: "link/",
  /** Numbers of a series of labels that are known to be taken. */
  run: (series: string): Key => `run/${series}`,
  /** The newest revision of an environment that had a label which was first given elsewhere, or given again. */
  link: (env: string, version: string): Key => `link/${env}/${version}`,
  seriesPrefix: "series/",
  /** The newest revision of an environment within a series (`2` or `2.9`) that it has left. */
  series: (env: string, series: string): Key => `series/${env}/${series}`,
  /** The longest completed stay of a platform in an environment. */
  stay: (env: string, platform: string): Key => `stay/${env}/${platform}`,
  /** The newest platform of an environment of which every flow was found valid. */
  validated: (env: string): Key => `validated/${env}`,
  promotionPrefix: "promotion/",
  promotion: (id: string): Key => `promotion/${id}`,
  auditPrefix: "audit/",
  audit: (seq: number): Key => `audit/${padded(seq)}`,
  /** The answer to a request that must take effect once. */
  oncePrefix: "once/",
  once: (id: string): Key => `once/${id}`,
  intentPrefix: "intent/",
  intent: (id: string): Key => `intent/${id}`,
  secretsPrefix: "secret/",
  /** What is known of one vault entry: `name` is `NAME@<id>`. */
  secret: (env: string, entry: string): Key => `secret/${env}/${entry}`,
  /** Which webhooks there are: a transaction may read it together with others that change them. */
  webhooks: "webhooks",
  webhook: (id: string): Key => `webhook/${id}`,
  /** The repository elsewhere that the project is pushed to. */
  mirror: "mirror",
  pulledPrefix: "pulled/",
  /** The commit that an environment was last brought up to, and what it held. */
  pulled: (env: string): Key => `pulled/${env}`,
  /** The branch of a repository that an environment follows. */
  gitSource: (env: string): Key => `git-source/${env}`,
} as const;

/** The sequence number of an audit record, by the key that it is stored under. */
export function auditSeq(key: Key): number {
  return Number(key.slice(keys.auditPrefix.length));
}

/** The documents of the `_system` partition. */
export const SYSTEM_PARTITION = "_system";
export const systemKeys = {
  projectPrefix: "project/",
  project: (project: string): Key => `project/${project}`,
  auditKeys: "audit-keys",
  rootToken: "root-token",
  tokenPrefix: "token/",
  token: (id: string): Key => `token/${id}`,
  /** When a token was last used: apart from it, since that is written often and decides nothing. */
  tokenUsed: (id: string): Key => `token-used/${id}`,
  sessionPrefix: "session/",
  /** Named by the SHA-256 of the cookie. */
  session: (sha256: string): Key => `session/${sha256}`,
  /** Which instance does some work of the engine's own. */
  lease: (work: string): Key => `lease/${work}`,
  duePrefix: "due/",
  /** ISO times order as text; the time comes first. */
  due: (at: string, project: string, what: string): Key => `due/${at}/${project}/${what}`,
} as const;

/**
 * How far each sink has come with a project: a partition of its own, so that a cursor that moves is no change of the project,
 * wakes nobody and holds up no writer.
 */
export function sinkPartition(project: string): string {
  return `_sinks:${project}`;
}
export const sinkKeys = {
  statePrefix: "sink/",
  state: (name: string): Key => `sink/${name}`,
  /** The newest attempts of a webhook. */
  deliveries: (name: string): Key => `deliveries/${name}`,
} as const;

/** Numbers in keys have 12 digits, so that their order as text is their order as numbers. */
function padded(value: number): string {
  return String(value).padStart(12, "0");
}
