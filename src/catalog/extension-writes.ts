/*
 * Writes to extensions, each in two steps: the request is defaulted and validated, which needs no
 * state; the plan that this returns checks it against a state and says what to change.
 *
 * A request that is passed in belongs to the catalog from then on: what it stores of it is frozen.
 */
import { create, createRegistry, equals, toBinary } from "@bufbuild/protobuf";
import { buildPath } from "@bufbuild/protobuf/reflect";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type CreateWasmExtensionRequest,
  CreateWasmExtensionRequestSchema,
  type DeleteWasmExtensionRequest,
  DeleteWasmExtensionRequestSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { withDefaults } from "./defaults.ts";
import { alreadyExists, type FieldProblem, staleEtag } from "./errors.ts";
import { etagOf } from "./etag.ts";
import { getExtension } from "./extension-reads.ts";
import { problemsOfExtension } from "./extension-rules.ts";
import { excerpt, fieldProblem } from "./field-problem.ts";
import { extensionFqn, isExtension } from "./fqn.ts";
import { deepFreeze } from "./freeze.ts";
import type { Plan } from "./plan.ts";
import type { State } from "./state.ts";
import { validated } from "./validate.ts";

/** For comparing fields that this version does not know: nothing in them is an extension. */
const noExtensions = createRegistry();

/** Creates an extension; answers with it as it is stored. */
export function createExtension(request: CreateWasmExtensionRequest): Plan<WasmExtension> {
  const { parent, name, wasmExtension } = request;
  const fqn = extensionFqn(parent, name);
  const extension = wasmExtension && withDefaults(wasmExtension);
  validated(
    CreateWasmExtensionRequestSchema,
    Object.assign(create(CreateWasmExtensionRequestSchema), request, { wasmExtension: extension }),
    () => (extension === undefined ? [] : problemsOfCreate(fqn, extension)),
  );
  return (state) => {
    if (state.extensions.has(fqn)) {
      throw alreadyExists(fqn);
    }
    return put(state, { ...(extension ?? create(WasmExtensionSchema)), fqn });
  };
}

/** Replaces an extension; answers with it as it is stored. */
export function updateExtension(request: WasmExtension): Plan<WasmExtension> {
  const extension = withDefaults(request);
  validated(WasmExtensionSchema, extension, () => problemsOfUpdate(extension));
  return (state) => {
    const current = getExtension(state, extension.fqn);
    if (current.etag !== extension.etag) {
      throw staleEtag(extension.fqn);
    }
    return equals(WasmExtensionSchema, current, extension, {
      registry: noExtensions,
      unknown: true,
    })
      ? { changes: [], answer: current }
      : put(state, extension);
  };
}

/** Deletes an extension. */
export function deleteExtension(request: DeleteWasmExtensionRequest): Plan<Empty> {
  const { fqn } = validated(DeleteWasmExtensionRequestSchema, request);
  return (state) => {
    getExtension(state, fqn);
    return { changes: [{ kind: "delete-extension", fqn }], answer: create(EmptySchema) };
  };
}

function put(state: State, extension: WasmExtension): ReturnType<Plan<WasmExtension>> {
  const bytes = toBinary(WasmExtensionSchema, { ...extension, etag: "" });
  const stored = deepFreeze({ ...extension, etag: etagOf(state.revision, bytes) });
  return { changes: [{ kind: "put-extension", extension: stored }], answer: stored };
}

function problemsOfCreate(fqn: string, extension: WasmExtension): FieldProblem[] {
  const at = buildPath(CreateWasmExtensionRequestSchema).field(
    CreateWasmExtensionRequestSchema.field.wasmExtension,
  );
  const problems = problemsOfExtension(extension, at);
  if (extension.fqn !== "" && extension.fqn !== fqn) {
    const path = at.clone().field(WasmExtensionSchema.field.fqn).toPath();
    const text = `${excerpt(extension.fqn)} is not the fqn that parent and name make; leave it empty`;
    problems.push(fieldProblem(path, "fqn", text));
  }
  return problems;
}

function problemsOfUpdate(extension: WasmExtension): FieldProblem[] {
  const at = buildPath(WasmExtensionSchema);
  const problems = problemsOfExtension(extension, at);
  if (!isExtension(extension.fqn)) {
    const path = at.clone().field(WasmExtensionSchema.field.fqn).toPath();
    const text = `${excerpt(extension.fqn)} is not the fqn of an extension; write organizations/{org}/extensions/{name}`;
    problems.push(fieldProblem(path, "fqn", text));
  }
  if (extension.etag === "") {
    const path = at.clone().field(WasmExtensionSchema.field.etag).toPath();
    const text = "is required; read the extension and send the etag that it has now";
    problems.push(fieldProblem(path, "etag", text));
  }
  return problems;
}
