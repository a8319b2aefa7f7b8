import type { Path, PathBuilder } from "@bufbuild/protobuf/reflect";
import {
  EnvVarSchema,
  VmConfigSchema,
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { FieldProblem } from "../errors.ts";
import { excerpt } from "../names/excerpt.ts";
import { fieldProblem } from "./field-problem.ts";
import { problemOfModuleUrl } from "../names/module-url.ts";

const environmentName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Finds what the proto's rules cannot say of an extension, after defaults: a url that is missing or
 * leads nowhere, and environment names that are no C identifiers or stand twice.
 *
 * @param at - where the extension is in the request
 */
export function problemsOfExtension(extension: WasmExtension, at: PathBuilder): FieldProblem[] {
  return [...problemsOfUrl(extension, at), ...problemsOfEnvironment(extension, at)];
}

function problemsOfUrl({ url }: WasmExtension, at: PathBuilder): FieldProblem[] {
  const path = at.clone().field(WasmExtensionSchema.field.url).toPath();
  if (url === "") {
    return [fieldProblem(path, "url_required", "is required; set url, or the deprecated image")];
  }
  const problem = problemOfModuleUrl(url);
  return problem === undefined ? [] : [fieldProblem(path, "url", `${excerpt(url)} ${problem}`)];
}

function problemsOfEnvironment({ vmConfig }: WasmExtension, at: PathBuilder): FieldProblem[] {
  const list = at.clone().field(WasmExtensionSchema.field.vmConfig).field(VmConfigSchema.field.env);
  const seen = new Set<string>();
  return (vmConfig?.env ?? []).flatMap(({ name }, index) => {
    const path = (): Path => list.clone().list(index).field(EnvVarSchema.field.name).toPath();
    if (!environmentName.test(name)) {
      const text = `${excerpt(name)} is no C identifier; use letters, digits and _, not beginning with a digit`;
      return [fieldProblem(path(), "env_name", text)];
    }
    if (seen.has(name)) {
      const text = `${excerpt(name)} stands twice; keep one variable of each name`;
      return [fieldProblem(path(), "env_unique", text)];
    }
    seen.add(name);
    return [];
  });
}
