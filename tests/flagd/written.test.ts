import { expect, test, vi } from "vitest";
import { compileFlags, type FlagSet } from "../../src/flagd/index.ts";
import { LIMITS } from "../../src/limits.ts";

const NAMES = Array.from({ length: 8 }, (_, index) => `v${index}`);

/** One flag whose answer is the variant that the context names, with as much metadata. */
function oneFlag(metadataLength: number): FlagSet {
  const variants = Object.fromEntries(NAMES.map((name) => [name, name]));
  const metadata = { m: "x".repeat(metadataLength) };
  return compileFlags({ f: { state: "ENABLED", variants, defaultVariant: "v0", targeting: { var: "v" }, metadata } });
}

/** How many answers are written while all variants are asked for. */
function writesOf(set: FlagSet): number {
  const stringify = vi.spyOn(JSON, "stringify");
  for (const v of NAMES) set.writeAll({ v });
  const writes = stringify.mock.calls.length;
  stringify.mockRestore();
  return writes;
}

test("answers are kept in writing as far as there is room, and those beyond are written each time", () => {
  const short = oneFlag(1);
  expect([writesOf(short), writesOf(short)]).toEqual([NAMES.length, 0]);

  const length = oneFlag(0).writeAll({ v: "v1" }).length - "[]".length;
  const room = LIMITS.writtenAnswerLength;
  const exact = oneFlag(room / 2 - length);
  expect([writesOf(exact), writesOf(exact)]).toEqual([NAMES.length, NAMES.length - 2]);
  const more = oneFlag(room / 2 - length + 1);
  expect([writesOf(more), writesOf(more)]).toEqual([NAMES.length, NAMES.length - 1]);
  for (const v of NAMES) expect(more.writeAll({ v })).toBe(JSON.stringify(more.evaluateAll({ v })));
});

test("what is answered once takes no room", () => {
  const set = oneFlag(1);
  for (let n = 0; n < LIMITS.writtenAnswerLength; n++) set.writeAll({ v: `other-${n}` });
  for (let n = 0; n < LIMITS.writtenAnswerLength; n++) set.writeAll({ v: "v0", targetingKey: n });
  expect([writesOf(set), writesOf(set)]).toEqual([NAMES.length, 0]);
});

test("names that objects have of themselves are flags, variants and metadata like others", () => {
  const odd = JSON.parse('{"__proto__":{"state":"ENABLED","variants":{"__proto__":1,"constructor":2},"targeting":{"var":"v"}}}');
  const set = compileFlags(odd, { metadata: JSON.parse('{"__proto__":"set"}') });
  for (const v of ["__proto__", "constructor", "toString", null, 5]) {
    expect(set.writeAll({ v })).toBe(JSON.stringify(set.evaluateAll({ v })));
  }
  expect(set.writeAll({ v: "__proto__" })).toBe(
    '[{"key":"__proto__","reason":"TARGETING_MATCH","value":1,"variant":"__proto__","metadata":{"__proto__":"set"}}]',
  );
});
