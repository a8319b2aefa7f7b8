/*
 * Server reflection, so that buf curl and grpcurl work without a schema. Connect-ES has none.
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
import {
  type ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../gen/google/rpc/status_pb.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import { messageAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";

type ReflectionAnswer = NonNullable<
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
export function reflection(
  services: readonly DescService[],
): ServiceMethods<typeof ServerReflection> {
  const files = withImports([...services.map(({ file }) => file), ...errorFiles]);
  const registry = createRegistry(...files.values());
  return {
    serverReflectionInfo: {
      access: "api",
      async *handle(requests) {
        for await (const request of requests) {
          yield messageAnswer(ServerReflectionResponseSchema, {
            validHost: request.host,
            // The protocol echoes the request; one that is far longer than any name is left out.
            ...(isShort(request) && { originalRequest: request }),
            messageResponse: answer(services, files, registry, request),
          });
        }
      },
    },
  };
}

/** Greatest length of a request that is echoed, in characters of its names. */
const maxEchoed = 8_192;

function isShort({ host, messageRequest: asked }: ServerReflectionRequest): boolean {
  const name =
    asked.case === "fileContainingExtension" ? asked.value.containingType : (asked.value ?? "");
  return host.length + name.length <= maxEchoed;
}

function answer(
  services: readonly DescService[],
  files: ReadonlyMap<string, DescFile>,
  registry: Registry,
  { messageRequest: asked }: ServerReflectionRequest,
): ReflectionAnswer {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return fileAnswer(files.get(asked.value), `file ${excerpt(asked.value)}`);
    case "fileContainingSymbol":
      return fileAnswer(fileOfSymbol(registry, asked.value), `symbol ${excerpt(asked.value)}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const extendee = registry.getMessage(containingType);
      const extension = extendee && registry.getExtensionFor(extendee, extensionNumber);
      return fileAnswer(
        extension?.file,
        `extension ${extensionNumber} of ${excerpt(containingType)}`,
      );
    }
    case "allExtensionNumbersOfType":
      return extensionNumbers(registry, asked.value);
    case undefined:
      return failure(
        statusCodes.invalidArgument,
        "the request asks for nothing; set message_request",
      );
  }
}

function fileAnswer(file: DescFile | undefined, asked: string): ReflectionAnswer {
  return file === undefined
    ? failure(statusCodes.notFound, `this server has no ${asked}; list_services names what it has`)
    : {
        case: "fileDescriptorResponse",
        value: { fileDescriptorProto: [toBinary(FileDescriptorProtoSchema, file.proto)] },
      };
}

function extensionNumbers(registry: Registry, typeName: string): ReflectionAnswer {
  if (registry.getMessage(typeName) === undefined) {
    return failure(statusCodes.notFound, `this server has no message ${excerpt(typeName)}`);
  }
  const extensionNumber = [...registry].flatMap((desc) =>
    desc.kind === "extension" && desc.extendee.typeName === typeName ? [desc.number] : [],
  );
  return {
    case: "allExtensionNumbersResponse",
    value: { baseTypeName: typeName, extensionNumber },
  };
}

function failure(errorCode: number, errorMessage: string): ReflectionAnswer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** The codes of google.rpc.Code that reflection answers with. */
const statusCodes = { invalidArgument: 3, notFound: 5 };

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
