/* What is attached runs in the order of ResolveChain, whatever is attached, and however an Envoy asks. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { ext, redSecurity } from "../support/acme.ts";
import { serve } from "../modules/support/registry.ts";
import { testModule } from "./support/module.ts";
import { type Protocol, startProxy } from "./support/proxy.ts";
import { type Serving, startServing } from "./support/serving.ts";
import { startUpstream } from "./support/upstream.ts";

const names = ["a", "a-b", "b", "c", "c-2", "d"];
const ports = [0, 8080, 9090];

const anyPhase = fc.constantFrom(Phase.AUTHN, Phase.AUTHZ, Phase.STATS, Phase.UNSPECIFIED_PHASE);
const anyPriority = fc.oneof(
  fc.constantFrom(0, 0, 1, -1, 2 ** 31 - 1, -(2 ** 31)),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
);
const anyMode = fc.constantFrom(Mode.UNDEFINED, Mode.CLIENT, Mode.SERVER, Mode.CLIENT_AND_SERVER);
const anyMatch = fc.oneof(
  fc.constant<never[]>([]),
  fc.array(
    fc.record({
      mode: anyMode,
      ports: fc.subarray(ports.slice(1)).map((all) => all.map((number) => ({ number }))),
    }),
    { maxLength: 2 },
  ),
);
const anyChange = fc.oneof(
  fc.record({
    kind: fc.constant("extension" as const),
    name: fc.constantFrom(...names),
    phase: anyPhase,
    priority: anyPriority,
    mode: anyMode,
    file: fc.constantFrom("1.wasm", "2.wasm"),
  }),
  fc.record({
    kind: fc.constant("attachments" as const),
    attachments: fc.array(
      fc.record({
        name: fc.constantFrom(...names),
        match: anyMatch,
        isRenamed: fc.boolean(),
      }),
      { maxLength: 8 },
    ),
  }),
);

type Kind = [runs: number, Protocol, listener: string, Mode, port: number, ...options: string[]];

/** How often each protocol, listener and shape of slots is tried. */
const kinds: readonly Kind[] = [
  [200, "delta ADS", "inbound:8080", Mode.SERVER, 8080],
  [60, "ADS", "outbound", Mode.CLIENT, 0],
  [60, "delta ADS", "outbound:9090", Mode.CLIENT, 9090, "--atomic"],
  [60, "delta streams", "inbound:9090", Mode.SERVER, 9090],
  [60, "streams", "inbound", Mode.SERVER, 0, "--atomic"],
];

/** Within what time a commit is in effect, in ms. */
const promisedMs = 1_000;

test.each(kinds)(
  "%i random states are each in effect within a second, over %s for %s",
  async (...[numRuns, protocol, listener, mode, port, ...more]: Kind) => {
    const seed = Date.now() & 0x7fffffff;
    await using upstream = await startUpstream();
    const [first, second] = await Promise.all([testModule("1"), testModule("2")]);
    await using files = await serve((request, response) => {
      response.end(request.url === "/1.wasm" ? first.bytes : second.bytes);
    });
    await using serving = await startServing();
    const url = (file: string): string => `http://127.0.0.1:${files.port}/${file}`;
    for (const [index, name] of names.entries()) {
      await serving.put(name, { url: url(`${(index % 2) + 1}.wasm`), config: { name } });
    }
    await serving.attach(redSecurity, [{ fqn: ext("a") }, { fqn: ext("a-b") }]);
    const options = ["--listener", listener, ...more];
    await using proxy = await startProxy(serving, redSecurity, { upstream, protocol, options });
    let before = ["a", "a-b"];
    await proxy.runs(...before);

    const tookMs: number[] = [];
    for (const [index, change] of fc.sample(anyChange, { seed, numRuns }).entries()) {
      const at = `seed ${seed}, state ${index}`;
      if (change.kind === "extension") {
        const { name, phase, priority, mode: only, file } = change;
        const match = { mode: only };
        await serving.put(name, { url: url(file), phase, priority, match, config: { name } });
      } else {
        await serving.attach(
          redSecurity,
          change.attachments.map(({ name, match, isRenamed }, position) => ({
            fqn: ext(name),
            match,
            ...(isRenamed && { config: { name: `${name}#${position}` } }),
          })),
        );
      }
      const committedMs = performance.now();
      const wanted = await chainOf(serving, mode, port);
      const answer = await proxy.answers(`${at}: ${wanted.join()}`, ({ status, requestChain }) => {
        expect(status, at).toBe(200);
        const isNew = requestChain.join() === wanted.join();
        if (more.includes("--atomic") && !isNew) {
          expect(requestChain, at).toEqual(before);
        }
        return isNew;
      });
      expect(answer.responseChain, at).toEqual(wanted.toReversed());
      tookMs.push(answer.beganMs - committedMs);
      before = wanted;
    }
    // Other programs may have had the cores for a while.
    const late = tookMs.filter((ms) => ms > promisedMs);
    expect(late.length, `seed ${seed}: ${late.join()} ms`).toBeLessThanOrEqual(numRuns / 50);
  },
);

/** The names that the plugins of a chain add. */
async function chainOf({ clients }: Serving, mode: Mode, port: number): Promise<string[]> {
  const { chain } = await clients.chains.resolveChain({ target: redSecurity, mode, port });
  return (chain?.links ?? []).map(({ config }) => config?.["name"] as string);
}
