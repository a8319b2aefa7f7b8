/*
 * Writes to extensions, each in two steps: the request is defaulted and validated, which needs no
 * state; the plan that this returns checks it against a state and says what to change.
 *
 * A request that is passed in belongs to the catalog from then on: what it stores of it is frozen.
 */
import { create, equals } from "@bufbuild/protobuf";
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
import { detachEverywhere, detachWhereWithdrawn } from "./detach.ts";
import { alreadyExists, type FieldProblem, staleEtag } from "./errors.ts";
import { problemOfEtag } from "./etag.ts";
import { getExtension } from "./extension-reads.ts";
import { problemsOfExtension } from "./extension-rules.ts";
import { excerpt, fieldProblem } from "./field-problem.ts";
import { extensionFqn, isExtension } from "./fqn.ts";
import type { Plan, Planned } from "./plan.ts";
import { sealed } from "./sealed.ts";
import type { Change, State } from "./state.ts";
import { validated } from "./validate.ts";

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

/**
 * Replaces an extension, and removes its attachments in tenants that may no longer use it; answers
 * with it as it is stored.
 */
export function updateExtension(request: WasmExtension): Plan<WasmExtension> {
  const extension = withDefaults(request);
  validated(WasmExtensionSchema, extension, () => problemsOfUpdate(extension));
  return (state) => {
    const current = getExtension(state, extension.fqn);
    if (current.etag !== extension.etag) {
      throw staleEtag(extension.fqn);
    }
    if (equals(WasmExtensionSchema, current, extension)) {
      return { changes: [], answer: current };
    }
    const { changes, answer } = put(state, extension);
    return { changes: [...changes, ...detachWhereWithdrawn(state, current, answer)], answer };
  };
}

/** Deletes an extension, and its attachments with it. */
export function deleteExtension(request: DeleteWasmExtensionRequest): Plan<Empty> {
  const { fqn } = validated(DeleteWasmExtensionRequestSchema, request);
  return (state) => {
    getExtension(state, fqn);
    const changes: Change[] = [{ kind: "delete-extension", fqn }, ...detachEverywhere(state, fqn)];
    return { changes, answer: create(EmptySchema) };
  };
}

function put(state: State, extension: WasmExtension): Planned<WasmExtension> {
  const { stored, bytes } = sealed(WasmExtensionSchema, extension, state.revision);
  return {
    changes: [{ kind: "put-extension", fqn: stored.fqn, extension: stored, bytes }],
    answer: stored,
  };
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
  const etagProblem =
    extension.etag === ""
      ? "is required; read the extension and send the etag that it has now"
      : problemOfEtag(extension.etag);
  if (etagProblem !== undefined) {
    const path = at.clone().field(WasmExtensionSchema.field.etag).toPath();
    problems.push(fieldProblem(path, "etag", etagProblem));
  }
  return problems;
}
