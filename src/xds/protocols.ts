/*
 * The two forms of xDS: delta, in which a proxy names what it begins and ceases to ask for, and the state of
 * the world, in which it names all. Each answer has one resource, so that a refusal tells which one it is of.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequest,
  DiscoveryResponseSchema,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { resourceType } from "./resource.ts";
import type { ProxySession, SlotAnswer } from "./session.ts";

/** Takes a delta request. */
export function takeDelta(session: ProxySession, request: DeltaDiscoveryRequest): void {
  session.greet(request.node);
  if (!isOurs(request.typeUrl)) {
    return;
  }
  if (request.responseNonce !== "") {
    session.settle(request.responseNonce, request.errorDetail?.message);
  }
  for (const name of request.resourceNamesUnsubscribe) {
    session.unsubscribe(name);
  }
  for (const name of request.resourceNamesSubscribe) {
    session.subscribe(name, request.initialResourceVersions[name]);
  }
}

/** Writes a delta answer. */
export function deltaAnswer({
  name,
  version,
  nonce,
  resource,
}: SlotAnswer): MessageInitShape<typeof DeltaDiscoveryResponseSchema> {
  return {
    systemVersionInfo: version,
    resources: [{ name, version, resource }],
    typeUrl: resourceType,
    nonce,
  };
}

/** Takes a request of the state of the world. */
export function takeWorld(session: ProxySession, request: DiscoveryRequest): void {
  session.greet(request.node);
  if (!isOurs(request.typeUrl)) {
    return;
  }
  const { responseNonce, versionInfo, errorDetail } = request;
  if (responseNonce !== "") {
    session.settle(responseNonce, errorDetail?.message);
  }
  const names = new Set(request.resourceNames);
  const asked = new Set(session.names);
  for (const name of asked.difference(names)) {
    session.unsubscribe(name);
  }
  for (const name of names.difference(asked)) {
    // A version before the first answer is of an earlier connection, and of any of its slots.
    session.subscribe(
      name,
      responseNonce === "" && versionInfo !== "" ? earlier(versionInfo) : undefined,
    );
  }
}

/** Writes an answer of the state of the world. */
export function worldAnswer({
  version,
  nonce,
  resource,
}: SlotAnswer): MessageInitShape<typeof DiscoveryResponseSchema> {
  return { versionInfo: version, resources: [resource], typeUrl: resourceType, nonce };
}

/** A version of the same catalog whose content is that of no answer, since it is not known. */
function earlier(version: string): string {
  return version.slice(0, version.lastIndexOf(".") + 1);
}

function isOurs(typeUrl: string): boolean {
  // A service for one type may leave it out.
  return typeUrl === "" || typeUrl === resourceType;
}
