/**
 * Does something with each of many, `limit` of them at a time. After one that fails no more are begun; those that were have ended when this
 * resolves, in the order of the items.
 */
export async function fewAtOnce<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<PromiseSettledResult<Result>[]> {
  const outcomes: PromiseSettledResult<Result>[] = [];
  const left = items.entries();
  let hasFailed = false;
  const worker = async () => {
    for (const [index, item] of left) {
      if (hasFailed) return;
      const [outcome] = await Promise.allSettled([work(item)]);
      outcomes[index] = outcome;
      hasFailed ||= outcome.status === "rejected";
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return outcomes;
}

/** What came of all of them. @throws what the first one failed with */
export function resultsOf<Result>(outcomes: readonly PromiseSettledResult<Result>[]): Result[] {
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}
