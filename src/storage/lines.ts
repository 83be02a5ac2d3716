import { hash as digest } from "node:crypto";
import { DamagedObject } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import { applyDelta, encodeDelta, resultBytes } from "./delta.ts";

/**
 * How stored objects stand upon one another. Objects that take each other's place form a *line*: the first is stored whole, at place 0, and
 * each later one as a delta. Upon what, its place decides, as in a skip list: the base of place `i` has place `i & (i - 1)`, which is `i`
 * without its lowest bit. So whatever stands at a place below 64 is at most 6 steps from something whole, and after 64 a new line begins.
 *
 * The base of an object is the object that it replaces, or stands below that. A stored delta begins with its place, in one byte.
 */

/** An object as it is stored: whole, or a delta upon the next link of its chain. */
export interface Link {
  readonly hash: Hash;
  readonly isDelta: boolean;
  readonly data: Uint8Array;
}

/** From an object down to one that is stored whole, which is the last. */
export type Chain<One extends Link = Link> = readonly One[];

/** Places in one line. */
const PLACES = 2 ** LIMITS.deltaSteps;
/** Bytes at the beginning of a delta that say its place and the length of what it stands for. */
export const DELTA_HEAD_BYTES = 6;

export function placeOf({ isDelta, data }: Link): number {
  return isDelta ? (data[0] ?? 0) : 0;
}

/** Bytes of the object that a delta stands for, of which the first `DELTA_HEAD_BYTES` are enough; 0 for one that is damaged. */
export function objectBytes(head: Uint8Array): number {
  try {
    return resultBytes(head.subarray(1));
  } catch {
    return 0; // Told of where it is read.
  }
}

/** An object that others may stand upon, put together. */
export interface Standing {
  readonly hash: Hash;
  readonly place: number;
  /** The object that it is a delta upon; `null` where it is whole. */
  readonly base: Hash | null;
  readonly bytes: Uint8Array;
}

/** Where the next object of a line stands, and upon which. */
export interface Seat<One extends Standing> {
  readonly place: number;
  readonly base: One;
}

/**
 * The seat of the object that takes the place of `replaced`, by who knows others: `null` where it begins a new line, `undefined` where what it
 * would stand upon is not known.
 */
export function seatAfter<One extends Standing>(replaced: One, known: (hash: Hash) => One | undefined): Seat<One> | null | undefined {
  const place = replaced.place + 1;
  if (place >= PLACES) return null;
  const wanted = place & (place - 1);
  let base: One | undefined = replaced;
  for (let steps = 0; steps < LIMITS.deltaSteps && base !== undefined && base.place > wanted; steps++) {
    base = base.base === null ? undefined : known(base.base);
  }
  return base?.place === wanted ? { place, base } : undefined;
}

/** What is stored of an object that takes this seat; `null` where it is better stored whole, since a delta takes more than its share. */
export function deltaAt({ place, base }: Seat<Standing>, data: Uint8Array): Uint8Array | null {
  if (data.length < LIMITS.deltaMinBytes) return null;
  const delta = encodeDelta(base.bytes, data, Math.floor(data.length * LIMITS.deltaShare) - 1);
  if (delta === null) return null;
  const stored = new Uint8Array(delta.length + 1);
  stored[0] = place;
  stored.set(delta, 1);
  return stored;
}

/** All objects of a chain, put together, with the link of each; none where one is damaged: nothing is built upon what is not what its name says. */
export function assemble<One extends Link>(chain: Chain<One>): readonly (Standing & { readonly link: One })[] {
  const whole = chain.at(-1);
  if (whole === undefined || whole.isDelta || chain.length > LIMITS.deltaSteps + 1) return [];
  const made: (Standing & { readonly link: One })[] = [];
  let bytes = whole.data;
  let base: Hash | null = null;
  try {
    for (const link of chain.toReversed()) {
      if (link.isDelta) bytes = applyDelta(bytes, link.data.subarray(1));
      if (digest("sha256", bytes, "hex") !== link.hash) return [];
      made.push({ link, hash: link.hash, place: placeOf(link), base, bytes });
      base = link.hash;
    }
  } catch {
    return [];
  }
  return made;
}

/**
 * The bytes of the object that a chain begins with. That they have its hash, the reader above looks at, as for any object.
 *
 * @throws DamagedObject where the chain does not end with something whole, is longer than it may be, or holds what is no
 * delta
 */
export function resolveChain(partition: string, chain: Chain): Uint8Array {
  const whole = chain.at(-1);
  if (whole === undefined || chain.length > LIMITS.deltaSteps + 1 || whole.isDelta) throw broken(partition, chain);
  let bytes = whole.data;
  for (let at = chain.length - 2; at >= 0; at--) {
    const link = chain[at];
    try {
      if (link !== undefined) bytes = applyDelta(bytes, link.data.subarray(1));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DamagedObject(partition, chain[0]?.hash ?? "", `the delta of ${link?.hash} is wrong: ${why}`);
    }
  }
  return bytes;
}

/** The chain of a link by who knows the others, no longer than one that is too long. */
export function chainFrom<One extends Link>(first: One, below: (link: One) => One | undefined): Chain<One> {
  const chain = [first];
  for (let link: One | undefined = first; link?.isDelta === true && chain.length <= LIMITS.deltaSteps + 1; ) {
    link = below(link);
    if (link !== undefined) chain.push(link);
  }
  return chain;
}

function broken(partition: string, chain: Chain): DamagedObject {
  const tooLong = chain.length > LIMITS.deltaSteps + 1;
  const why = tooLong
    ? `it stands upon more than ${LIMITS.deltaSteps} others, or upon itself`
    : `what ${chain.at(-1)?.hash} is a delta upon is missing`;
  return new DamagedObject(partition, chain[0]?.hash ?? "", why);
}
