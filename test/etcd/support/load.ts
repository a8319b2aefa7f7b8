/* Writers on a server: extensions that are created, replaced and deleted, withdrawn and attached. */
import { randomUUID } from "node:crypto";
import type { CatalogServer } from "./catalog-server.ts";
import type { Recorder, Version } from "./recorder.ts";

export const organization = "organizations/acme";
const tenants = ["red", "blue"].map((name) => `${organization}/tenants/${name}`);
const names = Array.from({ length: 8 }, (_, index) => `e${index}`);
const targets = tenants.flatMap((tenant) =>
  names.map((name) => `${tenant}/workspaces/w/securitygroups/${name}`),
);
const fqnOf = (name: string): string => `${organization}/extensions/${name}`;

/** Writers that go on until they are told to stop. */
export interface Load {
  /** How many writes have been answered, however. */
  readonly answered: number;
  stop(): Promise<void>;
}

/** Within what time a write has to be answered, in ms. */
export const deadlineMs = 10_000;

/** After what time a client tries again when the server is not available, in ms. */
const retryMs = 20;

/** Starts writers. Some send etags that the server itself shows, some those that other servers gave. */
export function startLoad(
  { extensions, attachments }: Pick<CatalogServer, "extensions" | "attachments">,
  recorder: Recorder,
  writers: number,
): Load {
  let isStopped = false;
  let answered = 0;
  let failed = 0;
  const options = { timeoutMs: deadlineMs };

  const shown = async (fqn: string): Promise<Version | undefined> => {
    const found = await extensions.getWasmExtension({ fqn }, options).catch(() => undefined);
    return found && { value: found.description, etag: found.etag };
  };
  const put = async (name: string): Promise<void> => {
    const fqn = fqnOf(name);
    const version = Math.random() < 0.5 ? recorder.latest(fqn) : await shown(fqn);
    const value = randomUUID();
    const allowedIn = pick([[], [], tenants.slice(0, 1), tenants.slice(1)]);
    const body = { url: "oci://ghcr.io/acme/x:1", description: value, allowedIn };
    if (version === undefined) {
      await recorder.write(fqn, { kind: "create", value }, async () => {
        const request = { parent: organization, name, wasmExtension: body };
        return (await extensions.createWasmExtension(request, options)).etag;
      });
      return;
    }
    const { value: expected, etag } = version;
    await recorder.write(fqn, { kind: "update", expected, value }, async () => {
      return (await extensions.updateWasmExtension({ ...body, fqn, etag }, options)).etag;
    });
  };
  const remove = async (name: string): Promise<void> => {
    const fqn = fqnOf(name);
    await recorder.write(fqn, { kind: "delete" }, async () => {
      await extensions.deleteWasmExtension({ fqn }, options);
      return "";
    });
  };
  const attach = async (target: string): Promise<void> => {
    const found = await attachments
      .getAttachments({ fqn: target }, options)
      .catch(() => ({ attachmentSet: undefined }));
    const etag = found.attachmentSet?.etag ?? "";
    const extension = Array.from({ length: 3 }, () => ({ fqn: fqnOf(pick(names)) }));
    await recorder.count(() =>
      attachments.setAttachments({ attachmentSet: { fqn: target, extension, etag } }, options),
    );
  };
  const detach = (target: string): Promise<void> =>
    recorder.count(() => attachments.deleteAttachments({ fqn: target }, options));

  const writeOn = async (): Promise<void> => {
    while (!isStopped) {
      const chance = Math.random();
      await (chance < 0.6
        ? put(pick(names))
        : chance < 0.67
          ? remove(pick(names))
          : chance < 0.97
            ? attach(pick(targets))
            : detach(pick(targets)));
      answered++;
      if (recorder.tally.notMade + recorder.tally.unknown > failed) {
        failed = recorder.tally.notMade + recorder.tally.unknown;
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  };
  const running = Array.from({ length: writers }, writeOn);
  return {
    get answered() {
      return answered;
    },
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
  };
}

function pick<Value>(values: readonly Value[]): Value {
  return values[Math.floor(Math.random() * values.length)] as Value;
}
