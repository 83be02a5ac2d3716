/** Every bound of the SDK, with its unit: of the engine's own, those alone by which flags are evaluated are carried into programs and browsers. */
export const BOUNDS = {
  /** Milliseconds that one attempt of a request may take, its answer included, where the caller does not say. */
  timeoutMs: 30_000,
  /** Milliseconds that a request which asks to wait is given besides: as long as the engine lets it wait. */
  waitMs: 60_000,
  /** Times that a request is sent again where the caller does not say. */
  retries: 2,
  /** Times that a request is sent again at most. */
  retriesMax: 10,
  /** Milliseconds before the first repetition at most; twice as long after each further failure. */
  retryMs: 200,
  /** Milliseconds before any repetition at most, and the longest Retry-After that is waited for. */
  retryMaxMs: 30_000,
  /** Milliseconds that a timer can run at most, here and in browsers. */
  timerMs: 2_147_483_647,
  /** Characters of one line of a streamed answer. */
  lineLength: 16 * 1024 * 1024,
  /** Milliseconds without a sign of life after which a stream is given up: three of the engine's heartbeats. */
  silenceMs: 45_000,
  /** Milliseconds that a connection may take until its first answer, where the caller does not say. */
  readyMs: 10_000,
  /** Milliseconds after which a stream that ended is asked for again at most, where the engine does not say. */
  returnMs: 3_000,
  /** Milliseconds between two reads where no stream can be had, about. */
  pollMs: 30_000,
  /** Characters of a kept copy. */
  copyLength: 64 * 1024 * 1024,
} as const;
