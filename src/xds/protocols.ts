/*
 * The two forms of xDS: delta, in which a proxy names what it begins and ceases to ask for, and the state of
 * the world, in which it names all. Each answer has one resource, so that a refusal tells which one it is of.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
 */
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryResponseSchema,
  ResourceSchema,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { field, type Pieces, textField } from "../wire/pieces.ts";
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
export function deltaAnswer({ name, version, nonce, resource }: SlotAnswer): Pieces {
  const fields = DeltaDiscoveryResponseSchema.field;
  const { name: itsName, version: itsVersion, resource: itsValue } = ResourceSchema.field;
  const one = [
    ...textField(itsVersion.number, version),
    ...field(itsValue.number, resource),
    ...textField(itsName.number, name),
  ];
  return [
    ...textField(fields.systemVersionInfo.number, version),
    ...field(fields.resources.number, one),
    ...textField(fields.typeUrl.number, resourceType),
    ...textField(fields.nonce.number, nonce),
  ];
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
export function worldAnswer({ version, nonce, resource }: SlotAnswer): Pieces {
  const fields = DiscoveryResponseSchema.field;
  return [
    ...textField(fields.versionInfo.number, version),
    ...field(fields.resources.number, resource),
    ...textField(fields.typeUrl.number, resourceType),
    ...textField(fields.nonce.number, nonce),
  ];
}

/** A version of the same catalog whose content is that of no answer, since it is not known. */
function earlier(version: string): string {
  return version.slice(0, version.lastIndexOf(".") + 1);
}

function isOurs(typeUrl: string): boolean {
  // A service for one type may leave it out.
  return typeUrl === "" || typeUrl === resourceType;
}
