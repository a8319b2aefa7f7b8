import { WatchRequestSchema, type WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { viewerOf } from "../catalog/access/viewer.ts";
import { organizationOf } from "../catalog/names/fqn.ts";
import { validated } from "../catalog/rules/validate.ts";
import { createWatchReader } from "../catalog/watch/reader.ts";
import { mappedSource } from "../catalog/watch/source.ts";
import { watch as watchCommits } from "../catalog/watch/watch.ts";
import type { ServiceMethods } from "./method.ts";

/** The service `wasmext.v1.WatchService`. */
export const watch: ServiceMethods<typeof WatchService> = {
  watch: {
    accept: (request) => validated(WatchRequestSchema, request),
    access: { permission: "READ", resource: ({ parent }) => parent },
    handle(request, { reader, principal, bookmarkIntervalMs }) {
      const viewer = viewerOf(principal, organizationOf(request.parent));
      const watchReader = createWatchReader(reader, request, viewer);
      return mappedSource(watchCommits(reader, watchReader, { bookmarkIntervalMs }), (message) => ({
        message: () => message.response,
        bytes: () => message.bytes,
      }));
    },
  },
};
