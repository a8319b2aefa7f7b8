#!/usr/bin/env node
// Runs the program: compiled where it was installed as a package, as its sources in a clone. Node
// strips types, but not under node_modules.
import { existsSync } from "node:fs";
import { keepCompiledModules } from "./compile-cache.js";

const least = [22, 18];
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < least[0] || (major === least[0] && minor < least[1])) {
  process.stderr.write(
    `error: wasmext needs Node ${least.join(".")} or newer, and this is ${process.version}; install a newer one\n`,
  );
  process.exit(1);
}
keepCompiledModules();
const source = new URL("../src/main.ts", import.meta.url);
await import(
  existsSync(source) ? source.href : new URL("../dist/src/main.js", import.meta.url).href
);
