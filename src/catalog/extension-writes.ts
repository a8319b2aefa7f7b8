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
import type { Change } from "./commit.ts";
import { detachEverywhere, detachWhereWithdrawn } from "./detach.ts";
import { alreadyExists, type FieldProblem, staleEtag } from "./errors.ts";
import { problemOfEtag } from "./etag.ts";
import { getExtension } from "./extension-reads.ts";
import { problemsOfExtension } from "./extension-rules.ts";
import { excerpt, fieldProblem } from "./field-problem.ts";
import { extensionFqn, isExtension, organizationOf } from "./fqn.ts";
import type { Plan } from "./plan.ts";
import { findExtension } from "./state.ts";
import { type Stored, storedOf } from "./stored.ts";
import { validated } from "./validate.ts";

/** Creates an extension; answers with it as it is stored. */
export function createExtension(request: CreateWasmExtensionRequest): Plan<Stored<WasmExtension>> {
  const { parent, name, wasmExtension } = request;
  const fqn = extensionFqn(parent, name);
  const extension = wasmExtension && withDefaults(wasmExtension);
  validated(
    CreateWasmExtensionRequestSchema,
    Object.assign(create(CreateWasmExtensionRequestSchema), request, { wasmExtension: extension }),
    () => (extension === undefined ? [] : problemsOfCreate(fqn, extension)),
  );
  return {
    organization: organizationOf(fqn),
    reads: [fqn],
    *decide(state) {
      if (findExtension(state, fqn) !== undefined) {
        throw alreadyExists(fqn);
      }
      const created = { ...(extension ?? create(WasmExtensionSchema)), fqn };
      const answer = storedOf(WasmExtensionSchema, created, state.revision);
      return { changes: [putOf(answer)], detached: [], answer };
    },
  };
}

/**
 * Replaces an extension, and removes its attachments in tenants that may no longer use it; answers
 * with it as it is stored.
 */
export function updateExtension(request: WasmExtension): Plan<Stored<WasmExtension>> {
  const extension = withDefaults(request);
  validated(WasmExtensionSchema, extension, () => problemsOfUpdate(extension));
  const { fqn } = extension;
  return {
    organization: organizationOf(fqn),
    reads: [fqn],
    *decide(state) {
      const current = getExtension(state, fqn);
      if (current.etag !== extension.etag) {
        throw staleEtag(fqn);
      }
      if (equals(WasmExtensionSchema, current.message, extension)) {
        return { changes: [], detached: [], answer: current };
      }
      const answer = storedOf(WasmExtensionSchema, extension, state.revision);
      const cascade = yield* detachWhereWithdrawn(state, current.message, answer.message);
      return {
        changes: [putOf(answer), ...cascade.changes],
        detached: cascade.detached,
        answer,
      };
    },
  };
}

/** Deletes an extension, and its attachments with it. */
export function deleteExtension(request: DeleteWasmExtensionRequest): Plan<Empty> {
  const { fqn } = validated(DeleteWasmExtensionRequestSchema, request);
  return {
    organization: organizationOf(fqn),
    reads: [fqn],
    *decide(state) {
      getExtension(state, fqn);
      const { changes, detached } = yield* detachEverywhere(state, fqn);
      return {
        changes: [{ kind: "delete-extension", fqn }, ...changes],
        detached,
        answer: create(EmptySchema),
      };
    },
  };
}

function putOf(extension: Stored<WasmExtension>): Change {
  return { kind: "put-extension", fqn: extension.message.fqn, extension };
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
