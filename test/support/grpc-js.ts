import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { credentials, loadPackageDefinition, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { type ErrorInfo, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** Calls a unary method of a service, as grpc-js and proto-loader make it of our proto files. */
export type GrpcCall = (method: string, request: object) => Promise<Record<string, unknown>>;

/** A client of grpc-js. */
export interface GrpcClient {
  readonly call: GrpcCall;
  /** Opens a stream of responses, which reads no more than is asked of it. */
  readonly stream: (method: string, request: object) => AsyncIterator<Record<string, unknown>>;
  close(): void;
}

type Answered = (error: ServiceError | null, answer?: Record<string, unknown>) => void;

const protoRoot = new URL("../../proto", import.meta.url).pathname;

/**
 * Creates a client as an application would that has our proto folder and no generated code.
 *
 * @param service - the full name of the service
 * @param file - the proto file that declares it
 */
export function createGrpcClient(address: string, service: string, file: string): GrpcClient {
  const loaded = loadSync(file, {
    includeDirs: [protoRoot],
    keepCase: true,
    enums: String,
    arrays: true,
  });
  const packages = loadPackageDefinition(loaded);
  const Client = service
    .split(".")
    .reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], packages) as new (
    ...parameters: unknown[]
  ) => Record<string, (request: object, callback: Answered) => void> & { close: () => void };
  const client = new Client(address, credentials.createInsecure());
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client[method]?.(request, (error, answer) => {
          if (error === null && answer !== undefined) {
            resolve(answer);
          } else {
            reject(error ?? new Error(`${method} answered nothing`));
          }
        });
      }),
    stream: (method, request) => {
      const open = client[method] as unknown as (
        this: unknown,
        request: object,
      ) => AsyncIterable<Record<string, unknown>>;
      return open.call(client, request)[Symbol.asyncIterator]();
    },
    close: () => {
      client.close();
    },
  };
}

/** What grpc-js reports of a refused call. */
export async function grpcError(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => {
      throw new Error("expected the call to be refused, but it was answered");
    },
    (error: unknown) => error as ServiceError,
  );
}

/** The ErrorInfo of a refused call. */
export function errorInfoOf(error: ServiceError): ErrorInfo | undefined {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const { details } = fromBinary(StatusSchema, bytes as Buffer);
  return details.map((any) => anyUnpack(any, ErrorInfoSchema)).find((info) => info !== undefined);
}
