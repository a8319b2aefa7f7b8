/*
 * The model of one object that is written against etags: a register with compare-and-set. Every write of a
 * history writes a value of its own, and an etag stands for the value that it was answered with.
 */
import type { SequentialModel } from "./linearizable.ts";

/** Whether a call was answered, refused because of what was there, or neither is known. */
export type Outcome = "made" | "refused" | "unknown";

/** A call, and how it ended. A write that was refused for another reason is none. */
export type RegisterCall =
  | { readonly kind: "create"; readonly value: string; readonly outcome: Outcome }
  | {
      readonly kind: "update";
      /** The value whose etag was sent. */
      readonly expected: string;
      readonly value: string;
      readonly outcome: Outcome;
    }
  | { readonly kind: "delete"; readonly outcome: Outcome }
  | { readonly kind: "read"; readonly value: string | undefined };

/** The object: its value, or undefined while it does not exist. */
export const register: SequentialModel<string | undefined, RegisterCall> = {
  initial: undefined,
  next(state, call) {
    if (call.kind === "read") {
      return call.value === state ? { state } : undefined;
    }
    const isPossible = possible(state, call);
    if (call.outcome === "refused") {
      return isPossible ? undefined : { state };
    }
    if (!isPossible) {
      // An unknown outcome may be a refusal.
      return call.outcome === "unknown" ? { state } : undefined;
    }
    return { state: call.kind === "delete" ? undefined : call.value };
  },
  keyOf: (state) => state ?? "",
};

function possible(
  state: string | undefined,
  call: Exclude<RegisterCall, { readonly kind: "read" }>,
): boolean {
  switch (call.kind) {
    case "create":
      return state === undefined;
    case "update":
      return state === call.expected;
    case "delete":
      return state !== undefined;
  }
}
