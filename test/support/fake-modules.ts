import { createHash } from "node:crypto";
import type { Modules, ModuleState } from "../../src/modules/modules.ts";

/** Modules that a test decides on, by url. Those that it says nothing of are there at once. */
export interface FakeModules extends Modules {
  /** Sets the module of a url, and tells those who follow it. */
  set(url: string, state: ModuleState | Uint8Array): void;
  /** How many follow a module. */
  readonly followers: number;
}

/** Creates modules. */
export function createFakeModules(): FakeModules {
  const states = new Map<string, ModuleState>();
  const bytes = new Map<string, Uint8Array>();
  const followed = new Set<{ url: string; changed: () => void }>();
  const add = (url: string, state: ModuleState | Uint8Array): ModuleState => {
    if (!(state instanceof Uint8Array)) {
      states.set(url, state);
      return state;
    }
    const digest = createHash("sha256").update(state).digest("hex");
    bytes.set(digest, state);
    const ready = { kind: "ready", module: { digest, size: state.byteLength } } as const;
    states.set(url, ready);
    return ready;
  };
  return {
    get followers() {
      return followed.size;
    },
    set(url, state) {
      add(url, state);
      for (const follower of followed) {
        if (follower.url === url) {
          follower.changed();
        }
      }
    },
    follow({ url }, changed) {
      const follower = { url, changed };
      followed.add(follower);
      return {
        get state() {
          return states.get(url) ?? add(url, Buffer.from(`the module of ${url}`));
        },
        stop: () => followed.delete(follower),
      };
    },
    bytes(digest) {
      const found = bytes.get(digest);
      return found === undefined
        ? Promise.reject(new Error(`no module ${digest}`))
        : Promise.resolve(found);
    },
    close: () => Promise.resolve(),
  };
}
