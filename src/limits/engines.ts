/** Bounds on other engines, and on requests to elsewhere. */
export const ENGINES = {
  /** Times that a request to a sibling engine is sent, where it may be repeated. */
  siblingAttempts: 3,
  /** Milliseconds before the first repetition, about. */
  siblingRetryMs: 100,
  /** Milliseconds that one request to a sibling engine may take. */
  siblingTimeoutMs: 5_000,
  /** Failures in a row after which a sibling engine is left alone. */
  siblingFailures: 5,
  /** Milliseconds for which it is left alone. */
  siblingPauseMs: 10_000,
  /** Milliseconds for which it is left alone at most where it asks for that, with 429 or 503 and `Retry-After`. */
  siblingRestMs: 60_000,
  /** Characters of a URL that a sibling engine or a user gives. */
  urlLength: 2_048,
  /** Milliseconds that a deployment may take until the planner says what became of it. */
  deployMs: 20_000,
  /** Characters of what the Deployment Planner says of one deployment. */
  deployTextLength: 1_000,
  /** Flows that the Validation engine is asked about at a time. */
  validationsAtOnce: 8,
  /** Verdicts of the Validation engine kept in memory. */
  cachedVerdicts: 10_000,
  /** Faults that are taken of one verdict. */
  validationFaults: 100,
  /** Characters of one fault's field or reason. */
  validationTextLength: 500,
  /** Milliseconds that a request to another server may take where it does not say. */
  outgoingMs: 10_000,
  /** Milliseconds that a request to another server may take at most. */
  outgoingMaxMs: 60_000,
  /** Milliseconds until a connection to another server stands, the look-up of its name included. */
  connectMs: 3_000,
  /** Milliseconds that a connection to another server is kept without use, where that one does not say. */
  outgoingKeepAliveMs: 4_000,
  /** Milliseconds that a connection to another server is kept without use at most. */
  outgoingKeepAliveMaxMs: 30_000,
  /** Bytes of the body of a request to another server. */
  outgoingBytes: 64 * 1024 * 1024,
  /** Bytes of all headers of a request to another server, names and values. */
  outgoingHeaderBytes: 16 * 1024,
  /** Bytes of all headers of another server's reply. */
  replyHeaderBytes: 16 * 1024,
  /** Bytes of the body of a sibling engine's reply, where the request does not say. */
  engineReplyBytes: 1024 * 1024,
  /** Bytes of the body of a reply from an address that a user gave, where the request does not say. */
  publicReplyBytes: 64 * 1024,
  /** Connections at a time to one sibling engine. */
  engineConnections: 16,
  /** Connections at a time to one address that a user gave. */
  publicConnections: 2,
  /** Requests to one server that wait for a connection. */
  waitingRequests: 256,
  /** Addresses of one name that are tried; all are checked. */
  addressesTried: 16,
} as const;
