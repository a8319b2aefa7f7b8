/* Requests to write extensions: defaults first, then every rule that needs no state. */
import { buildPath, type PathBuilder } from "@bufbuild/protobuf/reflect";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type CreateWasmExtensionRequest,
  CreateWasmExtensionRequestSchema as CreateSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { withDefaults } from "./defaults.ts";
import type { FieldViolation } from "../errors.ts";
import { problemOfEtag } from "./etag.ts";
import { problemsOfExtension } from "./extension-rules.ts";
import { excerpt } from "../names/excerpt.ts";
import { fieldViolation } from "./field-violation.ts";
import { nameForms } from "../names/forms.ts";
import { extensionFqn, isExtension } from "../names/fqn.ts";
import { validated } from "./validate.ts";

/**
 * A request to create an extension, with defaults.
 *
 * Raises a CatalogError of the kind invalid.
 */
export function acceptedCreate(request: CreateWasmExtensionRequest): CreateWasmExtensionRequest {
  if (request.wasmExtension === undefined) {
    return validated(CreateSchema, request);
  }
  const wasmExtension = withDefaults(request.wasmExtension);
  return validated(CreateSchema, { ...request, wasmExtension }, () =>
    problemsOfCreate(request, wasmExtension),
  );
}

/**
 * A request to update an extension, with defaults.
 *
 * Raises a CatalogError of the kind invalid.
 */
export function acceptedUpdate(request: WasmExtension): WasmExtension {
  const extension = withDefaults(request);
  return validated(WasmExtensionSchema, extension, () => problemsOfUpdate(extension));
}

function problemsOfCreate(
  { parent, name }: CreateWasmExtensionRequest,
  extension: WasmExtension,
): FieldViolation[] {
  const fqn = extensionFqn(parent, name);
  const at = (): PathBuilder => buildPath(CreateSchema).field(CreateSchema.field.wasmExtension);
  const problems = problemsOfExtension(extension, at);
  if (extension.fqn !== "" && extension.fqn !== fqn) {
    const path = at().field(WasmExtensionSchema.field.fqn).toPath();
    const text = `${excerpt(extension.fqn)} is not the fqn that parent and name make; leave it empty`;
    problems.push(fieldViolation(path, "fqn", text));
  }
  return problems;
}

function problemsOfUpdate(extension: WasmExtension): FieldViolation[] {
  const at = (): PathBuilder => buildPath(WasmExtensionSchema);
  const problems = problemsOfExtension(extension, at);
  if (!isExtension(extension.fqn)) {
    const path = at().field(WasmExtensionSchema.field.fqn).toPath();
    const text = `${excerpt(extension.fqn)} is not the fqn of an extension; write ${nameForms.extension.wording}`;
    problems.push(fieldViolation(path, "fqn", text));
  }
  const etagProblem =
    extension.etag === ""
      ? "is required; read the extension and send its current etag"
      : problemOfEtag(extension.etag);
  if (etagProblem !== undefined) {
    const path = at().field(WasmExtensionSchema.field.etag).toPath();
    problems.push(fieldViolation(path, "etag", etagProblem));
  }
  return problems;
}
