import type { Path } from "@bufbuild/protobuf/reflect";
import {
  EnvVarSchema,
  VmConfigSchema,
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { FieldViolation } from "../errors.ts";
import { excerpt } from "../names/excerpt.ts";
import { fieldViolation, type PathMaker } from "./field-violation.ts";
import { problemOfModuleUrl } from "../names/module-url.ts";

const environmentName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Finds violations that the proto's rules cannot express, after defaults: a missing or invalid url, and
 * environment names that are duplicates or not valid C identifiers.
 *
 * @param at - where the extension is in the request
 */
export function problemsOfExtension(extension: WasmExtension, at: PathMaker): FieldViolation[] {
  return [...problemsOfUrl(extension, at), ...problemsOfEnvironment(extension, at)];
}

function problemsOfUrl({ url }: WasmExtension, at: PathMaker): FieldViolation[] {
  const path = (): Path => at().field(WasmExtensionSchema.field.url).toPath();
  if (url === "") {
    return [
      fieldViolation(path(), "url_required", "is required; set url, or the deprecated image"),
    ];
  }
  const problem = problemOfModuleUrl(url);
  return problem === undefined ? [] : [fieldViolation(path(), "url", `${excerpt(url)} ${problem}`)];
}

function problemsOfEnvironment({ vmConfig }: WasmExtension, at: PathMaker): FieldViolation[] {
  const seen = new Set<string>();
  return (vmConfig?.env ?? []).flatMap(({ name }, index) => {
    const path = (): Path =>
      at()
        .field(WasmExtensionSchema.field.vmConfig)
        .field(VmConfigSchema.field.env)
        .list(index)
        .field(EnvVarSchema.field.name)
        .toPath();
    if (!environmentName.test(name)) {
      const text = `${excerpt(name)} is not a valid C identifier; use letters, digits and _, not beginning with a digit`;
      return [fieldViolation(path(), "env_name", text)];
    }
    if (seen.has(name)) {
      const text = `${excerpt(name)} is a duplicate name; keep one variable of each name`;
      return [fieldViolation(path(), "env_unique", text)];
    }
    seen.add(name);
    return [];
  });
}
