import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { WasmExtensionAttachment } from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { Stored } from "./stored.ts";

/** One change of one object. */
export type Change =
  | {
      readonly kind: "put-extension";
      readonly fqn: string;
      readonly extension: Stored<WasmExtension>;
    }
  | { readonly kind: "delete-extension"; readonly fqn: string }
  | {
      readonly kind: "put-attachments";
      readonly fqn: string;
      readonly attachmentSet: Stored<AttachmentSet>;
    }
  | { readonly kind: "delete-attachments"; readonly fqn: string };

/** Tells whether a change is of an extension; else it is of the attachments of a target. */
export function isOfExtension({ kind }: Pick<Change, "kind">): boolean {
  return kind === "put-extension" || kind === "delete-extension";
}

/** Changes of one organization under one revision. Readers see all of them or none. */
export interface Commit {
  readonly revision: bigint;
  /** The organization's fqn. */
  readonly organization: string;
  /** At most one change for each object; extensions before attachment sets. */
  readonly changes: readonly Change[];
  readonly metadata: CommitMetadata;
}

/** The metadata of a commit. */
export interface CommitMetadata {
  /** When it was committed, in ms since 1970. */
  readonly time: number;
  /** Who made it. */
  readonly author: string;
  /** Why: the method that was called. */
  readonly reason: string;
  /** The attachments that a cascade removed. */
  readonly detached: readonly Detachment[];
}

/** An attachment that was removed because its extension was deleted, or withdrawn from the tenant. */
export interface Detachment {
  readonly target: string;
  /** Its position in the set, from 0. */
  readonly position: number;
  readonly attachment: WasmExtensionAttachment;
}
