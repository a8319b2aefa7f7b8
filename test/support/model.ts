/* A plain model of the catalog: arrays, filters and sorts, with no index and nothing shared. */
import fc from "fast-check";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";

/** What the model knows of an extension. */
export interface ModelExtension {
  readonly organization: string;
  readonly name: string;
  readonly phase: Phase;
  readonly priority: number;
  readonly allowedIn: readonly string[];
}

export const organizations = ["organizations/acme", "organizations/acme-2"];
export const tenants = organizations.flatMap((organization) =>
  ["a", "b", "b-1", "c"].map((name) => `${organization}/tenants/${name}`),
);

const int32 = fc.integer({ min: -2147483648, max: 2147483647 });

/** Extensions with many ties, names whose order is easy to get wrong, and every kind of scope. */
export const anyExtension: fc.Arbitrary<ModelExtension> = fc.record({
  organization: fc.constantFrom(...organizations),
  name: fc.constantFrom("a", "a-1", "a1", "b", "b-b", "bb", "c", "c9", "0", "zz"),
  phase: fc.constantFrom(Phase.UNSPECIFIED_PHASE, Phase.AUTHN, Phase.AUTHZ, Phase.STATS),
  priority: fc.oneof(fc.constantFrom(0, -1, 1, 2147483647, -2147483648), int32),
  allowedIn: fc.oneof(
    fc.constant([]),
    fc.array(fc.constantFrom(...tenants), { maxLength: 3 }),
    fc.array(fc.constantFrom("organizations/acme", "x", ...tenants), {
      minLength: 1,
      maxLength: 3,
    }),
  ),
});

/** The fqn of an extension of the model. */
export function fqnOf({ organization, name }: ModelExtension): string {
  return `${organization}/extensions/${name}`;
}

const phases: readonly Phase[] = [Phase.AUTHN, Phase.AUTHZ, Phase.STATS, Phase.UNSPECIFIED_PHASE];

/** The fqns of extensions in the order in which they run. */
export function inOrder(extensions: Iterable<ModelExtension>): string[] {
  return [...extensions]
    .toSorted(
      (a, b) =>
        phases.indexOf(a.phase) - phases.indexOf(b.phase) ||
        b.priority - a.priority ||
        Buffer.compare(Buffer.from(fqnOf(a)), Buffer.from(fqnOf(b))),
    )
    .map(fqnOf);
}

/** Tells whether an extension belongs to an organization, or may be used by a tenant. */
export function belongsTo(scope: string, { organization, allowedIn }: ModelExtension): boolean {
  return scope.includes("/tenants/")
    ? scope.startsWith(`${organization}/`) && (allowedIn.length === 0 || allowedIn.includes(scope))
    : scope === organization;
}
