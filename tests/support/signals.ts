import { getEventListeners } from "node:events";
import { types } from "node:util";

/** How much a signal still knows of those who waited for it: listeners, and signals that `AbortSignal.any` made of it. */
export function tracesIn(signal: AbortSignal): number {
  const own = signal as unknown as Record<symbol, unknown>;
  const sets = Object.getOwnPropertySymbols(signal).map((symbol) => own[symbol]);
  const sizes = sets.filter(types.isSet).map((set) => [...Set.prototype.values.call(set)].length);
  return sizes.reduce((sum, size) => sum + size, getEventListeners(signal, "abort").length);
}
