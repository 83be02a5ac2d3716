import fc from "fast-check";
import { expect, test } from "vitest";
import { FifoMap } from "../../src/fifo-map.ts";

const key = fc.integer({ min: 0, max: 9 });
const step = fc.oneof(
  fc.record({ op: fc.constant("set" as const), key, value: fc.integer() }),
  fc.record({ op: fc.constant("delete" as const), key }),
  fc.record({ op: fc.constant("clear" as const) }),
);

test("it holds what a Map holds in which whatever is set again goes last, and tells its first", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const map = new FifoMap<number, number>();
      const model = new Map<number, number>();
      for (const taken of steps) {
        if (taken.op === "clear") {
          map.clear();
          model.clear();
        } else {
          model.delete(taken.key);
          if (taken.op === "delete") {
            map.delete(taken.key);
          } else {
            map.set(taken.key, taken.value);
            model.set(taken.key, taken.value);
          }
        }
        expect(map.oldest()).toEqual([...model][0]);
        expect([...map.keys()]).toEqual([...model.keys()]);
        expect([...map.values()]).toEqual([...model.values()]);
        expect(map.size).toBe(model.size);
        for (let n = 0; n <= 9; n++) expect([map.has(n), map.get(n)]).toEqual([model.has(n), model.get(n)]);
      }
      const left: [number, number][] = [];
      for (let oldest = map.oldest(); oldest !== undefined; oldest = map.oldest()) {
        left.push([...oldest]);
        map.delete(oldest[0]);
      }
      expect(left).toEqual([...model]);
    }),
  );
});
