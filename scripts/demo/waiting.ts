import { setTimeout as pause } from "node:timers/promises";
import { StepFailed } from "./step-failed.ts";

/** Milliseconds between two looks, and until nobody looks any more. */
const BETWEEN_MS = 100;
const AT_MOST_MS = 120_000;

/** Looks until there is something to see, and answers it. @throws StepFailed, with `otherwise`, where nothing comes */
export async function until<Found>(otherwise: string, look: () => Promise<Found | null>): Promise<Found> {
  const end = performance.now() + AT_MOST_MS;
  while (performance.now() < end) {
    const found = await look();
    if (found !== null) return found;
    await pause(BETWEEN_MS);
  }
  throw new StepFailed(`${otherwise}, ${AT_MOST_MS / 1_000} seconds long.`);
}
