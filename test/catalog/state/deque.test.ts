import fc from "fast-check";
import { expect, test } from "vitest";
import { createDeque, lowerBound } from "../../../src/catalog/state/deque.ts";

test("a deque is a list, and is searched like one", () => {
  const anyStep = fc.constantFrom("push", "push", "push", "shift", "shift");
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 200 }), fc.nat(150), (steps, least) => {
      const deque = createDeque<number>();
      const list: number[] = [];
      for (const [index, step] of steps.entries()) {
        if (step === "push") {
          deque.push(index);
          list.push(index);
        } else {
          deque.shift();
          list.shift();
        }
        expect(deque.length).toBe(list.length);
        expect(deque.at(0)).toBe(list[0]);
        expect(deque.at(list.length)).toBeUndefined();
        const found = list.findIndex((item) => item >= least);
        expect(lowerBound(deque, (item) => item < least)).toBe(found < 0 ? list.length : found);
      }
      expect(list.map((_, index) => deque.at(index))).toEqual(list);
    }),
  );
});
