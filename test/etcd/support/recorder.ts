/* What clients did to extensions and how it ended, by extension, for the checker of linearizability. */
import { ConnectError } from "@connectrpc/connect";
import { expect } from "vitest";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { checkLinearizable, type Operation } from "../../support/linearizable.ts";
import { register, type RegisterCall } from "../../support/register.ts";

/** A version of an extension: the value that was written, and the etag that it got. */
export interface Version {
  readonly value: string;
  readonly etag: string;
}

type WriteCall = Exclude<RegisterCall, { readonly kind: "read" }>;
type Asked<Call> = Call extends unknown ? Omit<Call, "outcome"> : never;

/** How many writes ended how. */
export interface Tally {
  made: number;
  /** Because of what was there. */
  refused: number;
  /** For another reason, so that it was not made. */
  notMade: number;
  unknown: number;
  /** By the reason of the error. */
  readonly reasons: Map<string, number>;
  /** The longest time that a write took to be answered, in ms. */
  longestMs: number;
}

/** Records the writes of a run. */
export interface Recorder {
  readonly tally: Tally;
  /** Values of writes that were made. */
  readonly made: ReadonlySet<string>;
  /** Values of writes that may have been made. */
  readonly unknown: ReadonlySet<string>;
  /** The latest version that anybody has been told of; undefined if that is a deletion. */
  latest(fqn: string): Version | undefined;
  /** Carries out a write, which answers with the etag that it made. */
  write(fqn: string, asked: Asked<WriteCall>, send: () => Promise<string>): Promise<void>;
  /** Counts a write of another object. */
  count(send: () => Promise<unknown>): Promise<void>;
  /** Expects one order for each extension that ends with what is there now. */
  expectLinearizable(present: ReadonlyMap<string, Version>): void;
}

/** Because of what was there. */
const refusals = new Set(["ETAG_MISMATCH", "ALREADY_EXISTS", "NOT_FOUND", "EXTENSION_NOT_USABLE"]);

/** Creates a recorder of nothing yet. */
export function createRecorder(notMadeReasons: ReadonlySet<string>): Recorder {
  const histories = new Map<string, Operation<RegisterCall>[]>();
  const versions = new Map<string, Version | undefined>();
  const values = new Map<string, string>();
  const made = new Set<string>();
  const unknown = new Set<string>();
  const tally: Tally = {
    made: 0,
    refused: 0,
    notMade: 0,
    unknown: 0,
    reasons: new Map(),
    longestMs: 0,
  };

  /** An etag stands for one value, for good. */
  const learn = ({ value, etag }: Version): void => {
    expect(values.get(etag) ?? value, `the value of ${etag}`).toBe(value);
    values.set(etag, value);
  };

  const finish = (
    startedAt: number,
    error: unknown,
  ): "made" | "refused" | "notMade" | "unknown" => {
    tally.longestMs = Math.max(tally.longestMs, performance.now() - startedAt);
    if (error === undefined) {
      tally.made++;
      return "made";
    }
    const reason = reasonOf(error);
    tally.reasons.set(reason, (tally.reasons.get(reason) ?? 0) + 1);
    const outcome = refusals.has(reason)
      ? "refused"
      : notMadeReasons.has(reason)
        ? "notMade"
        : "unknown";
    tally[outcome]++;
    return outcome;
  };

  return {
    tally,
    made,
    unknown,
    latest: (fqn) => versions.get(fqn),
    async write(fqn, asked, send) {
      const sentAt = performance.now();
      const value = "value" in asked ? asked.value : undefined;
      let etag = "";
      const error = await send().then(
        (answered) => void (etag = answered),
        (reason: unknown) => reason,
      );
      const answeredAt = performance.now();
      const outcome = finish(sentAt, error);
      if (outcome === "notMade") {
        return;
      }
      if (outcome === "made") {
        versions.set(fqn, value === undefined ? undefined : { value, etag });
        if (value !== undefined) {
          made.add(value);
          learn({ value, etag });
        }
      } else if (outcome === "unknown" && value !== undefined) {
        unknown.add(value);
      }
      const call = { ...asked, outcome } as RegisterCall;
      const operation = { call, sentAt, answeredAt: outcome === "unknown" ? Infinity : answeredAt };
      const history = histories.get(fqn) ?? [];
      histories.set(fqn, history);
      history.push(operation);
    },
    async count(send) {
      const sentAt = performance.now();
      const error = await send().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      finish(sentAt, error);
    },
    expectLinearizable(present) {
      const now = performance.now();
      for (const [fqn, history] of histories) {
        const version = present.get(fqn);
        if (version !== undefined) {
          learn(version);
        }
        const call = { kind: "read" as const, value: version?.value };
        const whole = [...history, { call, sentAt: now, answeredAt: now }];
        const { isLinearizable, unexplained, order } = checkLinearizable(register, whole);
        const what = { unexplained, before: order.slice(-3), near: near(whole, unexplained) };
        expect(isLinearizable, `${fqn}: ${JSON.stringify(what, undefined, 1)}`).toBe(true);
      }
    },
  };
}

/** The operations that were under way at the same time. */
function near(
  history: readonly Operation<RegisterCall>[],
  one: Operation<RegisterCall> | undefined,
): readonly Operation<RegisterCall>[] {
  return one === undefined
    ? []
    : history
        .filter(({ sentAt, answeredAt }) => sentAt <= one.answeredAt && answeredAt >= one.sentAt)
        .slice(-10);
}

/** The reason of an error; its code if it has none. */
export function reasonOf(error: unknown): string {
  const connectError = ConnectError.from(error);
  const [info] = connectError.findDetails(ErrorInfoSchema);
  return info?.reason ?? `code ${connectError.code}: ${connectError.rawMessage}`;
}
