import { createModules } from "../src/modules/modules.ts";
import { following, source } from "./modules/support/following.ts";
import { serve, answerBytes } from "./modules/support/registry.ts";
import { wasm } from "./modules/support/wasm.ts";
const s = await serve(answerBytes(wasm()));
const m = createModules({ folder: "/tmp/modcrane/proxy" + Date.now(), allowedNetworks: ["127.0.0.0/8"], lookup: async () => ["127.0.0.1"] });
console.log(await following(m, source(`http://x.test:${s.port}/x`)).until((x) => x.kind !== "fetching"));
process.exit();
