/*
 * Protobuf by hand, for what no library would write.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Joins encoded fields to a message. */
export function message(...fields: Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

/** A field that holds a string, bytes or a message. */
export function field(number: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
}

/** That many groups of an unknown field, each in the one before. */
export function nestedGroups(count: number): Uint8Array {
  return Buffer.concat([
    ...Array<Buffer>(count).fill(Buffer.from([0xa3, 0x06])),
    ...Array<Buffer>(count).fill(Buffer.from([0xa4, 0x06])),
  ]);
}

/** That many times the same bytes. */
export function repeated(count: number, bytes: Uint8Array): Uint8Array {
  return Buffer.alloc(count * bytes.length, bytes);
}

/** A google.protobuf.Struct. */
export function struct(values: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return message(
    ...Object.entries(values).map(([key, value]) =>
      field(1, message(field(1, key), field(2, value))),
    ),
  );
}

/** Values of google.protobuf.Value. */
export const value = {
  kindless: message(),
  ofNumber: (number: number): Uint8Array =>
    new BinaryWriter().tag(2, WireType.Bit64).double(number).finish(),
  ofString: (text: Uint8Array | string): Uint8Array => field(3, text),
  ofStruct: (content: Uint8Array): Uint8Array => field(5, content),
  ofList: (...items: Uint8Array[]): Uint8Array =>
    field(6, message(...items.map((item) => field(1, item)))),
};

/** A Struct of that many levels; the outermost is level 1. */
export function structOfLevels(levels: number): Uint8Array {
  let inner = struct({});
  for (let level = 1; level < levels; level++) {
    inner = struct({ a: value.ofStruct(inner) });
  }
  return inner;
}

/** The same as JSON. */
export function jsonOfLevels(levels: number): string {
  return `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
}

/** A WasmExtension that breaks no rule, with a config and more fields as given. */
export function extension(config?: Uint8Array, ...more: Uint8Array[]): Uint8Array {
  return message(
    ...(config === undefined ? [] : [field(10, config)]),
    field(14, "oci://ghcr.io/acme/hostile:1"),
    ...more,
  );
}

/** A CreateWasmExtensionRequest that breaks no rule, with an extension as given. */
export function createRequest(wasmExtension = extension(), ...more: Uint8Array[]): Uint8Array {
  return message(
    field(1, "organizations/acme"),
    field(2, "hostile"),
    field(3, wasmExtension),
    ...more,
  );
}

/** The same as JSON, with fields of the extension as given. */
export function createRequestJson(fields = ""): string {
  const comma = fields === "" ? "" : ",";
  return `{"parent":"organizations/acme","name":"hostile","wasmExtension":{"url":"oci://ghcr.io/acme/hostile:1"${comma}${fields}}}`;
}
