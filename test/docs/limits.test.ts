/* The tables of docs/limits.md say what the code does. */
import { getOption } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "vitest";
import { AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { maxTokenLength } from "../../src/auth/bearer-token.ts";
import { maxGrantsFileBytes } from "../../src/auth/grants-file.ts";
import { maxKeySetBytes, maxKeys } from "../../src/auth/key-set.ts";
import { fetchTimeoutMs } from "../../src/auth/key-source.ts";
import { defaultRememberedLimits } from "../../src/auth/verified-tokens.ts";
import { maxChainBytes } from "../../src/catalog/reads/chain.ts";
import { maxReferenceLength } from "../../src/catalog/names/oci-reference.ts";
import { maxPageSize } from "../../src/catalog/reads/pages.ts";
import { defaultHistory, defaultSnapshots } from "../../src/catalog/store.ts";
import { maxBacklog } from "../../src/catalog/watch/reader.ts";
import { maxItems, maxRuledString } from "../../src/catalog/rules/well-formed.ts";
import { maxStructLevels, maxStructValues } from "../../src/catalog/rules/json-form.ts";
import { serveCommand } from "../../src/cli/commands/serve.ts";
import type { ServeOptions } from "../../src/cli/serve-options.ts";
import { maxFileBytes } from "../../src/cli/sources.ts";
import {
  defaultCacheBytes,
  defaultMaxModuleBytes,
  defaultTiming,
  maxFetches,
  maxFetchesOfOne,
} from "../../src/modules/limits.ts";
import { maxRedirects } from "../../src/modules/network/client.ts";
import { maxManifestBytes } from "../../src/modules/oci/fetch-image.ts";
import { maxExportBytes as maxExportSection, maxSections } from "../../src/modules/wasm/inspect.ts";
import { maxDepth, maxLength, maxNodes } from "../../src/yaml/cutter.ts";
import { maxEmptyDocuments } from "../../src/yaml/document.ts";
import { maxAliasedValues } from "../../src/yaml/to-json.ts";
import { maxExportBytes } from "../../src/export/istio/export-istio.ts";
import { defaultBookmarkIntervalMs } from "../../src/catalog/watch/watch.ts";
import { defaultMaxWatches } from "../../src/methods/open-watches.ts";
import { maxPagePlugins } from "../../src/methods/proxies.ts";
import { maxDiscoveryBytes } from "../../src/methods/discovery.ts";
import { maxCallerBytes, maxCallerPlugins, maxCallerSlots } from "../../src/xds/caller-use.ts";
import { maxSlots } from "../../src/xds/session.ts";
import { maxHeldBytes, maxPlugins } from "../../src/xds/slot-shares.ts";
import { defaultRequestTimeoutMs, maxStreamRequestBytes } from "../../src/server.ts";
import { maxCompressedBytes } from "../../src/transport/answer/compressions.ts";
import { defaultUploadLimits } from "../../src/transport/request/uploads.ts";
import { defaultUnreadLimits } from "../../src/transport/answer/unread-answers.ts";
import { defaultPortLimits } from "../../src/transport/connection/port.ts";
import { maxGivenUpInTurn, resets } from "../../src/transport/connection/sessions.ts";
import { maxPipelined } from "../../src/transport/connection/pipelined.ts";
import { maxRecords, maxValues } from "../../src/transport/request/read-message.ts";
import { readPage, tableRows } from "../support/markdown.ts";

const count = (value: number | bigint): string => value.toLocaleString("en-US");
const mebibytes = (bytes: number): string => `${bytes / 1024 / 1024} MiB`;
const kibibytes = (bytes: number): string => `${bytes / 1024} KiB`;
const seconds = (ms: number): string => `${ms / 1000} s`;
const minutes = (ms: number): string => `${ms / 60_000} min`;
const hours = (ms: number): string => `${ms / 3_600_000} h`;

function maxAttachments(): bigint {
  const { type } = getOption(AttachmentSetSchema.field.extension, fieldRules);
  return type.case === "repeated" ? type.value.maxItems : 0n;
}

/** The default of an option of `wasmext serve`. */
function defaultOf(option: keyof ServeOptions): number {
  return serveCommand(() => Promise.resolve()).getOptionValue(option) as number;
}

const limitsOfFiles: readonly (readonly [what: string, limit: string])[] = [
  ["a file", mebibytes(maxFileBytes)],
  ["a document", `${count(maxNodes)} keys and values, ${mebibytes(maxLength)}`],
  ["nesting of a document", `${maxDepth} levels`],
  ["values that aliases stand for", count(maxAliasedValues)],
  ["empty documents in a row", count(maxEmptyDocuments)],
];

const limits: readonly (readonly [what: string, limit: string])[] = [
  ["a message, `--max-message-bytes`", mebibytes(defaultOf("maxMessageBytes"))],
  ["a message that asks for a stream, or is sent in one", `${maxStreamRequestBytes / 1024} KiB`],
  ["a message of a proxy", mebibytes(maxDiscoveryBytes)],
  ["slots of a proxy on one connection", count(maxSlots)],
  ["plugins in all slots of a proxy on one connection", count(maxPlugins)],
  ["configurations in all slots of a proxy on one connection", mebibytes(maxHeldBytes)],
  ["slots of all proxies of one caller", count(maxCallerSlots)],
  ["plugins in all slots of all proxies of one caller", count(maxCallerPlugins)],
  ["configurations in them, where the same one counts once", mebibytes(maxCallerBytes)],
  ["items in all lists of a request together", count(maxItems)],
  ["values in all configurations of a request together", count(maxStructValues)],
  ["values of any kind in a request in JSON", count(maxValues)],
  ["fields in a request in binary, at any depth", count(maxRecords)],
  ["nesting of a configuration", `${maxStructLevels} levels`],
  ["a text that rules look at, such as a name or a url", `${count(maxRuledString)} characters`],
  ["an OCI reference", `${count(maxReferenceLength)} characters`],
  ["attachments of a target", count(maxAttachments())],
  [
    "the time in which the body of a request has to arrive, `--request-timeout`",
    `${defaultOf("requestTimeout")} s`,
  ],
  [
    "requests that arrive at once on one connection",
    `${mebibytes(defaultUploadLimits.connectionBytes)}, or one`,
  ],
  ["requests that arrive at once on all connections", mebibytes(defaultUploadLimits.totalBytes)],
  ["a page", `${count(maxPageSize)} objects`],
  ["plugins of the proxies in a page", count(maxPagePlugins)],
  ["a chain", mebibytes(maxChainBytes)],
  ["an export to Istio", mebibytes(maxExportBytes)],
  [
    "the time in which the answer of a unary call has to be read",
    minutes(defaultUnreadLimits.answerMs),
  ],
  ["how long a client may read nothing of what waits for it", seconds(defaultUnreadLimits.stallMs)],
  [
    "answers of unary calls that wait on one connection",
    `${mebibytes(defaultUnreadLimits.connectionBytes)}, or one`,
  ],
  ["answers that wait on all connections together", mebibytes(defaultUnreadLimits.totalBytes)],
  ["answers that are being compressed, all together", `${mebibytes(maxCompressedBytes)}, or one`],
  [
    "commits that are kept for watches",
    `${count(defaultHistory.maxCommits)}, ${mebibytes(defaultHistory.maxWeight)} of memory, ${hours(defaultHistory.maxAgeMs)}`,
  ],
  [
    "how far a watch may fall behind",
    `${count(maxBacklog.commits)} commits, ${mebibytes(maxBacklog.weight)} of memory`,
  ],
  ["the time without a message until a watch gets a bookmark", seconds(defaultBookmarkIntervalMs)],
  [
    "states that are kept for page tokens and for watches",
    `${mebibytes(defaultSnapshots.maxWeight)} of memory`,
  ],
  ["how long such a state is kept that nobody uses", minutes(defaultSnapshots.maxIdleMs)],
  ["watches that one caller has open, `--max-watches`", count(defaultOf("maxWatches"))],
  ["connections, `--max-connections`", count(defaultOf("maxConnections"))],
  ["streams on one HTTP/2 connection, `--max-streams`", count(defaultOf("maxStreams"))],
  ["requests sent ahead on one HTTP/1.1 connection", count(maxPipelined)],
  [
    "streams that are given up on one HTTP/2 connection",
    `${count(resets.burst)}, and ${count(resets.perSecond)} a second`,
  ],
  ["streams that are given up before the server has looked at them", `${maxGivenUpInTurn} at once`],
  [
    "the time in which a connection has to show its protocol, `--header-timeout`",
    `${defaultOf("headerTimeout")} s`,
  ],
  [
    "the time in which the head of a request has to arrive, `--header-timeout`",
    `${defaultOf("headerTimeout")} s`,
  ],
  [
    "how long a connection without a request is kept, `--idle-timeout`",
    `${defaultOf("idleTimeout") / 60} min`,
  ],
  ["a token", kibibytes(maxTokenLength)],
  [
    "verified tokens that are remembered",
    `${count(defaultRememberedLimits.tokens)}, ${mebibytes(defaultRememberedLimits.characters)}`,
  ],
  ["a key set", `${count(maxKeys)} keys, ${mebibytes(maxKeySetBytes)}`],
  ["the time in which it has to arrive", seconds(fetchTimeoutMs)],
  ["a grants file", kibibytes(maxGrantsFileBytes)],
  ["a module, as sent and unpacked, `--max-module-bytes`", mebibytes(defaultOf("maxModuleBytes"))],
  [
    "the cache of modules, `--module-cache-bytes`",
    `${count(defaultOf("moduleCacheBytes") / 1024 / 1024)} MiB`,
  ],
  ["the modules in use of one organization", "half of the cache"],
  ["a manifest, or a config", mebibytes(maxManifestBytes)],
  ["the time in which all of a module has to arrive", seconds(defaultTiming.totalMs)],
  ["how long nothing of it may arrive", seconds(defaultTiming.silenceMs)],
  ["redirects", count(maxRedirects)],
  ["modules that are fetched at once", `${maxFetches}, ${maxFetchesOfOne} of one organization`],
  [
    "the time until a moved tag is noticed, `--module-check-interval`",
    `${defaultOf("moduleCheckInterval")} s`,
  ],
  [
    "the time until a failed fetch is tried again",
    `${seconds(defaultTiming.firstRetryMs)} to ${minutes(defaultTiming.lastRetryMs)}`,
  ],
  ["a module's export section", kibibytes(maxExportSection)],
  ["a module's sections", count(maxSections)],
];

test("the defaults of options are those of a server", () => {
  const milliseconds = (option: keyof ServeOptions): number => defaultOf(option) * 1000;
  expect({
    maxWatches: defaultOf("maxWatches"),
    requestTimeoutMs: milliseconds("requestTimeout"),
    maxConnections: defaultOf("maxConnections"),
    maxStreams: defaultOf("maxStreams"),
    headerTimeoutMs: milliseconds("headerTimeout"),
    idleTimeoutMs: milliseconds("idleTimeout"),
    cacheBytes: defaultOf("moduleCacheBytes"),
    maxModuleBytes: defaultOf("maxModuleBytes"),
    checkMs: milliseconds("moduleCheckInterval"),
  }).toEqual({
    cacheBytes: defaultCacheBytes,
    maxModuleBytes: defaultMaxModuleBytes,
    checkMs: defaultTiming.checkMs,
    maxWatches: defaultMaxWatches,
    requestTimeoutMs: defaultRequestTimeoutMs,
    ...defaultPortLimits,
  });
});

test("docs/limits.md has the limits of the code", () => {
  expect(tableRows(readPage("docs/limits.md"))).toEqual([...limits, ...limitsOfFiles]);
});

test.each([
  ["docs/watch.md", `${count(defaultHistory.maxCommits)} commits`],
  ["docs/watch.md", `${mebibytes(defaultHistory.maxWeight)} as it holds them in memory`],
  ["docs/watch.md", `${count(maxBacklog.commits)} commits or ${mebibytes(maxBacklog.weight)}`],
  ["docs/watch.md", `${defaultBookmarkIntervalMs / 1000} seconds without a message`],
  ["docs/extensions.md", `more than ${maxPageSize} counts as ${maxPageSize}`],
  ["docs/extensions.md", `for ${defaultSnapshots.maxIdleMs / 60_000} minutes`],
  ["docs/extensions.md", `${mebibytes(defaultSnapshots.maxWeight)} of memory`],
  ["docs/attachments.md", `at most ${mebibytes(maxChainBytes)}`],
  ["docs/istio.md", `at most ${mebibytes(maxExportBytes)}`],
])("%s says: %s", (page, text) => {
  expect(readPage(page).replaceAll("\n", " ")).toContain(text);
});
