import fc from "fast-check";
import { expect, test } from "vitest";
import { createJoined } from "../../src/transport/answer/joined.ts";

test("frames are joined in order, and those who are sent the same share the result", () => {
  const all = Array.from({ length: 5 }, (_, index) => Buffer.from(`frame ${index};`));
  const run = fc
    .tuple(fc.nat(4), fc.nat(4))
    .map(([from, more]) => all.slice(from, from + more + 1));
  fc.assert(
    fc.property(fc.array(run), (runs) => {
      const joined = createJoined();
      const last = new Map<Buffer | undefined, readonly [string, Buffer]>();
      for (const frames of runs) {
        const whole = joined.of([...frames]);
        const text = Buffer.concat(frames).toString();
        expect(whole.toString()).toBe(text);
        const [before, shared] = last.get(frames[0]) ?? [];
        if (before === text) {
          expect(whole).toBe(shared);
        }
        if (frames.length > 1) {
          last.set(frames[0], [text, whole]);
        }
      }
    }),
  );
});
