/*
 * Checks that a server's answer belongs to the request; otherwise the error names the call. Protobuf reads
 * missing fields as empty, so a foreign or truncated answer would look like an empty one.
 */
import type {
  DescMessage,
  DescMethod,
  DescMethodUnary,
  Message,
  MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AccessService } from "../../gen/wasmext/v1/access_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { ProxyService } from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { type WatchResponse, WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { extensionFqn, isExtension, isUnder, organizationOf } from "../catalog/names/fqn.ts";

/** Raises a ConnectError with the code DataLoss if an answer is not what was asked for. */
export const checkAnswers: Interceptor = (next) => async (request) => {
  if (request.stream) {
    let parent = "";
    const message = seen(request.message, (sent) => {
      parent = "parent" in sent && typeof sent.parent === "string" ? sent.parent : "";
    });
    const response = await next({ ...request, message });
    if (!response.stream || request.method !== WatchService.method.watch) {
      return response;
    }
    const checked = seen(response.message, (answer) => {
      refuse(request.method, problemOfWatch(parent, answer as WatchResponse));
    });
    return { ...response, message: checked };
  }
  const response = await next(request);
  if (!response.stream) {
    const check = checks.get(request.method);
    refuse(request.method, check?.(request.message, response.message));
  }
  return response;
};

function refuse({ name }: DescMethod, problem: string | undefined): void {
  if (problem !== undefined) {
    throw new ConnectError(`${name} was answered ${problem}`, Code.DataLoss);
  }
}

async function* seen<Item>(
  items: AsyncIterable<Item>,
  look: (item: Item) => void,
): AsyncGenerator<Item> {
  for await (const item of items) {
    look(item);
    yield item;
  }
}

/** Says what is wrong with an answer. */
type Check<Request, Answer> = (request: Request, answer: Answer) => string | undefined;

function check<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  problemOf: Check<MessageShape<I>, MessageShape<O>>,
): [DescMethod, Check<Message, Message>] {
  return [method, problemOf as Check<Message, Message>];
}

/** The answer to a delete is empty, so there is nothing to check. */
const checks = new Map([
  check(WasmExtensions.method.getWasmExtension, ({ fqn }, answer) => problemOfObject(fqn, answer)),
  check(WasmExtensions.method.createWasmExtension, ({ parent, name }, answer) =>
    problemOfObject(extensionFqn(parent, name), answer),
  ),
  check(WasmExtensions.method.updateWasmExtension, ({ fqn }, answer) =>
    problemOfObject(fqn, answer),
  ),
  check(WasmExtensions.method.listWasmExtension, ({ parent, pageToken }, answer) =>
    problemOfPage(pageToken, answer.nextPageToken, () =>
      problemOfObjects(parent, answer.extensions),
    ),
  ),
  check(AttachmentService.method.getAttachments, ({ fqn }, { attachmentSet }) =>
    problemOfObject(fqn, attachmentSet),
  ),
  check(AttachmentService.method.setAttachments, (request, { attachmentSet }) =>
    problemOfObject(request.attachmentSet?.fqn ?? "", attachmentSet),
  ),
  check(AttachmentService.method.listAttachments, ({ parent, pageToken }, answer) =>
    problemOfPage(pageToken, answer.nextPageToken, () =>
      problemOfObjects(parent, answer.attachmentSets),
    ),
  ),
  check(ChainService.method.resolveChain, ({ target }, { chain }) => {
    if (chain === undefined) {
      return "without a chain";
    }
    const unnamed = chain.links.some(({ fqn }) => !isExtension(fqn));
    return unnamed ? "with a link that names no extension" : problemOfName(target, chain.target);
  }),
  check(ExportService.method.exportIstio, (_request, { wasmPlugins }) =>
    wasmPlugins.every(({ metadata, spec }) => metadata?.name && spec?.url)
      ? undefined
      : "with a WasmPlugin that has no name or no url",
  ),
  check(ProxyService.method.listProxies, ({ pageToken }, answer) =>
    problemOfPage(pageToken, answer.nextPageToken, () =>
      answer.proxies.some(({ uid }) => uid === "") ? "with a proxy that has no uid" : undefined,
    ),
  ),
  check(ProxyService.method.getStatus, ({ fqn }, { status }) =>
    problemOfName(fqn, status?.fqn ?? ""),
  ),
  check(AccessService.method.whoAmI, (_request, { principal }) =>
    principal === "" ? "without a principal" : undefined,
  ),
]);

/** An object of the catalog. */
interface Stored {
  readonly fqn: string;
  readonly etag: string;
}

function problemOfObject(fqn: string, answer: Stored | undefined): string | undefined {
  return problemOfName(fqn, answer?.fqn ?? "") ?? problemOfEtag(answer);
}

function problemOfName(wanted: string, fqn: string): string | undefined {
  if (fqn === "") {
    return `without ${wanted}`;
  }
  return fqn === wanted ? undefined : `with ${fqn} instead of ${wanted}`;
}

function problemOfEtag(answer: Stored | undefined): string | undefined {
  return answer?.etag === "" ? `with ${answer.fqn} without an etag` : undefined;
}

function problemOfObjects(parent: string, answers: readonly Stored[]): string | undefined {
  for (const answer of answers) {
    const problem = problemOfPlace(parent, answer.fqn) ?? problemOfEtag(answer);
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}

/** A list holds what is at or under its parent; a tenant's watch the extensions that it may use, too. */
function problemOfPlace(parent: string, fqn: string): string | undefined {
  if (fqn === "") {
    return "with an object that has no fqn";
  }
  const isUsable = isExtension(fqn) && organizationOf(fqn) === organizationOf(parent);
  return isUnder(parent, fqn) || isUsable ? undefined : `with ${fqn}, which is not under ${parent}`;
}

function problemOfPage(
  token: string,
  nextToken: string,
  problemOfContent: () => string | undefined,
): string | undefined {
  return token !== "" && token === nextToken
    ? "with the page token that it was asked with"
    : problemOfContent();
}

function problemOfWatch(
  parent: string,
  { events, bookmark, incarnation }: WatchResponse,
): string | undefined {
  if (incarnation === "") {
    return "without an incarnation";
  }
  if (!bookmark && events.length === 0) {
    return "with a message that has neither an event nor a bookmark";
  }
  for (const { event } of events) {
    if (event.case === undefined) {
      return "with an event that says nothing";
    }
    const problem =
      typeof event.value === "string"
        ? problemOfPlace(parent, event.value)
        : problemOfObjects(parent, [event.value]);
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}
