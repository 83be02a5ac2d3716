import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { EncodedNode, unequalParts } from "../../src/merkle/encoded-node.ts";
import { keyLayer, objectHash } from "../../src/merkle/hash.ts";
import { decoding, EMPTY_ROOT, reachable } from "../../src/merkle/index.ts";
import { auditNode, countEntries, EMPTY_NODE, type MapNode, type ValueRef } from "../../src/merkle/node.ts";
import { decodeNode, encodeNode, reencodeNode } from "../../src/merkle/node-codec.ts";
import { byUtf8, Objects, runs } from "./support.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const child = fc.option(fc.record({ hash, count: fc.integer({ min: 1, max: 2 ** 35 - 1 }) }));
const value: fc.Arbitrary<ValueRef> = fc.oneof(
  fc.record({ hash }),
  fc.constantFrom("1", '"é😀"', '"\ufffd"', `"${"x".repeat(62)}"`).map((inline) => ({ inline })),
);
const key = fc.oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ unit: "binary", maxLength: 12 }));

const node: fc.Arbitrary<MapNode> = fc
  .tuple(fc.integer({ min: 0, max: 51 }), fc.uniqueArray(key, { minLength: 1, maxLength: 40 }))
  .chain(([layer, keys]) =>
    fc.record({
      layer: fc.constant(layer),
      keys: fc.constant(keys.sort(byUtf8)),
      values: fc.array(value, { minLength: keys.length, maxLength: keys.length }),
      children: layer === 0 ? fc.constant([]) : fc.array(child, { minLength: keys.length + 1, maxLength: keys.length + 1 }),
    }),
  )
  .map((parts) => ({ ...parts, count: countEntries(parts.keys.length, parts.children) }));

const decode = (data: Uint8Array) => decodeNode(objectHash(data), data);

describe("a node's bytes", () => {
  test("decode to the node that they were made from", () => {
    fc.assert(
      fc.property(node, (original) => {
        expect(decode(encodeNode(original))).toEqual(original);
      }),
      runs(300),
    );
    expect(decode(encodeNode(EMPTY_NODE))).toEqual(EMPTY_NODE);
  });

  test("are the same ones where they are made of those of another with the same keys", () => {
    const edited = node.chain((like) =>
      fc.record({
        like: fc.constant(like),
        values: fc.tuple(...like.values.map((old) => fc.oneof({ weight: 4, arbitrary: fc.constant(old) }, value))),
        children: fc.tuple(...like.children.map((old) => fc.oneof({ weight: 4, arbitrary: fc.constant(old) }, child))),
      }),
    );
    fc.assert(
      fc.property(edited, ({ like, values, children }) => {
        const node = { ...like, values, children, count: countEntries(like.keys.length, children) };
        expect(reencodeNode(node, like, encodeNode(like))).toEqual(encodeNode(node));
      }),
      runs(300),
    );
  });

  test("are all there wherever the room that they are written into ends", async () => {
    // Anew, so that the room has not grown yet.
    vi.resetModules();
    const { encodeNode } = await import("../../src/merkle/node-codec.ts");
    const child = { hash: "ab".repeat(32), count: 2 ** 34 };
    const value = { inline: `"${"v".repeat(62)}"` };
    for (let length = 1; length <= LIMITS.keyBytes; length++) {
      const long = [..."abcdef"].map((letter) => letter.repeat(1_000));
      const keys = [...long, "y".repeat(length), "z".repeat(LIMITS.keyBytes)];
      const children = [...keys, ""].map(() => child);
      const node = { layer: 1, count: countEntries(keys.length, children), keys, values: keys.map(() => value), children };
      expect(decode(encodeNode(node)).keys, `with a key of ${length} bytes`).toEqual(keys);
    }
  });

  test("are all there wherever that room ends, where they are made of those of another", async () => {
    const keys = Array.from({ length: 40 }, (_, n) => `${String.fromCharCode(65 + n).repeat(1_000)}`);
    const like = { layer: 0, count: keys.length, keys, values: keys.map(() => ({ inline: "1" })), children: [] };
    const node = { ...like, values: keys.map(() => ({ inline: `"${"v".repeat(62)}"` })) };
    const [before, after] = [encodeNode(like), encodeNode(node)];
    vi.resetModules();
    const { reencodeNode } = await import("../../src/merkle/node-codec.ts");
    expect(reencodeNode(node, like, before)).toEqual(after);
  });

  test("are refused when damaged, or are those of another node", () => {
    fc.assert(
      fc.property(node, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, place, flip) => {
        const data = Uint8Array.from(encodeNode(original));
        data[place % data.length]! ^= flip;
        let other: MapNode;
        try {
          other = decode(data);
        } catch (error) {
          expect((error as Error).message).toMatch(/^object [0-9a-f]{64} is corrupt: [a-z]/);
          return;
        }
        expect(Buffer.from(data).equals(encodeNode(other))).toBe(true);
      }),
      runs(1_000),
    );
  });

  test("are refused when cut short or too long", () => {
    fc.assert(
      fc.property(node, fc.nat(), (original, place) => {
        const data = encodeNode(original);
        expect(() => decode(data.subarray(0, place % data.length))).toThrow(/^object [0-9a-f]{64} is corrupt/);
        expect(() => decode(Buffer.concat([data, Uint8Array.of(0)]))).toThrow(/is corrupt/);
      }),
      runs(200),
    );
  });

  const a = [0, 1, 0x61, 1, 0x31];
  const b = [0, 1, 0x62, 1, 0x31];
  test.each([
    ["an unknown version", [2, 0, 0]],
    ["a layer out of bounds", [1, LIMITS.mapDepth, 0]],
    ["a number of entries out of bounds", [1, 1, 0, 0]],
    ["a number of entries out of bounds", [1, 0, 0x81, 0x20]],
    ["a number that is not written as it should be", [1, 0, 0x80, 0x00]],
    ["a number that is not written as it should be", [1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ["it ends too early", []],
    ["it ends too early", [1, 0, 1, 0, 5, 0x61]],
    ["it ends too early", [1, 0, 1, 0, 1, 0x61, 0, 1, 2, 3]],
    ["bytes after its end", [1, 0, 1, ...a, 0]],
    ["keys out of order", [1, 0, 2, ...b, ...a]],
    ["keys out of order", [1, 0, 2, ...a, ...a]],
    ["keys out of order", [1, 0, 2, ...a, 1, 0, 1, 0x31]],
    ["a key of a wrong length", [1, 0, 2, ...a, 2, 1, 0x62, 1, 0x31]],
    ["a key of a wrong length", [1, 0, 1, 1, 1, 0x61, 1, 0x31]],
    ["a key of a wrong length", [1, 0, 1, 0, 0x81, 0x20]],
    ["a value that is too long to stand in a node", [1, 0, 1, 0, 1, 0x61, 65, ...Array(65).fill(0x31)]],
    ["text that is not UTF-8", [1, 0, 1, 0, 1, 0xff, 1, 0x31]],
    ["text that is not UTF-8", [1, 0, 1, 0, 1, 0x61, 1, 0xc3]],
  ])("are refused with %s", (why, bytes) => {
    expect(() => decode(Uint8Array.from(bytes))).toThrow(why);
  });

  test("are refused when they are not those that the hash was made of", async () => {
    const data = Uint8Array.of(1, 0, 1, ...a);
    const source = decoding({ get: async () => [data] });
    await expect(source.nodes([EMPTY_ROOT])).rejects.toThrow(`object ${EMPTY_ROOT} is corrupt`);
    await expect(source.values([EMPTY_ROOT])).rejects.toThrow(`object ${EMPTY_ROOT} is corrupt`);
    await expect(decoding({ get: async () => [] }).nodes([EMPTY_ROOT])).rejects.toThrow(`object ${EMPTY_ROOT} is missing`);
  });
});

describe("a node that was loaded", () => {
  const load = (original: MapNode) => {
    const data = encodeNode(original);
    return new EncodedNode(objectHash(data), data);
  };

  test("is what it was made from, before and after it is decoded", () => {
    fc.assert(
      fc.property(node, (original) => {
        const loaded = load(original);
        expect([loaded.layer, loaded.entries]).toEqual([original.layer, original.keys.length]);
        const { layer, count, keys, values, children } = loaded;
        expect({ layer, count, keys, values, children }).toEqual(original);
        expect(loaded.reader()).toBeNull();
      }),
      runs(100),
    );
  });

  test("differs from another version in those entries and children that are not the same", () => {
    const changes = fc.array(fc.tuple(fc.nat(), value, child), { maxLength: 6 });
    fc.assert(
      fc.property(node, changes, (before, list) => {
        const values = [...before.values];
        const children = [...before.children];
        for (const [place, newValue, newChild] of list) {
          if (place % 3 > 0) values[place % values.length] = newValue;
          if (place % 3 < 2 && before.layer > 0) children[place % children.length] = newChild;
        }
        const after = { ...before, values, children };
        const last = before.keys.length;
        const same = (i: number) => isDeepStrictEqual([before.values[i], before.children[i]], [values[i], children[i]]);
        const unequal = before.keys.map((_, i) => i).filter((i) => !same(i));
        const partsOf = (whole: MapNode) => ({
          layer: whole.layer,
          keys: unequal.map((i) => whole.keys[i]),
          values: unequal.map((i) => whole.values[i]),
          children: whole.layer === 0 ? [] : [...unequal, last].map((i) => whole.children[i]),
        });
        expect(unequalParts(load(before), load(after))).toEqual([partsOf(before), partsOf(after)]);
      }),
      runs(300),
    );
  });

  test("is compared as a whole where the other has other keys, or one of them is decoded already", () => {
    fc.assert(
      fc.property(node, node, (one, other) => {
        fc.pre(!isDeepStrictEqual(one.keys, other.keys));
        const [left, right] = [
          load(one),
          load({ ...other, layer: one.layer, children: one.layer === 0 ? [] : [...other.keys, ""].map(() => null) }),
        ];
        expect(unequalParts(left, right)).toEqual([left, right]);
        expect(left.keys).toEqual(one.keys);
        const again = load(one);
        expect(unequalParts(left, again)).toEqual([left, again]);
      }),
      runs(100),
    );
  });

  test("keeps nothing of the buffer that it came in", () => {
    const data = encodeNode({ layer: 0, count: 1, keys: ["a"], values: [{ inline: "1" }], children: [] });
    const all = Buffer.alloc(64 * 1024);
    all.set(data, 100);
    const loaded = new EncodedNode(objectHash(data), all.subarray(100, 100 + data.length));
    all.fill(0);
    expect(loaded.keys).toEqual(["a"]);
    expect(loaded.values).toEqual([{ inline: "1" }]);
  });

  test("is refused where it is damaged, by its head or by whoever looks into it", () => {
    const hash = objectHash(Uint8Array.of());
    expect(() => new EncodedNode(hash, Uint8Array.of(2, 0, 0))).toThrow("an unknown version");
    const cut = () => new EncodedNode(hash, Uint8Array.of(1, 0, 1, 0, 5, 0x61));
    expect(() => cut().keys).toThrow("it ends too early");
    expect(() => unequalParts(cut(), cut())).toThrow("it ends too early");
  });
});

describe("an audit", () => {
  const good = Array.from({ length: 40 }, (_, n) => `flows/${n}`).find((name) => keyLayer(name) === 0)!;
  const nodeOf = (name: string, inline: string, layer = 0): MapNode => ({
    layer,
    count: 1,
    keys: [name],
    values: [{ inline }],
    children: layer === 0 ? [] : [null, null],
  });

  test("passes a node as the map makes it", () => {
    expect(() => auditNode(EMPTY_ROOT, nodeOf(good, "1"), { layer: 1, count: 1 })).not.toThrow();
  });

  test.each([
    ["a key of another layer", nodeOf(good, "1", 1), { layer: 2, count: 1 }],
    ["not below its parent", nodeOf(good, "1"), { layer: 0, count: 1 }],
    ["not the number of entries", nodeOf(good, "1"), { layer: 1, count: 2 }],
    ["not canonical JSON", nodeOf(good, "1.0"), { layer: 1, count: 1 }],
    ["not canonical JSON", nodeOf(good, "{"), { layer: 1, count: 1 }],
  ])("finds %s", (why, bad, parent) => {
    expect(() => auditNode(EMPTY_ROOT, bad, parent)).toThrow(why);
  });

  test("of a map finds a node whose hash is right and whose content is not", async () => {
    const objects = new Objects();
    const data = encodeNode(nodeOf(good, "1", 3));
    objects.put([{ hash: objectHash(data), data }]);
    const walk = async (audit: boolean) => {
      for await (const _ of reachable(objects.source, objectHash(data), { audit }));
    };
    await expect(walk(false)).resolves.toBeUndefined();
    await expect(walk(true)).rejects.toThrow("a key of another layer");
  });
});
