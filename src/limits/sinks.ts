/** Bounds on what is sent on, webhooks too. */
export const SINKS = {
  /** Audit records that a sink is sent of one project before another project has its turn. */
  sinkPage: 100,
  /** Milliseconds after which another project has its turn, even so. */
  sinkTurnMs: 5_000,
  /** Records sent between two commits of a cursor: what a crash repeats at most. */
  sinkBatch: 20,
  /** Milliseconds that a sender has a project and sink to itself, from its last commit on. */
  sinkLeaseMs: 15_000,
  /** Milliseconds before a sink that failed is tried again, about; twice as long after each further failure. */
  sinkRetryMs: 1_000,
  /** Milliseconds before it is tried again at most. */
  sinkRetryMaxMs: 15 * 60_000,
  /** Milliseconds for which a sink is left alone at most where it asks for that with `Retry-After`. */
  sinkRestMs: 24 * 60 * 60_000,
  /** Milliseconds after a start until all projects are looked through for what was not sent before it. */
  firstLookMs: 1_000,
  /** Projects that are sent to sinks of one kind at a time. */
  sinkSenders: 16,
  /** Projects that may wait for that; what comes then is found by a sweep. */
  sinkQueue: 10_000,
  /** Milliseconds that a record may take to the Monitoring engine. */
  sinkTimeoutMs: 5_000,
  /** Newest records that a sink refused, kept with their reasons. */
  sinkRefusals: 20,
  /** Characters of a sink's error that are kept. */
  sinkErrorLength: 500,
  /** Keys that audit exports were ever signed with. */
  auditKeys: 1_000,
  /** Milliseconds within which the same alert is raised once. */
  alertEveryMs: 60 * 60_000,
  /** Alerts that are on their way at a time, besides those that audit records give rise to. */
  alertsAtOnce: 16,
  /** Webhooks of one project. */
  webhooks: 50,
  /** Patterns of events, and of environments, of one webhook. */
  webhookPatterns: 50,
  /** Milliseconds that a webhook's receiver may take. */
  webhookTimeoutMs: 10_000,
  /** Times that a receiver must refuse an event before it is passed over. */
  webhookRefusals: 5,
  /** Milliseconds of nothing but failures after which a webhook is switched off. */
  webhookGiveUpMs: 5 * 24 * 60 * 60_000,
  /** Newest attempts of one webhook that are kept. */
  webhookDeliveries: 100,
  /** Milliseconds for which events are signed with a rotated secret too, where the rotation does not say. */
  webhookOverlapMs: 24 * 60 * 60_000,
  /** Milliseconds for which they are at most. */
  webhookMaxOverlapMs: 30 * 24 * 60 * 60_000,
} as const;
