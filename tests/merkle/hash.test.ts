import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyLayer, layerOf, objectHash, snapshotId } from "../../src/merkle/hash.ts";
import { compareKeys } from "../../src/merkle/keys.ts";
import { EMPTY_ROOT } from "../../src/merkle/node-codec.ts";
import { byUtf8, runs } from "./support.ts";

describe("hashes", () => {
  test("never change: what is stored is found by them", () => {
    expect(EMPTY_ROOT).toBe(objectHash(Uint8Array.of(1, 0, 0)));
    expect(objectHash(Buffer.from("null"))).toBe("74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b");
    expect(snapshotId("0".repeat(64), "f".repeat(64))).toBe("efa1498ca415e703f84fb15c2f94eaa9b97d90c2a375650795dffde0bfaf685a");
    expect(["flows/a", "flows/b", "é"].map(keyLayer)).toEqual([0, 0, 0]);
  });

  test("of a snapshot tell its two roots apart", () => {
    const [a, b] = [objectHash(Buffer.from("1")), objectHash(Buffer.from("2"))];
    expect(new Set([snapshotId(a, b), snapshotId(b, a), snapshotId(a, a)]).size).toBe(3);
  });

  test("of keys lift one key in 32 to the next layer", () => {
    const layers = Array.from({ length: 32_768 }, (_, n) => keyLayer(`flows/${n}`));
    expect(layers.filter((layer) => layer >= 1).length).toBeGreaterThan(900);
    expect(layers.filter((layer) => layer >= 1).length).toBeLessThan(1_150);
    expect(layers.filter((layer) => layer >= 2).length).toBeGreaterThan(10);
    expect(layers.filter((layer) => layer >= 2).length).toBeLessThan(60);
  });

  test.each([
    ["f", 0],
    ["0f", 0],
    ["07", 1],
    ["003", 2],
    ["00000000f", 6],
    ["000000001", 7],
    ["0000000000", 8],
  ])("that begin with %s mean layer %i", (digits, layer) => {
    expect(layerOf(digits.padEnd(64, "f"))).toBe(layer);
  });

  test("of nothing but zeros mean the highest layer", () => {
    expect(layerOf("0".repeat(64))).toBe(51);
  });
});

describe("the order of keys", () => {
  test("is that of their UTF-8 bytes", () => {
    const strings = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .array(fc.constantFrom("a", "z", "é", "\ud7ff", "\ue000", "\uffff", "😀", "\u{10ffff}"), { maxLength: 4 })
        .map((list) => list.join("")),
    );
    fc.assert(
      fc.property(strings, strings, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(byUtf8(a, b));
      }),
      runs(1_000),
    );
  });
});
