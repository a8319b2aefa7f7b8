import { connect } from "node:http2";
import { once } from "node:events";
import { loadCreates } from "./create-load.ts";
import type { LoadedServer } from "./servers.ts";

/**
 * Makes commits in wasmext, by creations; makes the raw peer write as many messages to each watch.
 *
 * @param prefix - what the names begin with, so that they differ from those of other commits
 */
export async function makeCommits(
  server: LoadedServer,
  count: number,
  prefix: string,
): Promise<void> {
  const { port, url } = server.process;
  if (server.commits > 0) {
    await loadCreates(port, { prefix, count, headers: server.headers });
    server.commits += count;
    return;
  }
  const session = connect(url);
  const stream = session.request({ ":path": `/flood?${count}` }).resume();
  await once(stream, "close");
  session.close();
}
