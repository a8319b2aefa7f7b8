/* The model of attachments and chains, beside the one of extensions. */
import fc from "fast-check";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { belongsTo, fqnOf, inOrder, type ModelExtension, tenants } from "./model.ts";

/** What the model knows of an attachment. */
export interface ModelAttachment {
  readonly fqn: string;
  readonly config: { readonly from: string } | undefined;
  readonly ports: readonly number[];
}

/** Everything that the model holds. */
export interface ModelCatalog {
  readonly extensions: Map<string, ModelExtension>;
  readonly sets: Map<string, readonly ModelAttachment[]>;
}

/** A gateway and a security group of each tenant. */
export const targets = tenants.flatMap((tenant) => [
  `${tenant}/workspaces/w/gatewaygroups/g/ingressgateways/i`,
  `${tenant}/workspaces/w/securitygroups/s`,
]);

/** Names in both organizations, so that some are foreign to any target. */
export const anyAttachment: fc.Arbitrary<Omit<ModelAttachment, "fqn"> & { name: string }> =
  fc.record({
    name: fc.constantFrom("a", "a-1", "a1", "b", "b-b", "bb", "c", "c9", "0", "zz"),
    config: fc.option(fc.constant({ from: "attachment" }), { nil: undefined }),
    ports: fc.subarray([80, 443], { minLength: 0 }),
  });

export const tenantOf = (target: string): string => target.split("/workspaces/")[0] ?? "";
export const organizationOf = (fqn: string): string => fqn.split("/").slice(0, 2).join("/");

/** Tells whether the tenant of a target may use all that is to be attached there. */
export function mayAttach(
  { extensions }: ModelCatalog,
  target: string,
  attachments: readonly ModelAttachment[],
): boolean {
  return attachments.every(({ fqn }) => {
    const extension = extensions.get(fqn);
    return extension !== undefined && belongsTo(tenantOf(target), extension);
  });
}

/** Removes the attachments that no target may have any more. */
export function detach({ extensions, sets }: ModelCatalog): void {
  for (const [target, attachments] of sets) {
    const left = attachments.filter(({ fqn }) => {
      const extension = extensions.get(fqn);
      return extension !== undefined && belongsTo(tenantOf(target), extension);
    });
    sets.set(target, left);
  }
}

/** What runs at a target, as `FQN#POSITION CONFIG`, for traffic to a port; 0 is any port. */
export function chainOf(
  { extensions, sets }: ModelCatalog,
  target: string,
  port: number,
): string[] {
  const attachments = [...(sets.get(target) ?? []).entries()].filter(
    ([, { ports }]) => port === 0 || ports.length === 0 || ports.includes(port),
  );
  const order = inOrder(extensions.values());
  return attachments
    .toSorted(([i, a], [j, b]) => order.indexOf(a.fqn) - order.indexOf(b.fqn) || i - j)
    .map(([position, { fqn, config }]) => {
      const own = extensions.get(fqn);
      return `${own === undefined ? "?" : fqnOf(own)}#${position} ${config?.from ?? "extension"}`;
    });
}

/** The selectors of an attachment as they are sent; none for every port. */
export function matchOf({ ports }: ModelAttachment) {
  return ports.length === 0
    ? []
    : [{ mode: Mode.CLIENT_AND_SERVER, ports: ports.map((number) => ({ number })) }];
}
