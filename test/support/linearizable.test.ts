import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkLinearizable, type Operation } from "./linearizable.ts";
import { register, type RegisterCall } from "./register.ts";

type Call = RegisterCall;

const at = (sentAt: number, answeredAt: number, call: Call): Operation<Call> => ({
  call,
  sentAt,
  answeredAt,
});
const create = (value: string, outcome: "made" | "refused" | "unknown" = "made"): Call => ({
  kind: "create",
  value,
  outcome,
});
const update = (
  expected: string,
  value: string,
  outcome: "made" | "refused" | "unknown" = "made",
): Call => ({ kind: "update", expected, value, outcome });
const deletion = (outcome: "made" | "refused" | "unknown" = "made"): Call => ({
  kind: "delete",
  outcome,
});
const reading = (value: string | undefined): Call => ({ kind: "read", value });

const isLinearizable = (...history: Operation<Call>[]): boolean =>
  checkLinearizable(register, history).isLinearizable;

describe("a history is accepted if", () => {
  test("nothing happens", () => {
    expect(isLinearizable()).toBe(true);
  });

  test("writes follow one another", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, 3, update("a", "b")),
        at(4, 5, update("a", "c", "refused")),
        at(6, 7, deletion()),
        at(8, 9, update("b", "d", "refused")),
        at(10, 11, create("e")),
        at(12, 13, reading("e")),
      ),
    ).toBe(true);
  });

  test("one of two writes at the same time wins, whichever was sent first", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, 9, update("a", "b", "refused")),
        at(3, 8, update("a", "c")),
        at(10, 11, reading("c")),
      ),
    ).toBe(true);
  });

  test("a write of unknown outcome is seen later", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, Infinity, update("a", "b", "unknown")),
        at(3, 4, reading("a")),
        at(5, 6, reading("b")),
      ),
    ).toBe(true);
  });

  test("a write of unknown outcome is never seen", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, Infinity, update("a", "b", "unknown")),
        at(3, 4, update("a", "c")),
        at(5, 6, reading("c")),
      ),
    ).toBe(true);
  });

  test("only a deletion of unknown outcome explains a second creation", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, Infinity, deletion("unknown")),
        at(3, 4, create("b")),
      ),
    ).toBe(true);
  });
});

describe("a history is refused if", () => {
  test("two updates of one etag are both made", () => {
    const lost = at(3, 6, update("a", "c"));
    expect(isLinearizable(at(0, 1, create("a")), at(2, 5, update("a", "b")), lost)).toBe(false);
  });

  test("an answered write is lost", () => {
    expect(
      isLinearizable(at(0, 1, create("a")), at(2, 3, update("a", "b")), at(4, 5, reading("a"))),
    ).toBe(false);
  });

  test("an update with the present etag is refused", () => {
    expect(isLinearizable(at(0, 1, create("a")), at(2, 3, update("a", "b", "refused")))).toBe(
      false,
    );
  });

  test("a write that was refused is there", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, 3, create("b", "refused")),
        at(4, 5, reading("b")),
      ),
    ).toBe(false);
  });

  test("a write takes effect before it was sent", () => {
    expect(isLinearizable(at(0, 1, reading("a")), at(2, Infinity, create("a", "unknown")))).toBe(
      false,
    );
  });

  test("a write of unknown outcome comes, goes, and comes again", () => {
    expect(
      isLinearizable(
        at(0, 1, create("a")),
        at(2, Infinity, update("a", "b", "unknown")),
        at(3, 4, reading("b")),
        at(5, 6, reading("a")),
      ),
    ).toBe(false);
  });

  test("what was deleted comes back", () => {
    expect(
      isLinearizable(at(0, 1, create("a")), at(2, 3, deletion()), at(4, 5, reading("a"))),
    ).toBe(false);
  });
});

test("the verdict names the operation that nothing explains", () => {
  const stale = at(4, 5, reading("a"));
  const verdict = checkLinearizable(register, [
    at(0, 1, create("a")),
    at(2, 3, update("a", "b")),
    stale,
    at(6, 7, reading("b")),
  ]);
  expect(verdict.unexplained).toBe(stale);
  expect(verdict.order.map(({ call }) => call)).toEqual([create("a"), update("a", "b")]);
});

const values = ["a", "b", "c"];
const anyOutcome = fc.constantFrom("made" as const, "refused" as const, "unknown" as const);
const anyCall: fc.Arbitrary<Call> = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    value: fc.constantFrom(...values),
    outcome: anyOutcome,
  }),
  fc.record({
    kind: fc.constant("update" as const),
    expected: fc.constantFrom(...values),
    value: fc.constantFrom(...values),
    outcome: anyOutcome,
  }),
  fc.record({ kind: fc.constant("delete" as const), outcome: anyOutcome }),
  fc.record({ kind: fc.constant("read" as const), value: fc.constantFrom(undefined, ...values) }),
);
const anyOperation: fc.Arbitrary<Operation<Call>> = fc
  .record({ call: anyCall, sentAt: fc.nat(8), takes: fc.nat(6) })
  .map(({ call, sentAt, takes }) => {
    const isUnknown = call.kind !== "read" && call.outcome === "unknown";
    return { call, sentAt, answeredAt: isUnknown ? Infinity : sentAt + takes };
  });

/** Tries every order, one operation after the other, and remembers nothing. */
function isLinearizableByTrial(left: readonly Operation<Call>[], state?: string): boolean {
  const firstAnswer = Math.min(...left.map(({ answeredAt }) => answeredAt));
  return (
    left.every(({ answeredAt }) => answeredAt === Infinity) ||
    left.some((operation, index) => {
      const next =
        operation.sentAt <= firstAnswer ? register.next(state, operation.call) : undefined;
      return next !== undefined && isLinearizableByTrial(left.toSpliced(index, 1), next.state);
    })
  );
}

test("the verdict is that of trying every order", () => {
  fc.assert(
    fc.property(fc.array(anyOperation, { maxLength: 7 }), (history) => {
      expect(isLinearizable(...history)).toBe(isLinearizableByTrial(history));
    }),
    { numRuns: 3_000 },
  );
});

test("a history of a register that works is accepted, and refused when one answer is swapped", () => {
  const anyStep = fc.record({ call: anyCall, begins: fc.nat(20), ends: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 200 }), (steps) => {
      let state: string | undefined;
      // Each takes effect at the time of its index, between its sending and its answer.
      const history = steps.map(({ call, begins, ends }, index) => {
        const [made, before] = carryOut(call, state);
        state = made === "made" && call.kind !== "read" ? valueAfter(call) : before;
        const isUnknown = call.kind !== "read" && call.outcome === "unknown";
        const answer =
          call.kind === "read"
            ? { ...call, value: before }
            : { ...call, outcome: isUnknown ? ("unknown" as const) : made };
        return at(index * 5 - begins, isUnknown ? Infinity : index * 5 + ends, answer);
      });
      expect(isLinearizable(...history)).toBe(true);
      const last = steps.length * 5 + 100;
      expect(isLinearizable(...history, at(last, last + 1, reading(`not ${state ?? ""}`)))).toBe(
        false,
      );
    }),
    { numRuns: 200 },
  );
});

function carryOut(call: Call, state: string | undefined): ["made" | "refused", string | undefined] {
  const isMade = call.kind !== "read" && register.next(state, { ...call, outcome: "made" });
  return [isMade === undefined || isMade === false ? "refused" : "made", state];
}

function valueAfter(call: Exclude<Call, { readonly kind: "read" }>): string | undefined {
  return call.kind === "delete" ? undefined : call.value;
}
