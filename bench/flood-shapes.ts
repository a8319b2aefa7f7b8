/* Requests that are cheap to send and may be dear to refuse. */
import { create, type DescMessage, toJson } from "@bufbuild/protobuf";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { AttachmentService } from "../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../gen/wasmext/v1/export_service_pb.ts";
import { Health } from "../gen/health/v1/health_pb.ts";
import { field, message, repeated } from "../test/support/wire.ts";

/** A request, by how it is made. */
export interface Flood {
  /** The path of a method. */
  readonly method: string;
  readonly format: "json" | "binary";
  readonly compression: "identity" | "gzip" | "br";
  readonly shape: string;
  /** How much of what fits under 4 MiB there is, from 0 to 1. */
  readonly scale: number;
}

const limit = 4 * 1024 * 1024 - 1024;

const unary = [WasmExtensions, Tenants, AttachmentService, ChainService, ExportService, Health]
  .flatMap(
    (service) =>
      service.methods as readonly {
        methodKind: string;
        input: DescMessage;
        name: string;
        parent: { typeName: string };
      }[],
  )
  .filter(({ methodKind }) => methodKind === "unary");
const inputs = new Map(
  unary.map(({ parent, name, input }) => [`/${parent.typeName}/${name}`, input]),
);

/** The paths of the methods. */
export const methods: readonly string[] = [...inputs.keys()];

/** What is repeated until a request is as large as it may be; `{n}` is a number that counts. */
const jsonShapes: Readonly<Record<string, string>> = {
  "empty lists": "[]",
  "empty objects": "{}",
  numbers: "1",
  "long numbers": "1".repeat(400),
  fractions: "1.7976931348623157e308",
  strings: '"s"',
  escapes: '"\\u00e9\\ud83d\\ude00"',
  "one-byte escapes": `"${"\\u0001".repeat(200)}"`,
  surrogates: '"\\ud800"',
  "lists of lists": "[[[[]]]]",
  "objects of objects": '{"a":{"b":{"c":{}}}}',
  "distinct keys": '{"k{n}":1}',
  "one object": "",
  "tenant names": '"organizations/acme/tenants/t{n}"',
  "no tenant names": '"x{n}"',
  variables: '{"name":"V{n}","value":"v"}',
  "bad variables": '{"name":"{n}"}',
  attachments: '{"fqn":"organizations/acme/extensions/e{n}"}',
  "bad attachments": '{"fqn":"organizations/other/extensions/e{n}","match":[{"mode":"SERVER"}]}',
  matches: '{"mode":"CLIENT","ports":[{"number":{n}}]}',
  "bad matches": '{"ports":[{"number":0}]}',
};

/** Where in a request they are repeated. */
const jsonPlaces: Readonly<Record<string, (items: string) => string>> = {
  config: (items) => inExtension(`"config":{"a":[${items}]}`),
  "deep config": (items) =>
    inExtension(`"config":{"a":${"[".repeat(60)}${items}${"]".repeat(60)}}`),
  allowed_in: (items) => inExtension(`"allowedIn":[${items}]`),
  env: (items) => inExtension(`"vmConfig":{"env":[${items}]}`),
  match: (items) => inExtension(`"match":[${items}]`),
  "allowed_in with a bad end": (items) => inExtension(`"allowedIn":[${items},1]`),
  "env with a bad end": (items) => inExtension(`"vmConfig":{"env":[${items},1]}`),
  "match with a bad end": (items) => inExtension(`"match":[${items},1]`),
  "labels with a bad end": (items) =>
    `{"attachmentSet":{"fqn":"${gateway}","workloadSelector":{"labels":{${labels(items)}"z":1}}}}`,
  attachments: (items) => `{"attachmentSet":{"fqn":"${gateway}","extension":[${items}]}}`,
  "attachment config": (items) =>
    `{"attachmentSet":{"fqn":"${gateway}","extension":[{"fqn":"organizations/acme/extensions/e","config":{"a":[${items}]}}]}}`,
  unknown: (items) => `{"unknown":[${items}]}`,
  "the whole": (items) => `[${items}]`,
};

/** As many labels as there are items. */
function labels(items: string): string {
  const count = Math.floor(items.length / 10);
  return Array.from({ length: count }, (_, index) => `"k${index}":"v",`).join("");
}

const gateway = "organizations/acme/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/i";

function inExtension(fields: string): string {
  return `{"parent":"organizations/acme","name":"flood","wasmExtension":{"url":"x",${fields}}}`;
}

/** Strings that are as long as the request, for every rule that looks at one. */
const longStrings: Readonly<Record<string, string>> = {
  letters: "a",
  dashes: "-",
  slashes: "/",
  dots: ".",
  colons: ":",
  "an fqn's parts": "a/",
  spaces: " ",
  umlauts: "ä",
};

const binaryShapes: Readonly<Record<string, Uint8Array>> = {
  "unknown fields": field(1000, ""),
  "unknown numbers": Buffer.from([0x80, 0x7d, 0x01]),
  groups: Buffer.from([0xa3, 0x06, 0xa4, 0x06]),
  "field 1": field(1, ""),
  "field 2": field(2, ""),
  "field 3": field(3, ""),
  tenants: field(3, field(5, "organizations/acme/tenants/t")),
  "entries of a config": field(
    3,
    field(10, field(1, message(field(1, "k"), field(2, field(3, "v"))))),
  ),
  "unset values": field(3, field(10, field(1, message(field(1, "k"), field(2, ""))))),
  variables: field(3, field(13, field(1, message(field(1, "V"), field(2, "v"))))),
  attachments: field(1, field(3, field(1, "organizations/acme/extensions/e"))),
};

/** Binary shapes whose content is one long field. */
const binaryPlaces: Readonly<Record<string, (items: Uint8Array) => Uint8Array>> = {
  "the whole": (items) => items,
  "a list in a config": (items) =>
    field(3, field(10, field(1, message(field(1, "k"), field(2, field(6, items)))))),
  "an extension": (items) => field(3, items),
  "an unknown field": (items) => field(1000, items),
};

const shapeNames = {
  json: [
    ...Object.keys(jsonShapes).flatMap((shape) =>
      Object.keys(jsonPlaces).map((place) => `${shape} in ${place}`),
    ),
    ...Object.keys(longStrings).flatMap((text) =>
      ["parent", "name", "fqn", "url", "image", "pageToken", "etag", "source", "service"].map(
        (name) => `${text} as ${name}`,
      ),
    ),
  ],
  binary: Object.keys(binaryShapes).flatMap((shape) =>
    Object.keys(binaryPlaces).map((place) => `${shape} in ${place}`),
  ),
};

/** A request of any kind. */
export function randomFlood(random: () => number): Flood {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const format = pick(["json", "json", "binary"] as const);
  return {
    method: pick(methods),
    format,
    compression: pick(["identity", "gzip", "br"] as const),
    shape: pick(shapeNames[format]),
    // Limits are met somewhere between very little and all that fits.
    scale: 10 ** (-4 * random()),
  };
}

/** A request like another, with something changed. */
export function mutated(flood: Flood, random: () => number): Flood {
  const other = randomFlood(random);
  const chance = random();
  if (chance < 0.4) {
    return { ...flood, scale: Math.min(1, flood.scale * (0.5 + random())) };
  }
  if (chance < 0.6) {
    return { ...flood, method: other.method };
  }
  if (chance < 0.8) {
    return { ...flood, compression: other.compression };
  }
  return other.format === flood.format ? { ...flood, shape: other.shape } : other;
}

/** The bytes of a request, uncompressed. */
export function floodOf({ method, format, shape, scale }: Flood): Uint8Array {
  const bytes = Math.floor(limit * scale);
  return format === "json" ? Buffer.from(jsonOf(method, shape, bytes)) : binaryOf(shape, bytes);
}

function jsonOf(method: string, shape: string, bytes: number): string {
  const [text, name] = shape.split(" as ");
  if (name !== undefined) {
    const long = (longStrings[text ?? ""] ?? "").repeat(bytes).slice(0, bytes);
    return filled(method, name, long);
  }
  const [what = "", where = ""] = shape.split(" in ");
  const item = jsonShapes[what] ?? "";
  const place = jsonPlaces[where] ?? ((items: string) => items);
  if (item === "") {
    const count = Math.floor(bytes / 11);
    const entries = Array.from({ length: count }, (_, index) => `"k${index}":${index}`);
    return place(`{${entries.join(",")}}`);
  }
  const count = Math.floor(bytes / (item.length + 1));
  return place(
    Array.from({ length: count }, (_, index) => item.replaceAll("{n}", String(index))).join(","),
  );
}

/** A request of a method with a long string in one of its fields, wherever it has one of that name. */
function filled(method: string, name: string, long: string): string {
  const input = inputs.get(method);
  const json = input === undefined ? {} : (toJson(input, create(input)) as object);
  const value = JSON.stringify(long);
  const isNested = method.endsWith("/CreateWasmExtension") && !["parent", "name"].includes(name);
  const isSet = method.endsWith("/SetAttachments");
  const own = `"${name}":${value}`;
  if (isNested) {
    return `{"parent":"organizations/acme","name":"a","wasmExtension":{${own}}}`;
  }
  return isSet ? `{"attachmentSet":{${own}}}` : JSON.stringify(json).replace("{", `{${own}`);
}

function binaryOf(shape: string, bytes: number): Uint8Array {
  const [what = "", where = ""] = shape.split(" in ");
  const item = binaryShapes[what] ?? Buffer.alloc(0);
  const place = binaryPlaces[where] ?? ((items: Uint8Array) => items);
  return place(repeated(Math.floor(bytes / Math.max(1, item.length)), item));
}
