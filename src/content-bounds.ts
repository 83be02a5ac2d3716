import { AppError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Hash } from "./ports.ts";
import type { Maps } from "./snapshots.ts";

interface Content {
  /** Under which it lies in its map. */
  readonly prefix: string;
  /** Begins a sentence: what holds so many bytes. */
  readonly what: string;
  readonly fix: string;
}

/**
 * Refuses content that has grown to more than `LIMITS.configBytes`. All of it is weighed only where a long value came: short ones can never be
 * many bytes together, and an edit of them costs what it changes, however much there is.
 *
 * @param before the map in whose place this one comes: what an older engine let grow larger may stay and become smaller
 * @throws too_large
 */
export async function checkBytes(maps: Maps, root: Hash, before: Hash, { prefix, what, fix }: Content): Promise<void> {
  if (!(await bringsLong(maps, root, before, prefix))) return;
  const bytes = await maps.weight(root, prefix);
  if (bytes <= LIMITS.configBytes || bytes <= (await maps.weight(before, prefix))) return;
  throw new AppError("too_large", {
    reason: `${what} hold at most ${LIMITS.configBytes} bytes of JSON together, and these would be ${bytes}.`,
    fix,
  });
}

async function bringsLong(maps: Maps, root: Hash, before: Hash, prefix: string): Promise<boolean> {
  const changes = await maps.diff(before, root, { prefix });
  const texts = await maps.textsOf(changes.map(({ right }) => right));
  return texts.some((text = "") => text.length > LIMITS.weighedLength);
}
