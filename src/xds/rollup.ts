/* Where extensions and attachments run, over all proxies. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AttachmentProblem,
  AttachmentProblemSchema,
  type AttachmentStatus,
  AttachmentStatusSchema,
  LinkEffect as Effect,
  LinkState,
  type Status,
  StatusSchema,
} from "../../gen/wasmext/v1/proxy_pb.ts";
import { may, type Principal } from "../catalog/access/principal.ts";
import { isExtension } from "../catalog/names/fqn.ts";
import { findAttachments, type State, targetsOf } from "../catalog/state/state.ts";
import type { Proxies } from "./proxies.ts";
import type { OpenSlot, ProxySession } from "./session.ts";
import { isApplied, proxyLink } from "./status.ts";

/** How many problems of an attachment are told. */
const maxProblems = 10;

/** The targets that a status is about, as far as a caller may read them. */
export function statusTargets(state: State, principal: Principal, fqn: string): string[] {
  return isExtension(fqn)
    ? [...targetsOf(state, fqn)].filter((target) => may(principal, "READ", target))
    : [fqn];
}

/** Where an extension, or what is attached to a target, runs. */
export function statusOf(
  proxies: Proxies,
  state: State,
  principal: Principal,
  fqn: string,
): Status {
  const ofExtension = isExtension(fqn);
  const should = new Set<string>();
  const fails = new Set<string>();
  const attachments = statusTargets(state, principal, fqn).flatMap((target) => {
    const set = findAttachments(state, target)?.message.extension ?? [];
    const meant = set.flatMap(({ fqn: extension }, position) =>
      ofExtension && extension !== fqn ? [] : [{ target, extension, position }],
    );
    // A proxy may have a stream for each slot.
    const byProxy = Map.groupBy(proxies.of(target), ({ proxyKey }) => proxyKey);
    const found = [...byProxy].map(
      ([proxy, sessions]) => [proxy, findOn(sessions, target, meant)] as const,
    );
    return meant.map((attachment) => attachmentStatus(found, attachment, should, fails));
  });
  const running = should.size - fails.size;
  const [problem] = attachments.flatMap(({ problems }) => problems);
  const [only, ...others] = attachments;
  const nothing = `runs nowhere: ${ofExtension ? "no target that the caller may read attaches it" : "nothing is attached"}`;
  const summary = only === undefined ? nothing : others.length === 0 ? only.summary : undefined;
  return create(StatusSchema, {
    fqn,
    revision: state.revision,
    proxies: should.size,
    running,
    summary: summary ?? summaryOf(should.size, running, problem),
    attachments,
  });
}

/** An attachment of a target. */
interface Attachment {
  readonly target: string;
  readonly extension: string;
  readonly position: number;
}

/** What is found on each proxy, by its key, of each attachment, by its position. */
type FoundByProxy = readonly (readonly [proxy: string, ReadonlyMap<number, Found>])[];

function attachmentStatus(
  byProxy: FoundByProxy,
  { target, extension, position }: Attachment,
  should: Set<string>,
  fails: Set<string>,
): AttachmentStatus {
  let proxies = 0;
  let running = 0;
  const problems: AttachmentProblem[] = [];
  for (const [proxy, byPosition] of byProxy) {
    const found = byPosition.get(position);
    if (found === undefined) {
      continue;
    }
    proxies++;
    should.add(proxy);
    if (found.runs) {
      running++;
    } else {
      fails.add(proxy);
      problems.push(...found.problems.slice(0, maxProblems - problems.length));
    }
  }
  return create(AttachmentStatusSchema, {
    target,
    extension,
    position,
    proxies,
    running,
    summary:
      proxies > 0 || byProxy.length === 0
        ? summaryOf(proxies, running, problems[0])
        : "runs nowhere: no listener of the connected proxies takes its traffic",
    problems,
  });
}

/** What is found of an attachment that should run on a proxy. */
interface Found {
  /** Whether it runs wherever it should. */
  runs: boolean;
  hasSlot: boolean;
  readonly problems: AttachmentProblem[];
}

/**
 * What is found of attachments on a proxy, by their positions; nothing of those that need not run there. Each
 * slot and each of its links is looked at once, since there may be thousands of them.
 */
function findOn(
  sessions: readonly ProxySession[],
  target: string,
  meant: readonly Attachment[],
): ReadonlyMap<number, Found> {
  const nodeId = sessions[0]?.node?.id ?? "";
  const all = new Map<number, Found>();
  /** Of slots of which it is not known what should run in them. */
  const unfilled: AttachmentProblem[] = [];
  const positions = new Set(meant.map(({ position }) => position));
  const at = (position: number): Found => {
    const found = all.get(position) ?? { runs: true, hasSlot: false, problems: [] };
    all.set(position, found);
    return found;
  };
  for (const [session, open] of slotsOf(sessions, target)) {
    const { links, problem } = open.wanted;
    for (const link of links ?? []) {
      if (positions.has(link.position)) {
        const found = at(link.position);
        found.hasSlot = true;
        if (!isApplied(open, link)) {
          found.runs = false;
          if (found.problems.length < maxProblems) {
            const { state, effect, reason, message } = proxyLink(session, open, link);
            found.problems.push(
              problemOf({ nodeId, slot: open.name, state, effect, reason, message }),
            );
          }
        }
      }
    }
    if (links === undefined && unfilled.length < maxProblems) {
      const [state, effect, reason] = [LinkState.REJECTED, Effect.WAITING, "SLOT_REFUSED"];
      const message = session.node?.problem ?? problem ?? "";
      unfilled.push(problemOf({ nodeId, slot: open.name, state, effect, reason, message }));
    }
    if (links === undefined) {
      continue;
    }
    // What no slot takes has to be told, too.
    for (const { position } of all.size < positions.size ? (open.whole.links ?? []) : []) {
      if (positions.has(position)) {
        at(position);
      }
    }
  }
  for (const position of unfilled.length === 0 ? [] : positions) {
    const found = at(position);
    found.hasSlot = true;
    found.runs = false;
    found.problems.push(...unfilled.slice(0, maxProblems - found.problems.length));
  }
  for (const found of all.values()) {
    if (!found.hasSlot) {
      const message = "the listener of the proxy has no slot for its phase; add one";
      const reason = "NO_SLOT";
      const [state, effect] = [LinkState.REJECTED, Effect.LEFT_OUT];
      found.runs = false;
      found.problems.push(problemOf({ nodeId, state, effect, reason, message }));
    }
  }
  return all;
}

function* slotsOf(
  sessions: readonly ProxySession[],
  target: string,
): Iterable<[ProxySession, OpenSlot]> {
  for (const session of sessions) {
    for (const open of session.slotsOf(target)) {
      yield [session, open];
    }
  }
}

const problemOf = (init: MessageInitShape<typeof AttachmentProblemSchema>): AttachmentProblem =>
  create(AttachmentProblemSchema, init);

function summaryOf(
  proxies: number,
  running: number,
  problem: AttachmentProblem | undefined,
): string {
  if (proxies === 0) {
    return "runs nowhere: no proxy is connected that should run it";
  }
  const text = `runs on ${running} of ${proxies} ${proxies === 1 ? "proxy" : "proxies"}`;
  return problem === undefined ? text : `${text}; ${problem.nodeId}: ${wordingOf(problem)}`;
}

function wordingOf({ state, message }: AttachmentProblem): string {
  if (message !== "") {
    return message;
  }
  return state === LinkState.FETCHING ? "its module is being fetched" : "has not answered yet";
}
