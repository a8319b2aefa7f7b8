import { createStore, type Reader } from "../../src/catalog/store.ts";
import type { Modules } from "../../src/modules/modules.ts";
import { noModules } from "../../src/modules/no-modules.ts";
import { createProxies, type Proxies, type ProxiesOptions } from "../../src/xds/proxies.ts";

/** The proxies of a catalog, of which none is connected. */
export function proxiesOf(
  reader: Reader = createStore(),
  modules: Modules = noModules,
  options: Partial<ProxiesOptions> = {},
): Proxies & { readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const notices = {
    warn: (text: string) => {
      warnings.push(text);
    },
  };
  return Object.assign(createProxies({ reader, modules, notices, ...options }), { warnings });
}
