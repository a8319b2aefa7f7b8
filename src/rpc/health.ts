import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { excerpt } from "../catalog/field-problem.ts";
import { rpcError } from "./errors.ts";
import { untilAborted } from "./until-aborted.ts";

/**
 * The service `grpc.health.v1.Health`. The server and each of its services serve until the server
 * goes down; Watch says so, and then ends.
 *
 * @param services - the names of the services whose health can be asked for; the empty name, for the
 *   server as a whole, is always known
 * @param shutdown - is aborted when the server goes down
 */
export function health(
  services: readonly string[],
  shutdown: AbortSignal,
): ServiceImpl<typeof Health> {
  const known = ["", ...services];
  const present = (): Status => (shutdown.aborted ? Status.NOT_SERVING : Status.SERVING);
  return {
    check({ service }) {
      if (!known.includes(service)) {
        const problem = `${excerpt(service)} is no service of this server`;
        const remedy = `ask for "", or for one that reflection lists`;
        throw rpcError(Code.NotFound, "SERVICE_UNKNOWN", `${problem}; ${remedy}`, { service });
      }
      return { status: present() };
    },
    list: () => ({
      statuses: Object.fromEntries(known.map((service) => [service, { status: present() }])),
    }),
    async *watch({ service }, { signal }) {
      yield { status: known.includes(service) ? present() : Status.SERVICE_UNKNOWN };
      const reason = await untilAborted(signal);
      if (shutdown.aborted) {
        yield { status: Status.NOT_SERVING };
      }
      throw reason;
    },
  };
}
