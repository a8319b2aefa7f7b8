import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { type WatchResponse, WatchResponseSchema } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { objectsUnder } from "../../src/cli/catalog-objects.ts";
import type { Clients } from "../../src/cli/clients.ts";
import { follow } from "../../src/cli/follow.ts";
import { rpcError } from "../../src/rpc/errors.ts";
import { acme, createAcme } from "../support/acme.ts";

/** What a server sends in one stream, which ends with an error or without. */
type Stream = readonly (MessageInitShape<typeof WatchResponseSchema> | ConnectError)[];

const lost = new ConnectError("cut", Code.Unavailable);
const put = (fqn: string, etag = "e") => ({
  event: { case: "extensionPut" as const, value: { fqn, etag } },
});

/** A server that answers one watch after the other with these streams, and then never again. */
function serverOf(streams: readonly Stream[]) {
  const requests: { startRevision?: bigint; incarnation?: string }[] = [];
  async function* watch(request: (typeof requests)[number]): AsyncGenerator<WatchResponse> {
    requests.push(request);
    for (const step of streams[requests.length - 1] ?? []) {
      if (step instanceof ConnectError) {
        throw step;
      }
      yield await Promise.resolve(create(WatchResponseSchema, step));
    }
    if (requests.length > streams.length) {
      await new Promise(() => undefined);
    }
  }
  return { requests, watches: { watch } as unknown as Clients["watches"] };
}

/** Follows until so many changes have been told, or an error ends it. */
async function followed(
  { watches }: Pick<Clients, "watches">,
  count: number,
  { startRevision = 0n, now = () => 0 }: { startRevision?: bigint; now?: () => number } = {},
) {
  const told: string[] = [];
  const notes: string[] = [];
  const waits: number[] = [];
  const signal = new AbortController().signal;
  const changes = follow(
    { watches },
    {
      parent: acme,
      startRevision,
      signal,
      silenceMs: 60_000,
      hasNewToken: () => false,
      note: (text) => notes.push(text),
      now,
      wait: (ms) => {
        waits.push(ms);
        return Promise.resolve();
      },
    },
  );
  const error = await (async () => {
    while (told.length < count) {
      const step = await changes.next();
      if (step.done === true) {
        break;
      }
      const { value } = step;
      told.push(`${value.revision} ${value.action} ${value.fqn}`);
    }
    return undefined;
  })().catch((reason: unknown) => reason);
  return { told, notes, waits, error };
}

describe("follow", () => {
  test("tells what went while the present state was cut off", async () => {
    const server = serverOf([
      [{ revision: 5n, events: [put("x"), put("y")] }, lost],
      [
        { revision: 6n, events: [put("y")] },
        { revision: 6n, events: [put("z")] },
        { revision: 6n, bookmark: true, incarnation: "i" },
      ],
    ]);
    const { told } = await followed(server, 4);
    expect(told).toEqual(["5 present x", "5 present y", "6 present z", "6 deleted x"]);
    expect(server.requests.map(({ startRevision }) => startRevision)).toEqual([0n, 0n]);
  });

  test("resumes after the last message, and with its incarnation", async () => {
    const server = serverOf([
      [
        { revision: 3n, events: [put("x")], incarnation: "i" },
        { revision: 3n, bookmark: true, incarnation: "i" },
        { revision: 9n, bookmark: true, incarnation: "i" },
        lost,
      ],
      [{ revision: 11n, events: [put("x", "f")], incarnation: "i" }],
    ]);
    const { told } = await followed(server, 2);
    expect(told).toEqual(["3 present x", "11 changed x"]);
    expect(server.requests[1]).toMatchObject({ startRevision: 10n, incarnation: "i" });
  });

  test("goes on waiting for a revision of the future after a bookmark before it", async () => {
    const server = serverOf([
      [{ revision: 1n, bookmark: true, incarnation: "i" }, lost],
      [{ revision: 5n, events: [put("x")] }],
    ]);
    const { told } = await followed(server, 1, { startRevision: 5n });
    expect(told).toEqual(["5 put x"]);
    expect(server.requests[1]).toMatchObject({ startRevision: 5n, incarnation: "i" });
  });

  test("waits longer after each attempt that fails, and begins with little after a message", async () => {
    const message = { revision: 1n, bookmark: true, incarnation: "i" };
    const server = serverOf([
      [message, lost],
      ...Array.from({ length: 8 }, () => [lost]),
      [{ ...message, revision: 2n }, lost],
      [{ revision: 3n, events: [put("x")] }],
    ]);
    const { waits, notes } = await followed(server, 1);
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 100]);
    expect(notes).toEqual([
      "the connection is lost: cut; trying again",
      "the connection is lost: cut; trying again",
    ]);
  });

  describe("when the grants of the caller have changed", () => {
    const changed = rpcError(
      Code.Unavailable,
      "GRANTS_CHANGED",
      "the grants of the caller have changed; call again",
      { next_revision: "0" },
    );
    const state = [
      { revision: 5n, events: [put("x"), put("y")], incarnation: "i" },
      { revision: 5n, bookmark: true, incarnation: "i" },
    ];

    test("tells what it sees more, and what it no longer sees", async () => {
      const server = serverOf([
        [...state, changed],
        [
          { revision: 5n, events: [put("y"), put("z")], incarnation: "i" },
          { revision: 5n, bookmark: true, incarnation: "i" },
        ],
      ]);
      const { told, notes } = await followed(server, 4);
      expect(told).toEqual(["5 present x", "5 present y", "5 created z", "5 deleted x"]);
      expect(server.requests[1]).toMatchObject({ startRevision: 0n });
      expect(notes).toEqual([
        "the grants of the caller have changed; showing what has changed since",
      ]);
    });

    test("and it began with a revision, ends: it does not know what was there before", async () => {
      const server = serverOf([[{ revision: 7n, events: [put("x")], incarnation: "i" }, changed]]);
      const { told, error } = await followed(server, 2, { startRevision: 7n });
      expect(told).toEqual(["7 put x"]);
      expect(error).toBe(changed);
    });
  });

  test("resumes when it was too slow", async () => {
    const tooSlow = rpcError(Code.ResourceExhausted, "READER_TOO_SLOW", "the reader is too slow");
    const server = serverOf([
      [{ revision: 1n, bookmark: true }, tooSlow],
      [{ revision: 2n, events: [put("x")] }],
    ]);
    expect((await followed(server, 1)).told).toEqual(["2 created x"]);
  });

  test.each([
    ["a server that was never there, however long that took", [lost], Code.Unavailable],
    [
      "a refusal",
      [{ bookmark: true }, rpcError(Code.PermissionDenied, "DENIED", "no")],
      Code.PermissionDenied,
    ],
    [
      "OUT_OF_RANGE to a watch of the present state",
      [rpcError(Code.OutOfRange, "X", "no")],
      Code.OutOfRange,
    ],
    [
      "OUT_OF_RANGE of another kind of server",
      [{ revision: 1n, bookmark: true }, new ConnectError("no", Code.OutOfRange)],
      Code.OutOfRange,
    ],
  ] satisfies [string, Stream, Code][])("ends with %s", async (_what, stream, code) => {
    let time = 0;
    const { error } = await followed(serverOf([stream]), 1, { now: () => (time += 3_600_000) });
    expect(error).toMatchObject({ code });
  });
});

test("a state that is not complete is not taken for one", async () => {
  const { watches } = serverOf([[{ revision: 1n, events: [put("x")] }]]);
  await expect(objectsUnder({ ...createAcme(), watches }, acme)).rejects.toMatchObject({
    code: Code.Unavailable,
  });
});
