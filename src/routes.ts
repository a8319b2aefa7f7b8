import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { AttachmentService } from "../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../gen/wasmext/v1/export_service_pb.ts";
import { WatchService } from "../gen/wasmext/v1/watch_service_pb.ts";
import { compileRules } from "./catalog/validate.ts";
import { attachmentService } from "./rpc/attachments.ts";
import type { Catalog } from "./rpc/catalog.ts";
import { chainService } from "./rpc/chains.ts";
import { exportService } from "./rpc/exports.ts";
import { health } from "./rpc/health.ts";
import { reflection } from "./rpc/reflection.ts";
import { tenants } from "./rpc/tenants.ts";
import { watchService } from "./rpc/watch.ts";
import { wasmExtensions } from "./rpc/wasm-extensions.ts";

/** The services of the catalog. */
const api: readonly DescService[] = [
  WasmExtensions,
  Tenants,
  AttachmentService,
  ChainService,
  WatchService,
  ExportService,
];

/** All services that the server has, which is what reflection lists. */
const services: readonly DescService[] = [...api, Health, ServerReflection, ServerReflectionAlpha];

/**
 * All services of the server, for a network adapter or for an in-memory transport.
 *
 * @param shutdown - is aborted when the server goes down
 */
export function createRoutes(catalog: Catalog, shutdown: AbortSignal) {
  compileRules(api.flatMap(({ methods }) => methods.map(({ input }) => input)));
  return (router: ConnectRouter): void => {
    router.service(WasmExtensions, wasmExtensions(catalog));
    router.service(Tenants, tenants(catalog));
    router.service(AttachmentService, attachmentService(catalog));
    router.service(ChainService, chainService(catalog));
    router.service(WatchService, watchService(catalog));
    router.service(ExportService, exportService(catalog));
    router.service(
      Health,
      health(
        services.map(({ typeName }) => typeName),
        shutdown,
      ),
    );
    const reflect = reflection(services);
    router.service(ServerReflection, reflect);
    // The versions differ in the names of their types alone, which no answer mentions.
    router.service(
      ServerReflectionAlpha,
      reflect as unknown as ServiceImpl<typeof ServerReflectionAlpha>,
    );
  };
}
