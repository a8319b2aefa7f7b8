/*
 * Writes to extensions: plans that check an accepted request against a state, and say what to change.
 *
 * A request belongs to the catalog once it is passed in: its objects are stored and frozen.
 */
import { create, equals } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type CreateWasmExtensionRequest,
  type DeleteWasmExtensionRequest,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import type { Change } from "../state/commit.ts";
import { detachEverywhere, detachWhereWithdrawn } from "./detach.ts";
import { alreadyExists, staleEtag } from "../errors.ts";
import { getExtension } from "../reads/extension-reads.ts";
import { extensionFqn, organizationOf } from "../names/fqn.ts";
import type { Plan } from "./plan.ts";
import { findExtension } from "../state/state.ts";
import { type Stored, storedOf } from "../state/stored.ts";

/** Creates an extension; answers with it as it is stored. */
export function createExtension(request: CreateWasmExtensionRequest): Plan<Stored<WasmExtension>> {
  const { parent, name, wasmExtension = create(WasmExtensionSchema) } = request;
  const fqn = extensionFqn(parent, name);
  return {
    organization: organizationOf(fqn),
    reads: [fqn],
    *decide(state) {
      if (findExtension(state, fqn) !== undefined) {
        throw alreadyExists(fqn);
      }
      const created = { ...wasmExtension, fqn };
      const answer = storedOf(WasmExtensionSchema, created);
      return { changes: [putOf(answer)], detached: [], answer };
    },
  };
}

/**
 * Replaces an extension, and removes its attachments in tenants that may no longer use it; answers
 * with it as it is stored.
 */
export function updateExtension(extension: WasmExtension): Plan<Stored<WasmExtension>> {
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
      const answer = storedOf(WasmExtensionSchema, extension);
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
export function deleteExtension({ fqn }: DeleteWasmExtensionRequest): Plan<Empty> {
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
