/** Bounds on vaults. */
export const VAULT = {
  /** Times that a request is sent to a KV vault which asks for it to be sent again later. */
  vaultAttempts: 4,
  /** Milliseconds before the first of these repetitions, besides what the vault asks for; twice as long before each further one. */
  vaultRetryMs: 250,
  /** Milliseconds that such a vault may ask for before it is repeated: who would have to wait longer is refused. */
  vaultPatienceMs: 5_000,
  /** Milliseconds that a KV vault which answers with faults may take to say whether it is sealed. */
  vaultSealMs: 2_000,
  /** Milliseconds that a look at a vault elsewhere is waited for: it goes on, and the next look tells. */
  vaultLookMs: 2_000,
  /** Milliseconds that giving a token back to a KV vault may take at the end. */
  vaultRevokeMs: 2_000,
  /** Milliseconds from one look at a KV vault's lease to the next, at most: timers do not reach further than 24 days. */
  vaultLeaseLookMs: 24 * 60 * 60_000,
  /** Milliseconds until a lease that could not be renewed is tried again, at least. */
  vaultLeaseRetryMs: 1_000,
  /** Secrets of one request that a vault is asked for, or given, at a time: others need its connections too. */
  secretsAtOnce: 16,
  /** Entries that are copied to another vault at a time. */
  vaultMoveAtOnce: 8,
  /** Entries whose fingerprints are made anew in one commit, after that. */
  vaultMoveFacts: 100,
} as const;
