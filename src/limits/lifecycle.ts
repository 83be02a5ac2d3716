/** Bounds on what happens with time. */
export const LIFECYCLE = {
  /** Milliseconds for which the answer to a request with an idempotency key is kept. */
  onceMs: 24 * 60 * 60_000,
  /** Characters of an idempotency key. */
  onceKeyLength: 255,
  /** Milliseconds of any duration: what is added to a date must stay one whose year has four digits. */
  durationMs: 100 * 365 * 24 * 60 * 60_000,
  /** Attempts of one creation whose base, or preview, changes while secrets are being copied. */
  creationAttempts: 3,
  /** Milliseconds that a preview may live at most. */
  previewTtlMs: 365 * 24 * 60 * 60_000,
  /** Milliseconds that a preview whose creation names no end lives. */
  previewDefaultTtlMs: 72 * 60 * 60_000,
  /** Milliseconds that a preview lives that is brought back without a new end. */
  previewRestoredMs: 24 * 60 * 60_000,
  /** Milliseconds after its end within which a preview can be brought back. */
  previewGraceMs: 24 * 60 * 60_000,
  /** Milliseconds after which an approved promotion that another check holds back is tried again. */
  promotionRetryMs: 60_000,
  /** Due timers acted on at a time. */
  dueAtOnce: 200,
  /** Milliseconds between two times that an engine sets its clock by its store's, where others share that. */
  clockSetMs: 60_000,
  /** Milliseconds that an instance has the engine's own work to itself, from its last commit of the lease on. */
  workLeaseMs: 15_000,
  /** Milliseconds between two looks for what is due; what failed is tried again as often. */
  dueEveryMs: 5_000,
  /** Characters of a preview's source reference. */
  sourceRefLength: 500,
  /** Milliseconds after which a secret's unfinished intent is swept away. */
  intentAgeMs: 10 * 60_000,
  /** Milliseconds for which an object that nothing refers to is kept: nothing younger is ever collected. */
  garbageAgeMs: 24 * 60 * 60_000,
  /** Milliseconds between two collections of one project's garbage. */
  garbageEveryMs: 6 * 60 * 60_000,
  /** Objects, and answers to requests with an idempotency key, that one collection takes at most. */
  garbageItems: 100_000,
  /** Objects or documents that one commit of a collection deletes. */
  garbageBatch: 1_000,
  /** Vault entries that one commit of a collection gives up. */
  garbageSecrets: 100,
  /** Milliseconds for which a rollback finds the secrets of what was head then. */
  rollbackWindowMs: 90 * 24 * 60 * 60_000,
  /** Newest revisions of an environment whose secrets a rollback finds, however old they are. */
  rollbackRevisions: 100,
  /** Milliseconds for which an archived environment can be brought back. */
  archiveRetentionMs: 90 * 24 * 60 * 60_000,
  /** Seconds between two runs of the sweeper over all projects. */
  sweepSeconds: 600,
} as const;
