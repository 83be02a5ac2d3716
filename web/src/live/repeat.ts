/** Milliseconds after which work that does not end is not waited for. */
const PATIENCE_MS = 1_000;

/**
 * Does something whenever it is asked to, but not while it is being done: then once more afterwards, however often it was asked. So a
 * hundred changes in a second are not a hundred times reading the same.
 */
export function oneAtATime(work: () => Promise<unknown>, patienceMs = PATIENCE_MS): () => void {
  let isRunning = false;
  let isAsked = false;
  const run = async () => {
    isRunning = true;
    do {
      isAsked = false;
      const patience = new Promise<void>((resolve) => setTimeout(resolve, patienceMs));
      await Promise.race([work().catch(() => undefined), patience]);
    } while (isAsked);
    isRunning = false;
  };
  return () => {
    isAsked = true;
    if (!isRunning) void run();
  };
}
