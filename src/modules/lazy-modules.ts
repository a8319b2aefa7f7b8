/* Modules that are loaded when the first one is followed, so that a server without any starts as fast as before. */
import type { ModulesOptions } from "./create-modules.ts";
import type { FollowedModule, Modules, ModuleState } from "./modules.ts";

/** Creates modules as `createModules` does. */
export function createLazyModules(options: ModulesOptions): Modules {
  let loading: Promise<Modules> | undefined;
  let loaded: Modules | undefined;
  let isClosed = false;
  const load = (): Promise<Modules> =>
    (loading ??= import("./create-modules.ts").then(
      ({ createModules }) => (loaded = createModules(options)),
    ));

  return {
    follow(source, changed) {
      if (loaded !== undefined && !isClosed) {
        // A module that is there already is there from the beginning.
        return loaded.follow(source, changed);
      }
      let followed: FollowedModule | undefined;
      let isStopped = false;
      const fetching: ModuleState = { kind: "fetching" };
      void load().then((modules) => {
        if (!isStopped && !isClosed) {
          followed = modules.follow(source, changed);
          if (followed.state.kind !== "fetching") {
            changed();
          }
        }
      });
      return {
        get state() {
          return followed?.state ?? fetching;
        },
        stop() {
          isStopped = true;
          followed?.stop();
        },
      };
    },
    bytes: async (digest) => (await load()).bytes(digest),
    async close() {
      isClosed = true;
      await (await loading)?.close();
    },
  };
}
