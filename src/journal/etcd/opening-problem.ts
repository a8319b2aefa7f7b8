/* What is wrong with an etcd that cannot be opened, as one line. */
import { Code, ConnectError } from "@connectrpc/connect";
import { UnusableStore } from "../unusable-store.ts";
import type { EtcdAccess } from "./client.ts";

/** The error for what was raised while a journal was opened. */
export function openingProblem(error: unknown, { endpoints, user }: EtcdAccess): Error {
  if (error instanceof UnusableStore) {
    return error;
  }
  const where = `etcd at ${endpoints.join(", ")}`;
  const { code, rawMessage } = ConnectError.from(error);
  const message = rawMessage.replace(/^etcdserver: /, "");
  if (message.includes("authentication failed")) {
    return unusable(
      `${where} refused the user ${user?.name ?? ""}: ${message}; check --store-user and --store-password-file`,
      error,
    );
  }
  if (message.includes("authentication is not enabled")) {
    return unusable(`${where} has no users: ${message}; leave --store-user out`, error);
  }
  if (message.includes("user name is empty")) {
    return unusable(`${where} requires a user: set --store-user and --store-password-file`, error);
  }
  if (code === Code.PermissionDenied) {
    return unusable(
      `${where} does not let the user ${user?.name ?? ""} read and write all keys of the prefix: grant that, or choose another prefix with --store-prefix`,
      error,
    );
  }
  return unusable(
    `${where} cannot be used: ${message}; check that it runs, and the addresses and TLS options of --store`,
    error,
  );
}

function unusable(message: string, cause: unknown): UnusableStore {
  return new UnusableStore(message, { cause });
}
