import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Logger } from "pino";
import type { ServeOptions } from "../cli/serve-options.ts";
import { createLazyModules } from "../modules/lazy-modules.ts";
import type { Modules } from "../modules/modules.ts";

/** The variables of the environment that are no options. */
export interface Environment {
  /** The user's folder for caches. */
  readonly XDG_CACHE_HOME?: string | undefined;
}

/** Opens the modules that extensions name. Nothing is loaded, or made on disk, before one is followed. */
export function openModules(
  options: ServeOptions,
  logger: Logger,
  environment: Environment,
): Modules {
  return createLazyModules({
    folder: options.moduleCache ?? defaultFolder(environment),
    cacheBytes: options.moduleCacheBytes,
    maxModuleBytes: options.maxModuleBytes,
    allowedNetworks: options.allowModuleNetwork,
    pullSecrets: options.pullSecrets,
    timing: { checkMs: options.moduleCheckInterval * 1000 },
    warn: (text) => {
      logger.warn(text);
    },
  });
}

function defaultFolder({ XDG_CACHE_HOME: home = "" }: Environment): string {
  return join(isAbsolute(home) ? home : join(homedir(), ".cache"), "wasmext", "modules");
}
