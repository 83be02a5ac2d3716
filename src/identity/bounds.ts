/** The bounds of what is asked of an identity provider, and of what it answers. */
export const IDENTITY_LIMITS = {
  /** Characters of a JWT. */
  jwtLength: 16 * 1024,
  /** Bytes of an identity provider's discovery document. */
  discoveryBytes: 64 * 1024,
  /** Bytes of an identity provider's key set. */
  keySetBytes: 256 * 1024,
  /** Milliseconds that an identity provider may take to answer one request. */
  identityTimeoutMs: 5_000,
  /** Milliseconds after which an identity provider's keys are asked for again: how long a removed key may go on being used. */
  keySetFreshMs: 10 * 60_000,
  /** Milliseconds for which its keys are used while the identity provider is away. */
  keySetStaleMs: 60 * 60_000,
  /** Milliseconds between two looks for a key that is not known. */
  unknownKeyMs: 30_000,
  /** Milliseconds for which an identity provider that failed is left alone. */
  identityRetryMs: 10_000,
  /** Keys tried where a token does not say which one signed it. */
  keysTried: 16,
  /** Verified JWTs remembered. */
  verifiedTokens: 10_000,
  /** Seconds by which the clocks of the engine and of an identity provider may differ. */
  clockToleranceSeconds: 5,
  /** Characters of a person's name in a token. */
  identityNameLength: 256,
  /** Values that a role map names. */
  mappedRoles: 1_000,
  /** Patterns in one list of a role map. */
  mappedPatterns: 100,
} as const;
