import { mkdirSync, statSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/**
 * Lets Node keep compiled modules for the next start, which takes half as long with them: the JavaScript
 * that it makes of our TypeScript, too.
 *
 * Node runs what it finds there, so the folder is one that nobody else can write to. Where there is no such
 * folder, nothing is kept.
 */
export function keepCompiledModules() {
  const { XDG_CACHE_HOME: home = "" } = process.env;
  try {
    const folder = join(isAbsolute(home) ? home : join(homedir(), ".cache"), "wasmext");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    if (uid === (process.getuid?.() ?? uid) && (mode & 0o022) === 0) {
      module.enableCompileCache(folder);
    }
  } catch {
    // A start takes longer without, and that is all.
  }
}
