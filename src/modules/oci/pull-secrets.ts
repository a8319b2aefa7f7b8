/*
 * The folder of pull secrets: FOLDER/ORGANIZATION/SECRET/config.json. The organization is a folder, so that
 * one organization cannot use the secrets of another.
 */
import { join } from "node:path";
import { readFileBounded } from "../../auth/read-file.ts";
import { isNameOf } from "../../catalog/names/forms.ts";
import { excerpt } from "../../catalog/names/excerpt.ts";
import { ModuleFault } from "../problem.ts";

/** The names that Kubernetes gives such a file, too. */
const fileNames = ["config.json", ".dockerconfigjson"];

const secretName = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const maxSecretName = 253;

/** Reads pull secrets, each time anew. */
export interface PullSecrets {
  /** The text of a secret; undefined if there is no such secret. Rejects with a ModuleFault if it cannot be read. */
  read(organization: string, name: string): Promise<string | undefined>;
}

/** Opens a folder of pull secrets; without one there are none. */
export function openPullSecrets(folder: string | undefined): PullSecrets {
  return {
    async read(organization, name) {
      // Both become parts of a path.
      if (
        !isNameOf("name", organization) ||
        !secretName.test(name) ||
        name.length > maxSecretName
      ) {
        throw new ModuleFault(
          "SECRET",
          `${excerpt(name)} is not a valid name of a pull secret; write at most ${maxSecretName} lower-case letters, digits, '-' and '.'`,
        );
      }
      for (const file of folder === undefined ? [] : fileNames) {
        try {
          return (await readFileBounded(join(folder ?? "", organization, name, file))).toString();
        } catch (error) {
          const { code = "it cannot be read" } = error as NodeJS.ErrnoException;
          if (code !== "ENOENT" && code !== "ENOTDIR") {
            throw new ModuleFault(
              "SECRET",
              `the pull secret ${organization}/${name} cannot be read (${code}); check the file in the folder of --pull-secrets`,
              { cause: error },
            );
          }
        }
      }
      return undefined;
    },
  };
}
