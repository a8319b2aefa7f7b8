import {
  type Health,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
  HealthListResponseSchema,
} from "../../gen/health/v1/health_pb.ts";
import { CatalogError } from "../catalog/errors.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import type { Readiness } from "../journal/readiness.ts";
import { messageAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";

/**
 * The service `grpc.health.v1.Health`. The server and each of its services serve while the journal is
 * ready, until the server goes down; Watch says so, and then ends.
 *
 * @param services - the names of the services whose health can be asked for; the empty name, for the
 *   server as a whole, is always known
 * @param readiness - of the journal
 * @param shutdown - is aborted when the server goes down
 */
export function health(
  services: readonly string[],
  readiness: Readiness,
  shutdown: AbortSignal,
): ServiceMethods<typeof Health> {
  const known = ["", ...services];
  const present = (): Status =>
    readiness.isReady && !shutdown.aborted ? Status.SERVING : Status.NOT_SERVING;
  const statusOf = (status: Status) => messageAnswer(HealthCheckResponseSchema, { status });
  return {
    check: {
      accept: (request) => request,
      access: "open",
      handle({ service }) {
        if (!known.includes(service)) {
          throw serviceUnknown(service);
        }
        return statusOf(present());
      },
    },
    list: {
      accept: (request) => request,
      access: "open",
      handle: () => {
        const statuses = known.map((service) => [service, { status: present() }] as const);
        return messageAnswer(HealthListResponseSchema, { statuses: Object.fromEntries(statuses) });
      },
    },
    watch: {
      accept: (request) => request,
      access: "open",
      handle({ service }) {
        const status = known.includes(service) ? present : () => Status.SERVICE_UNKNOWN;
        let sent: Status | undefined;
        const changed = () => {
          const now = status();
          const isNew = now !== sent;
          sent = now;
          return isNew ? statusOf(now) : undefined;
        };
        return {
          dueAt: Infinity,
          read: () => changed() ?? "caught-up",
          subscribe: (notify) => readiness.subscribe(notify),
          // A server that goes down does not serve.
          last: changed,
        };
      },
    },
  };
}

function serviceUnknown(service: string): CatalogError {
  const problem = `${excerpt(service)} is not a service of this server`;
  const remedy = `ask for "", or for one that reflection lists`;
  return new CatalogError({
    kind: "not-found",
    reason: "SERVICE_UNKNOWN",
    message: `${problem}; ${remedy}`,
    metadata: { service },
  });
}
