import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { applyDelta, encodeDelta, resultBytes } from "../../src/storage/delta.ts";
import { assemble, type Chain, chainFrom, deltaAt, type Link, placeOf, resolveChain, seatAfter } from "../../src/storage/lines.ts";
import { errorOf } from "./support.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
/** A text and one that came of it: pieces changed, taken out, put in, moved. */
const related = fc
  .tuple(bytes, fc.array(fc.tuple(fc.nat(), fc.nat(40), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 }))
  .map(([base, edits]) => {
    let data = [...base, ...base.slice(0, 100)];
    for (const [where, taken, put] of edits) data.splice(where % (data.length + 1), taken, ...put);
    if (edits.length > 4) data = [...data.slice(data.length / 2), ...data.slice(0, data.length / 2)];
    return [base, Uint8Array.from(data)] as const;
  });

function made(base: Uint8Array, data: Uint8Array): Uint8Array {
  const delta = encodeDelta(base, data, 10_000);
  if (delta === null) throw new Error("There was room enough.");
  return delta;
}

describe("a delta", () => {
  test("gives back the same bytes from its base, whatever the two are", () => {
    const comesBack = ([base, data]: readonly [Uint8Array, Uint8Array]) => {
      const delta = made(base, data);
      expect(Buffer.compare(applyDelta(base, delta), data)).toBe(0);
      expect(resultBytes(delta.subarray(0, 5))).toBe(data.length);
    };
    fc.assert(fc.property(related, comesBack), { numRuns: 500 });
    fc.assert(fc.property(fc.tuple(bytes, bytes), comesBack), { numRuns: 200 });
    for (const length of [0, 1, 15, 16, 17, 127, 128, 129]) {
      const zeros = new Uint8Array(length);
      for (const other of [new Uint8Array(0), zeros, new Uint8Array(200)]) comesBack([zeros, other]);
    }
  });

  test("of values that took the place of others costs them and a few bytes, wherever they are", () => {
    const base = random(1, 4_000);
    const data = Uint8Array.from(base);
    for (const at of [100, 1_000, 2_500, 3_900]) data.set(random(at, 32), at);
    expect(encodeDelta(base, data, 4_000)?.length).toBeLessThan(4 * (32 + 8) + 8);
    const grown = Uint8Array.from([...data.slice(0, 500), ...random(2, 40), ...data.slice(500, 3_000), ...data.slice(3_050)]);
    expect(encodeDelta(base, grown, 4_000)?.length).toBeLessThan(4 * (32 + 8) + 40 + 24);
  });

  test("is not made where it takes more room than there is, or of what is too long", () => {
    expect(encodeDelta(random(1, 500), random(2, 500), 499)).toBeNull();
    const long = new Uint8Array(LIMITS.deltaObjectBytes + 1);
    expect(encodeDelta(long, long, 1_000)).toBeNull();
    expect(encodeDelta(long.subarray(1), long.subarray(1), 1_000)?.length).toBeLessThan(20);
  });

  test("that was damaged is refused or gives something of the length it says, and never more than an object may have", () => {
    fc.assert(
      fc.property(related, fc.nat(), fc.nat(255), fc.nat(), ([base, data], where, byte, cut) => {
        const delta = Uint8Array.from(made(base, data));
        if (where % 3 > 0) delta[where % delta.length] = byte;
        const damaged = where % 3 < 2 ? delta.subarray(0, cut % (delta.length + 1)) : delta;
        try {
          expect(applyDelta(base, damaged).length).toBe(resultBytes(damaged));
        } catch (error) {
          expect((error as Error).message).toMatch(/^it /);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(() => applyDelta(new Uint8Array(0), Uint8Array.from([0xff, 0xff, 0xff, 0x7f]))).toThrow("it would have a wrong length");
  });
});

interface Known extends Link {
  readonly base: string | null;
}

/** Objects stored one for another, as a store does it. */
class Lines {
  readonly links = new Map<string, Known>();

  chain(hash: string): Chain<Known> {
    const link = this.links.get(hash);
    return link === undefined ? [] : chainFrom(link, ({ base }) => this.links.get(base ?? ""));
  }

  /** What happens to a disk. */
  change(hash: string, changed: Partial<Known>): void {
    const link = this.links.get(hash);
    if (link !== undefined) this.links.set(hash, { ...link, ...changed });
  }

  put(data: Uint8Array, replaces: string): string {
    const hash = createHash("sha256").update(data).digest("hex");
    const line = new Map(assemble(this.chain(replaces)).map((one) => [one.hash, one]));
    const replaced = line.get(replaces);
    const seat = replaced && seatAfter(replaced, (name) => line.get(name));
    const delta = seat ? deltaAt(seat, data) : null;
    if (!this.links.has(hash))
      this.links.set(hash, { hash, isDelta: delta !== null, data: delta ?? data, base: seat && delta ? seat.base.hash : null });
    return hash;
  }
}

describe("a line", () => {
  test("has every object at most so many steps from a whole one, and at the place above its base that a skip list gives it", () => {
    const lines = new Lines();
    const made: string[] = [];
    for (let n = 0; n < 300; n++) made.push(lines.put(version(n), made.at(-1) ?? ""));
    made.forEach((hash, n) => {
      const chain = lines.chain(hash);
      const place = n % 2 ** LIMITS.deltaSteps;
      expect(chain.map(placeOf)).toEqual(placesFrom(place));
      expect(chain.length - 1).toBeLessThanOrEqual(LIMITS.deltaSteps);
      expect(Buffer.compare(resolveChain("p", chain), version(n))).toBe(0);
    });
    expect(Math.max(...made.map((hash) => lines.chain(hash).length - 1))).toBe(LIMITS.deltaSteps);
  });

  test("begins anew where a delta would take more than its share, and is not for what is short", () => {
    const lines = new Lines();
    const first = lines.put(version(0), "");
    const other = lines.put(random(7, 2_000), first);
    expect(lines.chain(other)).toHaveLength(1);
    const short = version(1).subarray(0, LIMITS.deltaMinBytes - 1);
    expect(lines.chain(lines.put(short, lines.put(Uint8Array.from([...short, 1]), "")))).toHaveLength(1);
  });

  test("is not continued upon what is damaged", () => {
    const lines = new Lines();
    const first = lines.put(version(0), "");
    lines.change(first, { data: version(9) });
    expect(lines.chain(lines.put(version(1), first))).toHaveLength(1);
  });

  test.each<[string, (lines: Lines, second: string, first: string) => void, string]>([
    ["a missing base", (lines, _, first) => lines.links.delete(first), "is missing"],
    ["a cycle", (lines, second, first) => lines.change(first, { isDelta: true, base: second }), "or upon itself"],
    ["what is no delta", (lines, second) => lines.change(second, { data: Uint8Array.from([1, 90, 3]) }), "is wrong: it "],
  ])("with %s is refused, with the reason", async (_, damage, reason) => {
    const lines = new Lines();
    const first = lines.put(version(0), "");
    const second = lines.put(version(1), first);
    damage(lines, second, first);
    const error = await errorOf((async () => resolveChain("p", lines.chain(second)))());
    expect(error.code).toBe("store_unavailable");
    expect(error.message).toContain(`The object ${second} of "p" is damaged`);
    expect(error.message).toContain(reason);
  });
});

/** `place`, and each place without its lowest bit, down to 0. */
function placesFrom(place: number): number[] {
  const places = [place];
  for (let at = place; at > 0; at &= at - 1) places.push(at & (at - 1));
  return places;
}

/** 1,200 bytes of which each version changes eight. */
function version(n: number): Uint8Array {
  const data = Uint8Array.from(random(0, 1_200));
  for (let edit = 1; edit <= n; edit++) data.set(random(edit, 8), (edit * 97) % 1_190);
  return data;
}

/** Bytes that only the seed decides. */
function random(seed: number, length: number): Uint8Array {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at += 32) {
    createHash("sha256").update(`${seed} ${at}`).digest().copy(out, at);
  }
  return out;
}
