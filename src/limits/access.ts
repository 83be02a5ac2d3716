/** Bounds on tokens, sessions and identity providers. */
export const ACCESS = {
  /** Milliseconds that a token lives whose creation names no end. */
  tokenDefaultTtlMs: 90 * 24 * 60 * 60_000,
  /** Milliseconds for which a rotated token is still taken, where the rotation does not say. */
  tokenOverlapMs: 60 * 60_000,
  /** Milliseconds for which a rotated token is still taken at most. */
  tokenMaxOverlapMs: 30 * 24 * 60 * 60_000,
  /** Characters of a token's name, and of the person that a sibling engine names. */
  actorLength: 100,
  /** Characters of a token as it is sent, a JWT's included. */
  bearerLength: 16 * 1024,
  /** Bytes of the body of a log-in, which comes from whoever has shown no token yet. */
  loginBytes: 32 * 1024,
  /** Patterns of projects, and of environments, of one token. */
  tokenPatterns: 20,
  /** Tokens, and sessions, kept in memory. */
  cachedTokens: 10_000,
  /** Tokens whose last use, or refusal, is kept in memory until it is written. */
  notedTokens: 10_000,
  /** Milliseconds between two times that the last use of tokens is written. */
  useNotedMs: 60_000,
  /** Milliseconds within which the same refusal is recorded once. */
  refusalNotedMs: 60 * 60_000,
  /** Milliseconds for which a ticket to watch one environment is the same; it is taken for as long again at most. */
  ticketMs: 60 * 60_000,
  /** Log-ins with one token in a second, in the long run. */
  sessionsPerSecondPerToken: 1,
  /** Log-ins with one token at once, after a time without any. */
  sessionsBurstPerToken: 60,
  /** Milliseconds that a session of the dashboard lasts. */
  sessionMs: 12 * 60 * 60_000,
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
