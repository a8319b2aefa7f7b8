import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Compression } from "@connectrpc/connect/protocol";
import { rpcError } from "../../rpc/errors.ts";

/** How much may be compressed at once, in bytes: some large answers, or any number of small ones. */
export const maxCompressedBytes = 128 * 1024 * 1024;

/**
 * Brotli's own default, 11, is made for files that are compressed once: it takes a minute for 20 MB,
 * during which nothing else is compressed, and the process cannot exit.
 */
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

/**
 * The compressions of requests and answers. Answers that are being compressed are in memory twice, and
 * wait for each other; over `maxBytes` of them, the next is refused with RESOURCE_EXHAUSTED.
 */
export function createCompressions(maxBytes = maxCompressedBytes): readonly Compression[] {
  let bytes = 0;
  const bounded =
    (compress: (content: Uint8Array) => Promise<Buffer<ArrayBuffer>>): Compression["compress"] =>
    async (content) => {
      if (bytes > 0 && bytes + content.byteLength > maxBytes) {
        throw tooManyToCompress();
      }
      bytes += content.byteLength;
      try {
        return await compress(content);
      } finally {
        bytes -= content.byteLength;
      }
    };
  const gzipped = promisify(gzip);
  const brotlied = promisify(brotliCompress);
  return [
    { ...compressionGzip, compress: bounded((content) => gzipped(content, {})) },
    { ...compressionBrotli, compress: bounded((content) => brotlied(content, brotliOptions)) },
  ];
}

function tooManyToCompress(): Error {
  const problem = "too many large answers are being compressed";
  const remedy = "call again later, ask for pages, or for an answer that is not compressed";
  return rpcError(Code.ResourceExhausted, "TOO_MUCH_TO_COMPRESS", `${problem}; ${remedy}`);
}
