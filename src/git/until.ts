/**
 * Runs `work` until one of these is aborted: with its reason. `AbortSignal.any` would do the same, but leaves a trace in each of them for as long
 * as that lives.
 */
export async function untilAny<Result>(
  signals: readonly (AbortSignal | undefined)[],
  work: (until: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const clear = signals.map((signal) => {
    const stop = () => controller.abort(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    return () => signal?.removeEventListener("abort", stop);
  });
  try {
    return await work(controller.signal);
  } finally {
    for (const leave of clear) leave();
  }
}
