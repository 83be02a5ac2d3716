import { BOUNDS } from "./bounds.ts";

/** Milliseconds before the nth repetition: between nothing and a bound that doubles, so that many clients do not come back at once. */
export function backoffMs(repetition: number, random: () => number = Math.random): number {
  return random() * Math.min(BOUNDS.retryMaxMs, BOUNDS.retryMs * 2 ** Math.min(repetition, 30));
}

/** Resolves after so long, or as soon as the signal is aborted. Never rejects: who waited looks at the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, BOUNDS.timerMs));
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * Aborts `controller` with `outer`, until the function that comes back is called. `AbortSignal.any` would do the same, but leaves a trace in a
 * signal that lives long.
 */
export function follow(outer: AbortSignal | undefined, controller: AbortController): () => void {
  const abort = () => controller.abort(outer?.reason);
  if (outer?.aborted) abort();
  outer?.addEventListener("abort", abort, { once: true });
  return () => outer?.removeEventListener("abort", abort);
}
