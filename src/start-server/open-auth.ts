import type { Logger } from "pino";
import type { Authentication } from "../auth/open.ts";
import { messageOf } from "../catalog/message-of.ts";
import { Failure } from "../cli/failure.ts";
import type { ServeOptions } from "../cli/serve-options.ts";

/**
 * Opens the authentication of `--auth` and `--tls-client-ca`; undefined if everyone may do everything.
 *
 * Rejects with a Failure if the keys or the grants cannot be used.
 */
export async function openAuth(
  options: ServeOptions,
  logger: Logger,
): Promise<Authentication | undefined> {
  const { auth, jwks = "", issuer = "", audience = [], tlsClientCa, grants: grantsFile } = options;
  const notices = {
    info: (text: string): void => {
      logger.info(text);
    },
    warn: (text: string): void => {
      logger.warn(text);
    },
  };
  if (auth === "none" && tlsClientCa === undefined) {
    return undefined;
  }
  // Loaded where it is needed, since it takes as long as the rest of a start.
  const { openAuthentication } = await import("../auth/open.ts");
  try {
    switch (auth) {
      case "jwt": {
        const clockSkewMs = options.clockSkew * 1000;
        const rules = { jwks, issuer, audiences: audience, clockSkewMs };
        return await openAuthentication({ kind: "jwt", ...rules, grantsFile }, notices);
      }
      case "none":
        return await openAuthentication({ kind: "certificate", grantsFile }, notices);
    }
  } catch (error) {
    throw new Failure(messageOf(error));
  }
}
