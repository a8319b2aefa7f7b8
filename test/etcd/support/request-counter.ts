/** Begins to read what an HTTP/2 client sends; the function tells how many requests a chunk begins. */
export function createRequestCounter(): (chunk: Buffer) => number {
  /** How much is to be skipped: the preface first, then what is left of a frame. */
  let skip = 24;
  let header = Buffer.alloc(0);
  return (chunk) => {
    let begun = 0;
    let at = 0;
    while (at < chunk.byteLength) {
      if (skip > 0) {
        const skipped = Math.min(skip, chunk.byteLength - at);
        skip -= skipped;
        at += skipped;
        continue;
      }
      const taken = chunk.subarray(at, at + headerBytes - header.byteLength);
      header = Buffer.concat([header, taken]);
      at += taken.byteLength;
      if (header.byteLength === headerBytes) {
        skip = header.readUIntBE(0, 3);
        begun += header[3] === headersFrame ? 1 : 0;
        header = Buffer.alloc(0);
      }
    }
    return begun;
  };
}

const headerBytes = 9;
const headersFrame = 1;
