import type { Modules, ModuleState } from "./modules.ts";

/** The modules of a catalog that fetches none. */
export const noModules: Modules = {
  follow: () => ({ state: notFetched, stop: () => undefined }),
  bytes: () => Promise.reject(new Error("no modules are fetched here")),
  close: () => Promise.resolve(),
};

const notFetched: ModuleState = {
  kind: "failed",
  problem: { reason: "UNSUPPORTED", message: "this server fetches no modules" },
};
