import type { JsonValue } from "@bufbuild/protobuf";
import { Option } from "commander";
import { escaped, unsafe } from "../yaml/escape.ts";
import { writeYaml } from "../yaml/write.ts";
import type { Shell } from "./shell.ts";

/** How a command writes its answer. */
export type Format = "table" | "yaml" | "json";

/** The option by which people choose the format. */
export function outputOption(formats: readonly [Format, ...Format[]]): Option {
  return new Option("-o, --output <format>", "how to write the answer")
    .choices(formats)
    .default(formats[0]);
}

/** Writes data for programs. A list is one document an item in YAML, and a list in JSON. */
export function printData(shell: Shell, format: "yaml" | "json", data: JsonValue): Promise<void> {
  return shell.print(
    format === "yaml" ? writeYaml(Array.isArray(data) ? data : [data]) : `${safeJson(data, 2)}\n`,
  );
}

/** JSON without characters that control a terminal. */
export function safeJson(data: JsonValue, indent?: number): string {
  return JSON.stringify(data, undefined, indent).replaceAll(unsafe, escaped);
}
