/* What a store holds, as plain maps. */
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import type { State } from "../../src/catalog/state/state.ts";

interface HoldsState {
  readonly state: State;
}

/** All extensions, of all organizations, by fqn. */
export function storedExtensions({ state }: HoldsState): Map<string, WasmExtension> {
  const organizations = [...state.organizations.values()];
  return new Map(
    organizations.flatMap(({ extensions }) =>
      [...extensions.values()].map(({ message }) => [message.fqn, message] as const),
    ),
  );
}

/** All attachment sets, of all organizations, by the fqn of the target. */
export function storedSets({ state }: HoldsState): Map<string, AttachmentSet> {
  const organizations = [...state.organizations.values()];
  return new Map(
    organizations.flatMap(({ attachmentSets }) =>
      [...attachmentSets.values()].map(({ message }) => [message.fqn, message] as const),
    ),
  );
}
