/* Follows modules, and waits for their states. */
import { createHash } from "node:crypto";
import { WasmExtension_PullPolicy as PullPolicy } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { createModules, type ModulesOptions } from "../../../src/modules/create-modules.ts";
import type {
  FollowedModule,
  Modules,
  ModuleSource,
  ModuleState,
} from "../../../src/modules/modules.ts";
import { folderOf } from "../../support/cli.ts";

/** Modules whose folder is removed with them. */
export interface TestModules extends Modules, AsyncDisposable {
  readonly folder: string;
}

/** Creates modules that may be fetched from this machine. */
export function testModules(options: Partial<ModulesOptions> = {}): TestModules {
  const folder = folderOf({});
  const modules = createModules({
    folder: folder.path,
    allowedNetworks: ["127.0.0.0/8"],
    ...options,
    timing: { firstRetryMs: 20, lastRetryMs: 50, lingerMs: 0, ...options.timing },
  });
  return {
    ...modules,
    folder: options.folder ?? folder.path,
    async [Symbol.asyncDispose]() {
      await modules.close();
      folder[Symbol.dispose]();
    },
  };
}

/** A source, of the organization acme. */
export function source(url: string, parts: Partial<ModuleSource> = {}): ModuleSource {
  return {
    organization: "acme",
    url,
    pullPolicy: PullPolicy.IfNotPresent,
    pullSecret: "",
    ...parts,
  };
}

export const always = { pullPolicy: PullPolicy.Always };

/** A source that a test follows. */
export interface Following extends FollowedModule {
  /** All states that were told, as they were. */
  readonly told: ModuleState[];
  /** Waits for a state. */
  until(isIt: (state: ModuleState) => boolean): Promise<ModuleState>;
}

const patienceMs = 15_000;

export function following(modules: Modules, from: ModuleSource): Following {
  const told: ModuleState[] = [];
  const waiting = new Set<() => void>();
  const followed = modules.follow(from, () => {
    told.push(followed.state);
    for (const each of waiting) {
      each();
    }
  });
  return {
    told,
    get state() {
      return followed.state;
    },
    stop: () => {
      followed.stop();
    },
    until(isIt) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`the state is still ${JSON.stringify(followed.state)}`));
        }, patienceMs);
        const look = (): void => {
          if (isIt(followed.state)) {
            clearTimeout(timer);
            waiting.delete(look);
            resolve(followed.state);
          }
        };
        waiting.add(look);
        look();
      });
    },
  };
}

/** The first state of a source that is not `fetching`. */
export function settled(modules: Modules, from: ModuleSource): Promise<ModuleState> {
  return following(modules, from).until(({ kind }) => kind !== "fetching");
}

/** The state of a module that is there. */
export function ready(module: Uint8Array): ModuleState {
  const digest = createHash("sha256").update(module).digest("hex");
  return { kind: "ready", module: { digest, size: module.byteLength } };
}

/** A state with a problem. */
export function failed(reason: string, message: string): unknown {
  return { kind: "failed", problem: { reason, message: holding(message) } };
}

/** A text that holds another one. */
function holding(message: string): unknown {
  return {
    asymmetricMatch: (text: string) => text.includes(message),
    toString: () => message,
  };
}
