/*
 * Server reflection, so that buf curl and grpcurl work without a schema. Connect-ES brings none.
 * https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
import {
  createRegistry,
  type DescFile,
  type DescService,
  type MessageInitShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  type ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../gen/google/rpc/status_pb.ts";
import { endedBy } from "./until-aborted.ts";

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

/** What the errors of all services carry; no service names these types. */
const errorFiles = [
  file_google_rpc_status,
  file_google_rpc_error_details,
  file_buf_validate_validate,
];

/**
 * The service `grpc.reflection.v1.ServerReflection` over the descriptors of some services and of
 * their errors. The version v1alpha differs in its name alone, so the value serves both.
 */
export function reflection(services: readonly DescService[]): ServiceImpl<typeof ServerReflection> {
  const files = withImports([...services.map(({ file }) => file), ...errorFiles]);
  const registry = createRegistry(...files.values());
  return {
    async *serverReflectionInfo(requests, { signal }) {
      for await (const request of endedBy(signal, requests)) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(services, files, registry, request),
        };
      }
    },
  };
}

function answer(
  services: readonly DescService[],
  files: ReadonlyMap<string, DescFile>,
  registry: Registry,
  { messageRequest: asked }: ServerReflectionRequest,
): Answer {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return fileAnswer(files.get(asked.value), `file ${asked.value}`);
    case "fileContainingSymbol":
      return fileAnswer(fileOfSymbol(registry, asked.value), `symbol ${asked.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const extendee = registry.getMessage(containingType);
      const extension = extendee && registry.getExtensionFor(extendee, extensionNumber);
      return fileAnswer(extension?.file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType":
      return extensionNumbers(registry, asked.value);
    case undefined:
      return failure(Code.InvalidArgument, "the request asks for nothing; set message_request");
  }
}

function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  return file === undefined
    ? failure(Code.NotFound, `this server has no ${asked}; list_services names what it has`)
    : {
        case: "fileDescriptorResponse",
        value: { fileDescriptorProto: [toBinary(FileDescriptorProtoSchema, file.proto)] },
      };
}

function extensionNumbers(registry: Registry, typeName: string): Answer {
  if (registry.getMessage(typeName) === undefined) {
    return failure(Code.NotFound, `this server has no message ${typeName}`);
  }
  const extensionNumber = [...registry].flatMap((desc) =>
    desc.kind === "extension" && desc.extendee.typeName === typeName ? [desc.number] : [],
  );
  return {
    case: "allExtensionNumbersResponse",
    value: { baseTypeName: typeName, extensionNumber },
  };
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** Finds types and services by name, and what is named inside of them: methods, fields, values. */
function fileOfSymbol(registry: Registry, symbol: string): DescFile | undefined {
  const type = registry.get(symbol);
  if (type !== undefined) {
    return type.file;
  }
  const dot = symbol.lastIndexOf(".");
  const holder = registry.get(symbol.slice(0, dot));
  return holder !== undefined && namesInside(holder).includes(symbol.slice(dot + 1))
    ? holder.file
    : undefined;
}

function namesInside(holder: NonNullable<ReturnType<Registry["get"]>>): string[] {
  switch (holder.kind) {
    case "service":
      return holder.methods.map(({ name }) => name);
    case "message":
      return [...holder.fields, ...holder.oneofs].map(({ name }) => name);
    case "enum":
      return holder.values.map(({ name }) => name);
    case "extension":
      return [];
  }
}

function withImports(files: readonly DescFile[]): ReadonlyMap<string, DescFile> {
  const found = new Map<string, DescFile>();
  const add = (file: DescFile): void => {
    if (!found.has(file.proto.name)) {
      found.set(file.proto.name, file);
      file.dependencies.forEach(add);
    }
  };
  files.forEach(add);
  return found;
}
