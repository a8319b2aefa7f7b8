/*
 * Three nodes, two servers, writers and watchers on both, and everything that may go wrong between them in
 * one run.
 *
 * WASMEXT_FAULT_ROUNDS sets how often each fault happens: 1 by default.
 */
import { expect, test } from "vitest";
import { toBinary } from "@bufbuild/protobuf";
import { WatchResponseSchema, type WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { eventsOf } from "../support/watched.ts";
import { type CatalogServer, startCatalogServer } from "./support/catalog-server.ts";
import { eventually } from "../support/eventually.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";
import { notMadeReasons } from "./support/journal.ts";
import { deadlineMs, type Load, organization, startLoad } from "./support/load.ts";
import { createRecorder } from "./support/recorder.ts";
import { openWatcher, type Watcher } from "./support/watcher.ts";

const rounds = Number(process.env["WASMEXT_FAULT_ROUNDS"] ?? 1);

/** How many writes have to be answered on a server before a fault is over, or before the next one. */
const enough = 25;

/** How many writers each server has. When as many writes have been given up, so has the one that was sent. */
const writers = 4;

interface Run {
  readonly etcd: Etcd;
  readonly servers: readonly [CatalogServer, CatalogServer];
  readonly loads: readonly [Load, Load];
  /** The servers of which a compaction may have been missed. */
  readonly mayRestart: Set<CatalogServer>;
}

type Fault = (run: Run) => Promise<void>;

const faults: Record<string, Fault> = {
  async "the leader is killed"(run) {
    const leader = await run.etcd.leader();
    await leader.kill();
    await writesOn(run, 0, 1);
    await leader.start();
  },
  async "the leader is paused"(run) {
    const leader = await run.etcd.leader();
    leader.pause();
    await writesOn(run, 0, 1);
    leader.resume();
  },
  async "two of three nodes are paused"(run) {
    const [first, second] = run.etcd.nodes;
    first?.pause();
    second?.pause();
    await Promise.all(run.servers.map((server) => server.becomes(false)));
    first?.resume();
    second?.resume();
  },
  async "all nodes are killed"(run) {
    await Promise.all(run.etcd.nodes.map((node) => node.kill()));
    await Promise.all(run.servers.map((server) => server.becomes(false)));
    await Promise.all(run.etcd.nodes.map((node) => node.start()));
  },
  async "one server is cut off"(run) {
    const [server] = run.servers;
    server.link.cut();
    await server.becomes(false);
    await writesOn(run, 1);
    server.link.heal();
  },
  async "one server hears nothing and is not heard, and then all of it"(run) {
    const [, server] = run.servers;
    server.link.hold();
    await server.becomes(false);
    await writesOn(run, 0);
    await answersOn(run, 1, writers);
    server.link.heal();
  },
  async "one server gets no answers, and loses them"(run) {
    const [server] = run.servers;
    server.link.hold("answers");
    await server.becomes(false);
    await writesOn(run, 1);
    await answersOn(run, 0, writers);
    server.link.reset();
  },
  async "the connections of one server end again and again"(run) {
    const [, server] = run.servers;
    for (let index = 0; index < 10; index++) {
      server.link.reset();
      await answersOn(run, 1, 3);
    }
  },
  async "the requests of one server end before their answer"(run) {
    const [server] = run.servers;
    for (const reaches of [true, false, true, false]) {
      const isCut = server.link.cutAt(20, reaches);
      await eventually("the cut", () => Promise.resolve(isCut() || undefined));
      await server.becomes(false);
      server.link.heal();
      await server.becomes(true);
    }
  },
  async "one server is far away"(run) {
    run.servers[0].link.delay(5);
    await writesOn(run, 0, 1);
    run.servers[0].link.delay(0);
  },
  async "etcd is compacted"(run) {
    await run.etcd.admin.compact();
    await writesOn(run, 0, 1);
  },
  async "etcd is compacted while one server is cut off"(run) {
    const [server] = run.servers;
    run.mayRestart.add(server);
    server.link.cut();
    await server.becomes(false);
    await writesOn(run, 1);
    await run.etcd.admin.compact();
    await writesOn(run, 1);
    server.link.heal();
  },
};

/** Resolves when some more writes have been answered on each of these servers. */
async function answersOn({ loads }: Run, index: 0 | 1, count: number): Promise<void> {
  const wanted = loads[index].answered + count;
  await eventually("more answers", () =>
    Promise.resolve(loads[index].answered >= wanted || undefined),
  );
}

/** Resolves when servers are ready and have answered some more writes. */
async function writesOn(run: Run, ...indexes: readonly (0 | 1)[]): Promise<void> {
  await Promise.all(
    indexes.map(async (index) => {
      await run.servers[index].becomes(true);
      await answersOn(run, index, enough);
    }),
  );
}

test("writes on two servers survive all faults of etcd and of the network", async () => {
  await using etcd = await startEtcd({ nodes: 3 });
  await using first = await startCatalogServer(etcd.urls);
  await using second = await startCatalogServer(etcd.urls);
  const servers = [first, second] as const;
  const recorder = createRecorder(notMadeReasons);
  await using watcherOfFirst = openWatcher(first, organization);
  await using watcherOfSecond = openWatcher(second, organization);
  const loads = [
    startLoad(first, recorder, writers),
    startLoad(second, recorder, writers),
  ] as const;
  const run: Run = { etcd, servers, loads, mayRestart: new Set() };

  await writesOn(run, 0, 1);
  const order = Array.from({ length: rounds }, () => shuffled(Object.entries(faults))).flat();
  for (const [name, fault] of order) {
    const startedAt = performance.now();
    await fault(run);
    // Both are in touch again before the next fault.
    await writesOn(run, 0, 1);
    report(`${name}: ${Math.round(performance.now() - startedAt)} ms`);
  }
  await Promise.all(loads.map((load) => load.stop()));

  // Both servers reach the last commit, and a third one that starts now has the same.
  await using third = await startCatalogServer(etcd.urls);
  const { revision } = third.reader.state;
  await Promise.all([watcherOfFirst.reaches(revision), watcherOfSecond.reaches(revision)]);
  const { made, notMade, refused, unknown, longestMs, reasons } = recorder.tally;
  report(
    `${order.length} faults, ${made} writes made, ${refused} refused by what was there, ${notMade} not made, ${unknown} unknown, longest ${Math.round(longestMs)} ms`,
    [...reasons].map(([reason, count]) => `${reason} ${count}`).join(", "),
  );
  expectEqual(third, first);
  expectEqual(third, second);
  for (const watcher of [watcherOfFirst, watcherOfSecond]) {
    expect(watcher.replica.extensions).toEqual(storedExtensions(third.reader));
    expect(watcher.replica.attachmentSets).toEqual(storedSets(third.reader));
  }

  expectSameCommits(watcherOfFirst, watcherOfSecond);
  expect(watcherOfFirst.restarts.length).toBeLessThanOrEqual(1 + rounds);
  expect(watcherOfSecond.restarts).toHaveLength(1);
  // The second server has never begun anew, so its watcher has seen all there was.
  const written = watcherOfSecond.commits.flatMap(valuesOf);
  expect(new Set(written).size).toBe(written.length);
  const seen = new Set(written);
  expect([...recorder.made].filter((value) => !seen.has(value))).toEqual([]);
  expect(
    written.filter((value) => !recorder.made.has(value) && !recorder.unknown.has(value)),
  ).toEqual([]);

  const present = [...storedExtensions(third.reader)].map(
    ([fqn, { description: value, etag }]) => [fqn, { value, etag }] as const,
  );
  recorder.expectLinearizable(new Map(present));
  expect(longestMs).toBeLessThan(deadlineMs);
}, 600_000);

/** Expects each commit once and in order on both, and the same on both from where both have commits. */
function expectSameCommits(first: Watcher, second: Watcher): void {
  for (const { commits } of [first, second]) {
    const revisions = commits.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => Number(a - b)));
  }
  const commitsOfSecond = new Map(second.commits.map((commit) => [commit.revision, commit]));
  for (const commit of first.commits) {
    const same = commitsOfSecond.get(commit.revision);
    expect(same && eventsOf(same), `commit ${commit.revision}`).toEqual(eventsOf(commit));
    expect(same && bytesOf(same)).toEqual(bytesOf(commit));
  }
  // What the first lacks, it was told as part of a state.
  const seen = new Set(first.commits.map(({ revision }) => revision));
  const firstOf = first.commits[0]?.revision ?? 0n;
  const lacking = second.commits.filter(
    ({ revision }) => revision >= firstOf && !seen.has(revision),
  );
  if (first.restarts.length === 1) {
    expect(lacking.map(({ revision }) => revision)).toEqual([]);
  }
}

const bytesOf = (response: WatchResponse): Buffer =>
  Buffer.from(toBinary(WatchResponseSchema, response));

const valuesOf = ({ events }: WatchResponse): string[] =>
  events.flatMap(({ event }) => (event.case === "extensionPut" ? [event.value.description] : []));

function expectEqual(one: CatalogServer, other: CatalogServer): void {
  expect(one.reader.incarnation).toBe(other.reader.incarnation);
  expect(one.reader.state.revision).toBe(other.reader.state.revision);
  expect(storedExtensions(one.reader)).toEqual(storedExtensions(other.reader));
  expect(storedSets(one.reader)).toEqual(storedSets(other.reader));
}

function shuffled<Value>(values: readonly Value[]): Value[] {
  return values
    .map((value) => [Math.random(), value] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, value]) => value);
}

function report(...lines: readonly string[]): void {
  if (process.env["WASMEXT_FAULT_ROUNDS"] !== undefined) {
    process.stderr.write(`${lines.join("\n")}\n`);
  }
}
