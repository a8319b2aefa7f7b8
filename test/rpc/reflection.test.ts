import {
  createFileRegistry,
  type FileRegistry,
  fromBinary,
  type MessageInitShape,
  toJson,
} from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createInMemoryTransport } from "../../src/in-memory.ts";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { createInMemory } from "../support/in-memory.ts";

type Question = NonNullable<
  MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]
>;
type Answer = ServerReflectionResponse["messageResponse"];

/** The types that errors carry; see CONTRACT.md, section 6. */
const detailFiles = {
  "google/rpc/error_details.proto": [
    "google.rpc.ErrorInfo",
    "google.rpc.BadRequest",
    "google.rpc.BadRequest.FieldViolation",
    "google.rpc.PreconditionFailure",
    "google.rpc.PreconditionFailure.violations",
  ],
  "google/rpc/status.proto": ["google.rpc.Status"],
  "buf/validate/validate.proto": ["buf.validate.Violations", "buf.validate.Violation"],
};

const transport = createInMemoryTransport();

describe("server reflection", () => {
  test.each(
    Object.entries(detailFiles).flatMap(([file, symbols]) =>
      symbols.map((symbol) => ({ file, symbol })),
    ),
  )("finds $symbol of error details in $file", async ({ file, symbol }) => {
    const [bySymbol, byName] = await ask(
      { case: "fileContainingSymbol", value: symbol },
      { case: "fileByFilename", value: file },
    );
    expect(filesIn(bySymbol).map(({ name }) => name)).toEqual([file]);
    expect(bySymbol).toEqual(byName);
  });

  test.each([
    {
      what: "invalid input",
      call: () => createClient(WasmExtensions, transport).getWasmExtension({ fqn: "" }),
      types: ["google.rpc.ErrorInfo", "google.rpc.BadRequest", "buf.validate.Violations"],
    },
    {
      what: "what Istio cannot hold",
      call: async () => {
        const catalog = createAcme();
        const { put, attach } = catalog;
        await put("a");
        await attach(redIngress, [{ fqn: ext("a") }]);
        const { exports } = createInMemory({ catalog });
        return exports.exportIstio({ parent: redIngress });
      },
      types: ["google.rpc.ErrorInfo", "google.rpc.PreconditionFailure"],
    },
  ])("is enough to read the details of an error about $what", async ({ call, types }) => {
    const error = await call().then(
      () => expect.fail("expected the call to be refused"),
      (reason: unknown) => ConnectError.from(reason),
    );
    const details = error.details.map((detail) => {
      expect(detail).toHaveProperty("type");
      return detail as { type: string; value: Uint8Array };
    });
    expect(details.map(({ type }) => type)).toEqual(types);
    for (const { type, value } of details) {
      const schema = (await registryFor(type)).getMessage(type);
      expect(schema).toBeDefined();
      expect(schema && toJson(schema, fromBinary(schema, value))).not.toEqual({});
    }
  });

  test("lists no service for the types of errors", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    expect(answer?.case).toBe("listServicesResponse");
    const names =
      answer?.case === "listServicesResponse" ? answer.value.service.map(({ name }) => name) : [];
    expect(names).toContain(WasmExtensions.typeName);
    expect(names.filter((name) => /^(?:google|buf)\./.test(name))).toEqual([]);
  });

  test("says what it does not have", async () => {
    const answers = await ask(
      { case: "fileContainingSymbol", value: "google.rpc.Nothing" },
      { case: "fileByFilename", value: "google/rpc/nothing.proto" },
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: Code.NotFound } });
    }
  });
});

/** Asks one thing after the other in one stream. */
async function ask(...questions: Question[]): Promise<Answer[]> {
  async function* requests() {
    for (const messageRequest of questions) {
      yield await Promise.resolve({ messageRequest });
    }
  }
  const answers: Answer[] = [];
  const responses = createClient(ServerReflection, transport).serverReflectionInfo(requests());
  for await (const { messageResponse } of responses) {
    answers.push(messageResponse);
  }
  return answers;
}

function filesIn(answer: Answer | undefined): FileDescriptorProto[] {
  return answer?.case === "fileDescriptorResponse"
    ? answer.value.fileDescriptorProto.map((file) => fromBinary(FileDescriptorProtoSchema, file))
    : [];
}

/** The types around a symbol, fetched as clients do: its file, and then what each file imports. */
async function registryFor(symbol: string): Promise<FileRegistry> {
  const files = new Map<string, FileDescriptorProto>();
  let questions: Question[] = [{ case: "fileContainingSymbol", value: symbol }];
  while (questions.length > 0) {
    const found = (await ask(...questions)).flatMap(filesIn);
    for (const file of found) {
      files.set(file.name, file);
    }
    const missing = new Set(found.flatMap(({ dependency }) => dependency));
    questions = [...missing]
      .filter((name) => !files.has(name))
      .map((value) => ({ case: "fileByFilename", value }));
  }
  const [first] = files.values();
  return first === undefined
    ? createFileRegistry()
    : createFileRegistry(first, (name) => files.get(name));
}
