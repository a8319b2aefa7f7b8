import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The types in a file that holds a FileDescriptorSet. */
export function readDescriptors(path: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
}

/** A service by its name. Raises an Error if there is none. */
export function serviceOf(registry: FileRegistry, typeName: string): DescService {
  return found(registry.getService(typeName), typeName);
}

/** A message by its name. Raises an Error if there is none. */
export function messageOf(registry: FileRegistry, typeName: string): DescMessage {
  return found(registry.getMessage(typeName), typeName);
}

function found<T>(desc: T | undefined, typeName: string): T {
  if (desc === undefined) {
    throw new Error(`the descriptors have no ${typeName}`);
  }
  return desc;
}
