/* A small organization to test with. */
import { createInMemory, type InMemory } from "./in-memory.ts";
import { storedExtensions, storedSets } from "./stored.ts";

export const acme = "organizations/acme";
export const red = `${acme}/tenants/red`;
export const blue = `${acme}/tenants/blue`;
export const url = "oci://ghcr.io/acme/x:1.0";

export const redIngress = `${red}/workspaces/w/gatewaygroups/g/ingressgateways/in`;
export const redEgress = `${red}/workspaces/w/gatewaygroups/g/egressgateways/out`;
export const redSecurity = `${red}/workspaces/w/securitygroups/s`;
export const blueSecurity = `${blue}/workspaces/w/securitygroups/s`;

/** The fqn of an extension of acme. */
export const ext = (name: string): string => `${acme}/extensions/${name}`;

type Body = NonNullable<
  Parameters<InMemory["extensions"]["createWasmExtension"]>[0]["wasmExtension"]
>;
type SetBody = NonNullable<
  Parameters<InMemory["attachments"]["setAttachments"]>[0]["attachmentSet"]
>;

/** The services, and what tests do most, in short. */
export interface Acme extends InMemory {
  /** Creates an extension, or replaces it. */
  readonly put: (name: string, body?: Body) => Promise<void>;
  /** Replaces the attachments of a target, whatever they are. */
  readonly attach: (
    target: string,
    attachments: NonNullable<SetBody["extension"]>,
    workloadSelector?: SetBody["workloadSelector"],
  ) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
}

/** Creates an empty catalog for acme. */
export function createAcme(...options: Parameters<typeof createInMemory>): Acme {
  const services = createInMemory(...options);
  const { extensions, attachments, reader } = services;
  return {
    ...services,
    async put(name, body = {}) {
      const wasmExtension = { url, ...body };
      const etag = storedExtensions(reader).get(ext(name))?.etag;
      await (etag === undefined
        ? extensions.createWasmExtension({ parent: acme, name, wasmExtension })
        : extensions.updateWasmExtension({ ...wasmExtension, fqn: ext(name), etag }));
    },
    async attach(target, extension, workloadSelector) {
      const etag = storedSets(reader).get(target)?.etag ?? "";
      const selector = workloadSelector && { workloadSelector };
      await attachments.setAttachments({
        attachmentSet: { fqn: target, extension, etag, ...selector },
      });
    },
    async remove(name) {
      await extensions.deleteWasmExtension({ fqn: ext(name) });
    },
  };
}
