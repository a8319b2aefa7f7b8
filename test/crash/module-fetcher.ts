/* A process that fetches modules into a folder and says which it has; for tests that end it, or fill its disk. */
import { argv, stdout } from "node:process";
import { WasmExtension_PullPolicy as PullPolicy } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { createModules } from "../../src/modules/create-modules.ts";

const [, , folder = "", url = "", first = "0", count = "0"] = argv;
const modules = createModules({
  folder,
  // Room for a part of the modules.
  cacheBytes: 8 * 1024 * 1024,
  maxModuleBytes: 1024 * 1024,
  allowedNetworks: ["127.0.0.0/8"],
  timing: { lingerMs: 0 },
});
// Modules keep no process alive by themselves.
const alive = setInterval(() => undefined, 60_000);

for (let number = Number(first); number < Number(first) + Number(count); number++) {
  await fetched(`${url}/${number}`);
}
stdout.write("done\n");
await modules.close();
clearInterval(alive);

/** Follows a module until it is there, and says so, and every problem on the way. */
async function fetched(from: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const source = {
      organization: "acme",
      url: from,
      pullPolicy: PullPolicy.IfNotPresent,
      pullSecret: "",
    };
    const followed = modules.follow(source, () => {
      const { module, problem } = followed.state;
      stdout.write(`${problem?.reason ?? module?.digest ?? ""}\n`);
      if (module !== undefined) {
        followed.stop();
        resolve();
      }
    });
  });
}
