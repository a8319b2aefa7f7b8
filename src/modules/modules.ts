import type { WasmExtension_PullPolicy as PullPolicy } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { ModuleProblem } from "./problem.ts";

/** Where a module comes from. */
export interface ModuleSource {
  /** The organization whose pull secrets may be used; its name only. */
  readonly organization: string;
  /** An `oci`, `https` or `http` url, as stored. */
  readonly url: string;
  /** The effective policy: IfNotPresent or Always. */
  readonly pullPolicy: PullPolicy;
  /** "" if there is none. */
  readonly pullSecret: string;
}

/** A module that is checked, and in the cache. */
export interface Module {
  /** The sha256 of its bytes, in hex. */
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
}

/** What is known of the module of a source. */
export type ModuleState =
  | { readonly kind: "fetching"; readonly module?: undefined; readonly problem?: undefined }
  /** A problem is one of a later check; the last good module stays. */
  | { readonly kind: "ready"; readonly module: Module; readonly problem?: ModuleProblem }
  | { readonly kind: "failed"; readonly module?: undefined; readonly problem: ModuleProblem };

/** Modules for proxies. */
export interface Modules {
  /**
   * Follows a module; many followers of one source cost one fetch. `changed` is called when `state`
   * differs, never inside of `follow`.
   */
  follow(source: ModuleSource, changed: () => void): FollowedModule;
  /**
   * The bytes of a module that is followed, or still in the cache. They are shared, so nobody may change
   * them. Rejects with a ModuleFault if they are not to be had.
   */
  bytes(digest: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A module that is followed. */
export interface FollowedModule {
  readonly state: ModuleState;
  stop(): void;
}
