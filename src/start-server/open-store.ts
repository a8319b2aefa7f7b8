import type { Logger } from "pino";
import { readFileBounded } from "../auth/read-file.ts";
import { messageOf } from "../catalog/message-of.ts";
import { Failure } from "../cli/failure.ts";
import type { ServeOptions } from "../cli/serve-options.ts";
import { type Catalog, openCatalog } from "../journal/catalog.ts";
import { createJournal, type EtcdOptions } from "../journal/create-journal.ts";
import { parseStoreOption } from "../journal/store-option.ts";
import { UnusableStore } from "../journal/unusable-store.ts";

/**
 * Opens the catalog in the store of `--store`. The log says when commits cannot be stored.
 *
 * Rejects with a Failure if the store, or a file of its options, cannot be used.
 */
export async function openStore(options: ServeOptions, logger: Logger): Promise<Catalog> {
  const observer = {
    onProblem: (problem: string) => {
      logger.error(`commits cannot be stored: ${problem}`);
    },
    onRecovery: () => {
      logger.info("commits are stored again");
    },
  };
  const journal = await createJournal(
    parseStoreOption(options.store),
    observer,
    await etcdOptions(options),
  );
  try {
    return await openCatalog(journal);
  } catch (error) {
    throw error instanceof UnusableStore ? new Failure(error.message) : error;
  }
}

async function etcdOptions(options: ServeOptions): Promise<EtcdOptions> {
  const { storePrefix: prefix, storeUser: name, storePasswordFile } = options;
  const read = async (file: string): Promise<Buffer> => {
    try {
      return await readFileBounded(file);
    } catch (error) {
      throw new Failure(`a file of the store cannot be read: ${messageOf(error)}`);
    }
  };
  const tls: Record<string, Buffer> = {};
  const files = { ca: options.storeCa, cert: options.storeCert, key: options.storeKey };
  for (const [key, file] of Object.entries(files)) {
    if (file !== undefined) {
      tls[key] = await read(file);
    }
  }
  if (name === undefined || storePasswordFile === undefined) {
    return { prefix, tls };
  }
  const password = (await read(storePasswordFile)).toString();
  // Most editors end the last line.
  return { prefix, tls, user: { name, password: password.replace(/\r?\n$/, "") } };
}
