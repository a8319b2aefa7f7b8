/* The rule declarations of proto/buf and proto/validate, beside the complete files that they stand for. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createFileRegistry, type DescFile, fromBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { type FileOptions, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { beforeAll, describe, expect, test } from "vitest";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

/** The file of a path, as buf reads it from a folder. */
async function readFile(folder: string, path: string): Promise<DescFile> {
  const { stdout } = await run(
    "node_modules/.bin/buf",
    ["build", folder, "--path", `${folder}/${path}`, "-o", "-"],
    { cwd: root, encoding: "buffer" },
  );
  const file = createFileRegistry(fromBinary(FileDescriptorSetSchema, stdout)).getFile(path);
  if (file === undefined) {
    throw new Error(`${folder} has no ${path}`);
  }
  return file;
}

/** What a file declares: names with their numbers and types. */
function declared(file: DescFile): string[] {
  return [...nestedTypes(file)].flatMap((type) => {
    switch (type.kind) {
      case "message":
        return type.fields.map((field) => {
          const { typeName } = field.message ?? field.enum ?? { typeName: field.scalar };
          const oneof = field.oneof?.name ?? "none";
          return `${field.toString()} ${field.number} ${field.fieldKind} ${typeName} ${oneof}`;
        });
      case "enum":
        return type.values.map(({ name, number }) => `${type.typeName} ${name} ${number}`);
      case "extension":
        return [`${type.typeName} ${type.extendee.typeName} ${type.number}`];
      case "service":
        return [];
    }
  });
}

/** The options that say where generated code is. */
function places(options: FileOptions | undefined): unknown {
  return {
    goPackage: options?.goPackage,
    javaMultipleFiles: options?.javaMultipleFiles,
    javaOuterClassname: options?.javaOuterClassname,
    javaPackage: options?.javaPackage,
  };
}

describe.each([
  {
    path: "buf/validate/validate.proto",
    completeFile: () => Promise.resolve(file_buf_validate_validate),
    newer: [],
  },
  {
    path: "validate/validate.proto",
    completeFile: (path: string) =>
      readFile("node_modules/@grpc/grpc-js-xds/deps/protoc-gen-validate", path),
    newer: ["field validate.StringRules.ignore_empty 26 scalar 8 none"],
  },
])("$path", ({ path, completeFile, newer }) => {
  let ours: DescFile;
  let complete: DescFile;
  beforeAll(async () => {
    [ours, complete] = await Promise.all([readFile("proto", path), completeFile(path)]);
  });

  test("declares nothing that the complete file does not declare", () => {
    const names = declared(ours);
    expect(names.length).toBeGreaterThan(10);
    const known = new Set([...declared(complete), ...newer]);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  test("names the packages and classes of the complete file", () => {
    expect(places(ours.proto.options)).toEqual(places(complete.proto.options));
  });

  test("has no closed enums, which PHP cannot have", () => {
    expect(ours.proto.syntax).toBe("proto3");
  });

  test("has a prefix of its own in Objective-C, where messages of both have the same names", () => {
    expect(ours.proto.options?.objcClassPrefix).toMatch(/^[A-Z]{3}$/);
  });
});
