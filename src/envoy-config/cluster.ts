import type { JsonObject } from "@bufbuild/protobuf";
import type { Address } from "./proxy.ts";

/** A cluster of one host. */
export function clusterTo(name: string, address: Address, fields: JsonObject = {}): JsonObject {
  return {
    name,
    // A name like localhost may have an address that nobody listens on; with all of them, the next is tried.
    ...(address.isIp ? { type: "STATIC" } : { type: "LOGICAL_DNS", dns_lookup_family: "ALL" }),
    connect_timeout: "2s",
    ...fields,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address) } }] }],
    },
  };
}

/** An address as Envoy has it. */
export function socketAddress({ host, port }: Address): JsonObject {
  return { socket_address: { address: host, port_value: port } };
}
