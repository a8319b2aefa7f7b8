import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { ExtensionConfigDiscoveryService } from "../../gen/envoy/service/extension/v3/config_discovery_pb.ts";
import { deltaAnswer, takeDelta, takeWorld, worldAnswer } from "../xds/protocols.ts";
import type { Proxies } from "../xds/proxies.ts";
import type { ProxySession, SlotAnswer } from "../xds/session.ts";
import type { Pieces } from "../wire/pieces.ts";
import { type Answer, piecesAnswer } from "./answer.ts";
import type { ConversationMethod, ServiceMethods } from "./method.ts";

/** The greatest request of a proxy, in bytes: the first one lists all that the proxy is made of. */
export const maxDiscoveryBytes = 1024 * 1024;

/** The service `envoy.service.discovery.v3.AggregatedDiscoveryService`, of which slots are the one type. */
export function aggregatedDiscovery(
  proxies: Proxies,
): ServiceMethods<typeof AggregatedDiscoveryService> {
  const { delta, world } = discovery(proxies);
  return { streamAggregatedResources: world, deltaAggregatedResources: delta };
}

/** The service `envoy.service.extension.v3.ExtensionConfigDiscoveryService`. */
export function extensionDiscovery(
  proxies: Proxies,
): ServiceMethods<typeof ExtensionConfigDiscoveryService> {
  const { delta, world } = discovery(proxies);
  return { streamExtensionConfigs: world, deltaExtensionConfigs: delta };
}

function discovery(proxies: Proxies) {
  return {
    delta: conversation(proxies, takeDelta, DeltaDiscoveryResponseSchema, deltaAnswer),
    world: conversation(proxies, takeWorld, DiscoveryResponseSchema, worldAnswer),
  };
}

/**
 * A conversation with a proxy, which asks and is answered independently.
 *
 * @param take - takes a request
 * @param write - writes an answer
 */
function conversation<Request, Response extends DescMessage>(
  proxies: Proxies,
  take: (session: ProxySession, request: Request) => void,
  schema: Response,
  write: (answer: SlotAnswer) => Pieces,
): ConversationMethod<Request, MessageShape<Response>> {
  const nextAnswer = async (
    session: ProxySession,
  ): Promise<Answer<MessageShape<Response>> | undefined> => {
    const next = await session.next();
    return next && piecesAnswer(schema, write(next));
  };
  return {
    access: "api",
    maxRequestBytes: maxDiscoveryBytes,
    async *handle(requests, { principal, reader, signal, origin }) {
      const session = proxies.connect(principal, origin);
      const disconnect = (): void => {
        signal.removeEventListener("abort", disconnect);
        proxies.disconnect(session);
      };
      // Nobody resumes this generator when the proxy has gone while an answer is being written.
      signal.addEventListener("abort", disconnect);
      let failure: { readonly error: unknown } | undefined;
      const taking = takeAll(requests, session, take).catch((error: unknown) => {
        failure = { error };
        disconnect();
      });
      try {
        for (;;) {
          // One commit may concern thousands of proxies.
          if (reader.turns.begin()()) {
            await reader.turns.next();
          }
          const next = await nextAnswer(session);
          if (next === undefined) {
            break;
          }
          yield next;
        }
      } finally {
        disconnect();
      }
      await taking;
      if (failure !== undefined) {
        throw failure.error as Error;
      }
    },
  };
}

async function takeAll<Request>(
  requests: AsyncIterable<Request>,
  session: ProxySession,
  take: (session: ProxySession, request: Request) => void,
): Promise<void> {
  for await (const request of requests) {
    take(session, request);
  }
  session.finish();
}
