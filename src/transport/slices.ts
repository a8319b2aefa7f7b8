/** How much is handed to a connection at once, in bytes. */
const sliceBytes = 64 * 1024;

/**
 * The body of an answer in slices that the writer can wait between. What is handed to an HTTP/2 stream
 * at once counts against the memory of its session until it is sent, also when the client has refused
 * it; with one answer of megabytes, Node refuses every further stream of that connection.
 */
export async function* inSlices(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    if (chunk.byteLength <= sliceBytes) {
      yield chunk;
      continue;
    }
    for (let start = 0; start < chunk.byteLength; start += sliceBytes) {
      yield chunk.subarray(start, start + sliceBytes);
    }
  }
}
