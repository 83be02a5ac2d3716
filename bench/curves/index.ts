import type { Row } from "../measure.ts";
import { DIMENSIONS } from "./dimensions.ts";
import { curvesOf } from "./measure.ts";

const SIZES = [100, 1_000, 10_000, 100_000];
const GROW_MS = 100_000;

/** All curves over one thing. */
export function curves(over: keyof typeof DIMENSIONS): () => Promise<Row[]> {
  return () => curvesOf(DIMENSIONS[over], { sizes: SIZES, timed: true, growMs: GROW_MS });
}
