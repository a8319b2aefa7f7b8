import { messageOf } from "../catalog/message-of.ts";
import type { Authenticate } from "./authenticate.ts";
import { createCertificateAuthenticator } from "./certificate.ts";
import { type FileWatchOptions, stampOf, watchFiles } from "./file-watch.ts";
import { GrantsFileError, maxGrantsFileBytes, parseGrantsFile } from "./grants-file.ts";
import { createLiveRules, type GrantRules, type LiveRules } from "./grant-rules.ts";
import { createJwtAuthenticator } from "./jwt.ts";
import { type KeySourceOptions, type Notices, openKeySource } from "./key-source.ts";
import { readFileBounded } from "./read-file.ts";
import type { TokenRules } from "./verify-token.ts";

/** How callers are authenticated. */
export type AuthenticationOptions =
  /** By tokens, or by certificates where connections have them. */
  | ({
      readonly kind: "jwt";
      /** A file or a url of a JSON Web Key Set. */
      readonly jwks: string;
      readonly grantsFile: string | undefined;
    } & TokenRules)
  /** By certificates, which may do everything where there is no grants file. */
  | { readonly kind: "certificate"; readonly grantsFile: string | undefined };

/** The authentication of a running server. */
export interface Authentication {
  readonly authenticate: Authenticate;
  /** Stops looking for newer keys and grants. */
  close(): void;
}

/**
 * Opens the authentication: reads keys and grants, and follows their changes.
 *
 * Rejects with an Error, whose message says why, if they cannot be used.
 */
export async function openAuthentication(
  options: AuthenticationOptions,
  notices: Notices,
  timing: KeySourceOptions = {},
): Promise<Authentication> {
  const { grantsFile } = options;
  const grants =
    grantsFile === undefined ? undefined : await openGrantsFile(grantsFile, notices, timing);
  if (options.kind === "certificate") {
    return {
      authenticate: createCertificateAuthenticator(grants?.rules),
      close: () => grants?.close(),
    };
  }
  try {
    const keySource = await openKeySource(options.jwks, notices, timing);
    const rules = grants?.rules ?? createLiveRules();
    return {
      authenticate: createJwtAuthenticator({ ...options, keySource, rules }),
      close() {
        keySource.close();
        grants?.close();
      },
    };
  } catch (error) {
    grants?.close();
    throw error;
  }
}

/** A grants file, whose rules follow its changes. */
export interface OpenGrantsFile {
  readonly rules: LiveRules;
  close(): void;
}

/**
 * Opens a grants file. A later version that cannot be used leaves the rules as they are.
 *
 * Rejects with an Error, whose message says why, if it cannot be used.
 */
export async function openGrantsFile(
  file: string,
  notices: Notices,
  options: FileWatchOptions = {},
): Promise<OpenGrantsFile> {
  const stamp = await stampOf([file]);
  const rules = createLiveRules(await readGrantsFile(file));
  const reload = async (): Promise<void> => {
    try {
      rules.replace(await readGrantsFile(file));
      notices.info(`${file}: the grants have changed, and are in force`);
    } catch (error) {
      notices.warn(`${messageOf(error)}; the grants from before stay in force`);
    }
  };
  return { rules, close: watchFiles([file], stamp, reload, options) };
}

async function readGrantsFile(file: string): Promise<GrantRules> {
  let text: string;
  try {
    text = (await readFileBounded(file, { maxBytes: maxGrantsFileBytes })).toString();
  } catch (error) {
    throw new GrantsFileError(`the grants file cannot be read: ${messageOf(error)}`);
  }
  return parseGrantsFile(file, text);
}
