/* Where extensions and attachments run, over all proxies. */
import { create } from "@bufbuild/protobuf";
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
import { proxyLink } from "./status.ts";

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
    return set.flatMap(({ fqn: extension }, position) =>
      ofExtension && extension !== fqn
        ? []
        : [
            attachmentStatus(
              byProxy(proxies.of(target)),
              { target, extension, position },
              should,
              fails,
            ),
          ],
    );
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

/** Sessions by their proxies. */
function byProxy(sessions: readonly ProxySession[]): ReadonlyMap<string, ProxySession[]> {
  return Map.groupBy(sessions, ({ proxyKey }) => proxyKey);
}

function attachmentStatus(
  byKey: ReadonlyMap<string, readonly ProxySession[]>,
  { target, extension, position }: { target: string; extension: string; position: number },
  should: Set<string>,
  fails: Set<string>,
): AttachmentStatus {
  let proxies = 0;
  let running = 0;
  const problems: AttachmentProblem[] = [];
  for (const [proxy, sessions] of byKey) {
    const found = problemsOn(sessions, target, extension, position);
    if (found === undefined) {
      continue;
    }
    proxies++;
    should.add(proxy);
    if (found.length === 0) {
      running++;
    } else {
      fails.add(proxy);
      problems.push(...found);
    }
  }
  return create(AttachmentStatusSchema, {
    target,
    extension,
    position,
    proxies,
    running,
    summary:
      proxies > 0 || byKey.size === 0
        ? summaryOf(proxies, running, problems[0])
        : "runs nowhere: no listener of the connected proxies takes its traffic",
    problems: problems.slice(0, maxProblems),
  });
}

/** Why an attachment does not run on a proxy; undefined if it does not have to. */
function problemsOn(
  sessions: readonly ProxySession[],
  target: string,
  extension: string,
  position: number,
): AttachmentProblem[] | undefined {
  const nodeId = sessions[0]?.node?.id ?? "";
  let isWanted = false;
  let hasSlot = false;
  const problems: AttachmentProblem[] = [];
  for (const [session, open] of slotsOf(sessions)) {
    const isThis = (link: { fqn: string; position: number }): boolean =>
      link.fqn === extension && link.position === position;
    if (open.place?.target !== target || open.whole.links?.some(isThis) === false) {
      continue;
    }
    isWanted = true;
    const link = open.wanted.links?.find(isThis);
    if (link === undefined) {
      continue;
    }
    hasSlot = true;
    const { state, effect, reason, message } = proxyLink(session, open, link);
    if (state !== LinkState.APPLIED) {
      problems.push(
        create(AttachmentProblemSchema, {
          nodeId,
          slot: open.name,
          state,
          effect,
          reason,
          message,
        }),
      );
    }
  }
  if (isWanted && !hasSlot) {
    const message = "the listener of the proxy has no slot for its phase; add one";
    const reason = "NO_SLOT";
    const [state, effect] = [LinkState.REJECTED, Effect.LEFT_OUT];
    return [create(AttachmentProblemSchema, { nodeId, state, effect, reason, message })];
  }
  return isWanted ? problems : undefined;
}

function* slotsOf(sessions: readonly ProxySession[]): Iterable<[ProxySession, OpenSlot]> {
  for (const session of sessions) {
    for (const open of session.slots) {
      yield [session, open];
    }
  }
}

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
