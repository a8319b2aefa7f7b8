import { createHash } from "node:crypto";
import { lastSegment } from "../../catalog/names/fqn.ts";

/**
 * Longest name, in characters. Kubernetes allows 253, but tools write names into labels, which hold
 * 63.
 */
const maxLength = 63;
const hashLength = 10;

/**
 * The name of the object for an attachment: `{target}-{extension}{index}-{hash}`, from the last
 * segments of the fqns. It is the same whatever else is exported, and different for each attachment
 * of the catalog: the hash tells apart what the readable part does not, such as gateways of the same
 * name in two groups, or index 0 of `x1` and index 10 of `x`.
 *
 * @param index - which of the target's attachments of this extension it is, from 0
 */
export function pluginName(target: string, extension: string, index: number): string {
  const readable = `${lastSegment(target)}-${lastSegment(extension)}${index}`;
  const hash = createHash("sha256").update(`${target} ${extension} ${index}`).digest("hex");
  const cut = readable.slice(0, maxLength - hashLength - 1).replace(/-+$/, "");
  return `${cut}-${hash.slice(0, hashLength)}`;
}
