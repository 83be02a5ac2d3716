import { describe, expect, test } from "vitest";
import { DIMENSIONS } from "../../bench/curves/dimensions.ts";
import { curvesOf } from "../../bench/curves/measure.ts";

/** What `npm run bench:curves` times up to 100,000, counted up to 1,000: what grows there grows here already. */
describe.each(Object.entries(DIMENSIONS))("ten times as many %s", (_, dimension) => {
  test("cost no operation more questions of the store, nor more documents; and of objects as many as the map is deeper", async () => {
    const rows = await curvesOf(dimension, { sizes: [100, 1_000], timed: false, growMs: Number.POSITIVE_INFINITY });
    const grows = rows.filter((row) => row.met !== true).map(({ id, subject, baseline }) => `${id}: ${subject}; ${baseline}`);
    expect(grows).toEqual([]);
    expect(rows).toHaveLength(dimension.operations.length + 1);
  });
});
