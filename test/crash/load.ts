/* Writes of many at once, cascades included, and what was answered of them. */
import { createClient, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { reasonOf } from "../../src/cli/failure.ts";

export const acme = "organizations/acme";
const tenants = [`${acme}/tenants/red`, `${acme}/tenants/blue`];
const extensions = Array.from({ length: 12 }, (_, index) => `${acme}/extensions/e${index}`);
const targets = tenants.flatMap((tenant) =>
  Array.from({ length: 20 }, (_, index) => `${tenant}/workspaces/w/securitygroups/s${index}`),
);

/** A write that was answered. */
export interface Answered {
  readonly fqn: string;
  /** The etag that it was answered with; undefined if it deletes. */
  readonly etag: string | undefined;
  /** When its answer was there at the latest, in ms since 1970. */
  readonly at: number;
}

/** Writers that go on until their server is gone. */
export interface Load {
  readonly answered: readonly Answered[];
  /** Resolves when as many have been answered. */
  reached(count: number): Promise<void>;
  /** Resolves when no writer is left. */
  readonly ended: Promise<unknown>;
}

const writers = 24;

/** Begins to write. */
export function startLoad(url: string): Load {
  const answered: Answered[] = [];
  const waiting = new Map<number, () => void>();
  const etags = new Map<string, string>();
  const transport = createGrpcTransport({ baseUrl: url });
  const catalog = createClient(WasmExtensions, transport);
  const attachments = createClient(AttachmentService, transport);

  const note = (fqn: string, etag?: string): void => {
    if (etag === undefined) {
      etags.delete(fqn);
    } else {
      etags.set(fqn, etag);
    }
    // The clock is read in whole ms, and the answer was there before.
    answered.push({ fqn, etag, at: Date.now() + 1 });
    waiting.get(answered.length)?.();
  };
  const writeExtension = async (fqn: string): Promise<void> => {
    const wasmExtension = {
      url: "oci://x",
      priority: any(1000),
      allowedIn: anyOf([[], [], tenants.slice(1)]),
    };
    const name = fqn.split("/").at(-1) ?? "";
    const etag = etags.get(fqn);
    const { etag: now } =
      etag === undefined
        ? await catalog.createWasmExtension({ parent: acme, name, wasmExtension })
        : await catalog.updateWasmExtension({ ...wasmExtension, fqn, etag });
    note(fqn, now);
  };
  const attach = async (fqn: string): Promise<void> => {
    // The first is attached everywhere, so that deleting it takes many with it.
    const extension = [...new Set([extensions[0], anyOf(extensions)])].map((each) => ({
      fqn: each ?? "",
      config: { round: any(1000) },
    }));
    const attachmentSet = { fqn, extension, etag: etags.get(fqn) ?? "" };
    const answer = await attachments.setAttachments({ attachmentSet });
    note(fqn, answer.attachmentSet?.etag);
  };
  const remove = async (fqn: string): Promise<void> => {
    if (fqn.includes("/extensions/")) {
      await catalog.deleteWasmExtension({ fqn });
    } else {
      await attachments.deleteAttachments({ fqn });
    }
    note(fqn);
  };
  const read = async (fqn: string): Promise<void> => {
    try {
      const { etag } = fqn.includes("/extensions/")
        ? await catalog.getWasmExtension({ fqn })
        : ((await attachments.getAttachments({ fqn })).attachmentSet ?? { etag: "" });
      etags.set(fqn, etag);
    } catch (error) {
      etags.delete(fqn);
      throw error;
    }
  };

  const write = async (): Promise<void> => {
    const choice = any(100);
    const fqn = choice < 30 ? anyOf(extensions) : anyOf(targets);
    try {
      if (choice < 5 || choice > 97) {
        await remove(fqn);
      } else if (choice < 30) {
        await writeExtension(fqn);
      } else {
        await attach(fqn);
      }
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      // Another one was there before.
      await read(fqn).catch((raised: unknown) => {
        if (!isRefusal(raised)) {
          throw raised;
        }
      });
    }
  };
  const untilLost = async (): Promise<void> => {
    for (;;) {
      await write();
    }
  };
  return {
    answered,
    reached: (count) =>
      new Promise((resolve) => {
        waiting.set(count, resolve);
      }),
    ended: Promise.allSettled(Array.from({ length: writers }, untilLost)),
  };
}

/** Tells whether a server has refused; anything else means that it is gone. */
function isRefusal(error: unknown): boolean {
  return error instanceof ConnectError && reasonOf(error) !== undefined;
}

function any(below: number): number {
  return Math.floor(Math.random() * below);
}

function anyOf<Item>(items: readonly Item[]): Item {
  return items[any(items.length)] as Item;
}
