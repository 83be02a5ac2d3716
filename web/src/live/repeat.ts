/** Milliseconds after which work that does not end is not waited for: a read that answers at all has answered by then. */
const PATIENCE_MS = 15_000;

/**
 * Does something whenever it is asked to, but not while it is being done: then once more afterwards, however often it was asked. So a
 * hundred changes in a second are not a hundred times reading the same, and none of them takes a slow read's answer away.
 */
export function oneAtATime(work: () => Promise<unknown>, patienceMs = PATIENCE_MS): () => void {
  let isRunning = false;
  let isAsked = false;
  const run = async () => {
    isRunning = true;
    do {
      isAsked = false;
      await patiently(work(), patienceMs);
    } while (isAsked);
    isRunning = false;
  };
  return () => {
    isAsked = true;
    if (!isRunning) void run();
  };
}

/** Resolves when the work has ended, however it did, or has had its time. */
async function patiently(work: Promise<unknown>, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    work.then(end, end);
  });
}
