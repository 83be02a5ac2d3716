/** Bounds on the HTTP side, from connections to streams and tools. */
export const HTTP = {
  /** Milliseconds that a reader may wait for something newer. */
  waitMs: 60_000,
  /** Paths whose replies are kept ready for whoever reads them next. */
  readyPaths: 10_000,
  /** Bytes of one reply that is kept ready. */
  readyBytes: 1024 * 1024,
  /** Bytes of all replies that are kept ready. */
  readyBytesTotal: 64 * 1024 * 1024,
  /** Bytes of a reply up to which it is sent in one piece with its headers. */
  readyTextBytes: 16 * 1024,
  /** Revisions that whoever watches an environment is told of after having been away; of more, the newest alone. */
  watchReplay: 500,
  /** Bytes that wait for one who watches and does not read, before the connection is cut. */
  watchBufferBytes: 512 * 1024,
  /** Milliseconds between two signs of life to whoever watches. */
  watchHeartbeatMs: 15_000,
  /** Milliseconds after which whoever watched comes back, at least; up to three times as long, so that not all come at once. */
  watchReturnMs: 1_000,
  /** Milliseconds after which a store that is away is looked at again for whoever watches. */
  watchRetryMs: 1_000,
  /** Milliseconds between two times that the tokens of all who watch are judged again, at least. */
  watchJudgeMs: 100,
  /** Series of metrics: an operation with a status each. */
  metricSeries: 2_000,
  /** Times as long as it took to write the metrics, which anybody may ask for, until they are written again. */
  sharedWorkRests: 4,
  /** Milliseconds of such a rest at most. */
  sharedWorkRestMs: 1_000,
  /** Milliseconds that `SHUTDOWN_DELAY` may be at most. */
  shutdownDelayMaxMs: 5 * 60_000,
  /** Milliseconds that a shutdown may take before it is forced. */
  shutdownMs: 10_000,
  /** Milliseconds between two looks for connections that have fallen idle, while shutting down. */
  closingCheckMs: 20,
  /** Bytes of a request's target and of all its headers' names and values together. */
  headerBytes: 16 * 1024,
  /** Header lines of one request. */
  headers: 100,
  /** Milliseconds that a client may take for a request's headers. */
  headersMs: 10_000,
  /** Milliseconds that a client may take for a whole request: 64 MiB over a slow line. */
  requestMs: 120_000,
  /** Milliseconds between two looks for clients that are too slow. */
  slowCheckMs: 5_000,
  /** Milliseconds for which a connection under way may carry nothing: a reader that has stopped reading, a reply that does not come. */
  stalledMs: 300_000,
  /** Milliseconds that an idle connection stays open: longer than the minute of most load balancers. */
  keepAliveMs: 65_000,
  /** Milliseconds that a client has to read why its request was refused, before its connection is cut. */
  refusedMs: 2_000,
  /** Connections at a time. */
  connections: 10_000,
  /** Entity tags of one If-Match or If-None-Match header that are looked at. */
  entityTags: 100,
  /** Characters of lines that a streamed reply gathers before it sends them. */
  linesLength: 16 * 1024,
  /** Characters of one JSON text from which on it is sent in pieces, and of each of them. */
  pieceLength: 256 * 1024,
  /** Replies of one token that are streamed at a time, where `STREAM_LIMIT_PER_TOKEN` says nothing else. */
  streamsPerToken: 100,
  /** Replies that are streamed at a time. */
  streams: 10_000,
  /** Requests of one token in a second, in the long run. */
  requestsPerSecondPerToken: 5_000,
  /** Requests from one address in a second, in the long run. */
  requestsPerSecondPerAddress: 10_000,
  /** Seconds after whose requests, at its rate, a token or an address has to wait, where it sends them all at once. */
  burstSeconds: 2,
  /** Requests without a valid token from one address in a second, in the long run. */
  refusedPerSecondPerAddress: 20,
  /** Requests without a valid token from one address at once, after a time without any. */
  refusedBurstPerAddress: 1_000,
  /** Tokens, or addresses, whose requests one rate limiter counts at a time. */
  rateKeys: 100_000,
  /** Names of one kind, and items of a list where it does not say how many, that a tool tells an assistant of. */
  mcpNames: 50,
  /** Characters of one name, message or reason that a tool quotes. */
  mcpQuoted: 1_000,
  /** Bytes of one answer of the engine's to a tool of its own. */
  mcpReplyBytes: 8 * 1024 * 1024,
} as const;
