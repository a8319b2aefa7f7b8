import { create } from "@bufbuild/protobuf";
import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type TrafficSelector,
  TrafficSelectorSchema,
  type WasmExtensionAttachment,
  WorkloadMode as Mode,
} from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";

/** The traffic that a question is about. */
export interface Traffic {
  /** UNDEFINED and CLIENT_AND_SERVER: either direction. */
  readonly mode: Mode;
  /** 0: any port. */
  readonly port: number;
}

/**
 * The traffic that an attached extension gets: the attachment's selectors if it has some, else the
 * extension's selector. An unset mode becomes CLIENT_AND_SERVER.
 */
export function effectiveMatch(
  extension: WasmExtension,
  attachment: WasmExtensionAttachment,
): TrafficSelector[] {
  const selectors = attachment.match.length > 0 ? attachment.match : [ownSelector(extension)];
  return selectors.map(({ mode, ports }) =>
    create(TrafficSelectorSchema, {
      mode: mode === Mode.UNDEFINED ? Mode.CLIENT_AND_SERVER : mode,
      ports,
    }),
  );
}

/** Tells whether an extension gets some of the traffic. */
export function isSelected(match: readonly TrafficSelector[], { mode, port }: Traffic): boolean {
  return match.some(
    (selector) =>
      directionsMeet(selector.mode, mode) &&
      (port === 0 ||
        selector.ports.length === 0 ||
        selector.ports.some(({ number }) => number === port)),
  );
}

function directionsMeet(a: Mode, b: Mode): boolean {
  const isEither = (mode: Mode): boolean =>
    mode === Mode.UNDEFINED || mode === Mode.CLIENT_AND_SERVER;
  return isEither(a) || isEither(b) || a === b;
}

function ownSelector({ match }: WasmExtension): TrafficSelector {
  return create(TrafficSelectorSchema, { mode: match?.mode ?? Mode.UNDEFINED });
}
