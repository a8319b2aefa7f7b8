import type { WasmExtension_PullPolicy as PullPolicy } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";

/** Where a module comes from. */
export interface ModuleSource {
  /** The name of the organization whose pull secrets may be used. */
  readonly organization: string;
  /** An oci or http(s) url, as it is stored. */
  readonly url: string;
  /** The effective one: IfNotPresent or Always. */
  readonly pullPolicy: PullPolicy;
  /** The name of a pull secret; empty if there is none. */
  readonly pullSecret: string;
}

/** Why a module is not to be had. */
export interface ModuleProblem {
  /** For programs: UPPER_SNAKE_CASE. */
  readonly reason: string;
  /** For people: one sentence. */
  readonly message: string;
}

/** How far the fetching of a module has got. */
export type ModuleState =
  | { readonly kind: "fetching" }
  | { readonly kind: "ready"; readonly module: Module; readonly problem?: ModuleProblem }
  | { readonly kind: "failed"; readonly problem: ModuleProblem };

/** A module that has been fetched and checked. */
export interface Module {
  /** The sha256 of its bytes, in hex. */
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
}

/** The modules that somebody needs. */
export interface Modules {
  /** Follows a module. `changed` is called after each change of its state, never by `follow` itself. */
  follow(source: ModuleSource, changed: () => void): FollowedModule;
  /** The bytes of a module. Rejects if they are no longer to be had. */
  bytes(digest: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A module that is followed. */
export interface FollowedModule {
  readonly state: ModuleState;
  stop(): void;
}
