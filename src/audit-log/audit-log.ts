/*
 * The audit log: a line of JSON for each write that a known caller has asked for.
 *
 * With `isSync`, no write is answered before its line is on the disk. While lines cannot be written, no
 * write is made; those under way when the failure began are answered as UNAVAILABLE, and their lines are
 * written once that is possible. Without `isSync`, writes do not wait, and lines that cannot be written are
 * lost once too many of them are held.
 */
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { auditFailed } from "../catalog/errors.ts";
import type { Audit, AuditedWrite } from "../methods/audit.ts";
import { toRpcError } from "../rpc/to-rpc-error.ts";
import { type LineFileOptions, openLineFile } from "./line-file.ts";

/** An audit log. */
export interface AuditLog extends Audit {
  /** Writes what is left. */
  close(): Promise<void>;
}

/** Options of an audit log. */
export interface AuditLogOptions extends LineFileOptions {
  /** Is told when lines cannot be written, and when they can again. */
  readonly logger: Pick<Logger, "error" | "info">;
  /** The time in ms since 1970. */
  readonly now?: () => number;
}

/** How much is held of lines that cannot be written, in bytes. */
const maxUnwrittenBytes = 8 * 1024 * 1024;

/** Opens an audit log. Rejects if its file cannot be opened. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { path, isSync, logger, now = Date.now } = options;
  const file = await openLineFile(options);
  let isFailing = false;
  let lost = 0;

  /** Resolves with whether all has been written. */
  async function written(work: Promise<void>): Promise<boolean> {
    try {
      await work;
    } catch (error) {
      if (!isFailing) {
        logger.error({ err: error, path }, "the audit log cannot be written");
      }
      isFailing = true;
      return false;
    }
    if (isFailing) {
      logger.info({ path, lost }, "the audit log is written again");
    }
    isFailing = false;
    lost = 0;
    return true;
  }

  return {
    async ready() {
      if (isSync && isFailing && !(await written(file.flush()))) {
        throw auditFailed(undefined);
      }
    },
    async record(write) {
      if (!isSync && file.unwrittenBytes > maxUnwrittenBytes) {
        lost++;
        void written(file.flush());
        return;
      }
      const recorded = written(file.append(lineOf(write, now())));
      if (isSync && !(await recorded)) {
        const { fqn, revision } = write;
        throw auditFailed(revision === undefined ? undefined : { fqn, revision });
      }
    },
    async close() {
      await written(file.flush());
      await file.close();
    },
  };
}

/** Longest names and ids in a line, in characters: a refused request may name anything. */
const maxLength = 600;

function lineOf(
  { principal, method, fqn, revision, error, origin }: AuditedWrite,
  time: number,
): string {
  const failure = error === undefined ? undefined : toRpcError(error);
  const [info] = failure?.findDetails(ErrorInfoSchema) ?? [];
  const line = {
    time: new Date(time).toISOString(),
    principal: principal.name,
    method,
    fqn,
    revision: revision?.toString(),
    code: failure === undefined ? "ok" : codeToString(failure.code),
    reason: info?.reason,
    peer: origin?.peer,
    requestId: origin?.requestId,
  };
  const cut = (_key: string, value: unknown): unknown =>
    typeof value === "string" && value.length > maxLength ? `${value.slice(0, maxLength)}…` : value;
  return JSON.stringify(line, cut);
}
