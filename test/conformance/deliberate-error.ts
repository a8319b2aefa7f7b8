import type { DescMessage, MessageShape, Registry } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/** A detail of an error, encoded. */
export interface EncodedDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

/**
 * An error that a conformance test asks for, and compares with what arrives. The server completes
 * every error that has no ErrorInfo, and hides what an unknown one says. This one answers that it has
 * an ErrorInfo, so it is sent as it is.
 */
export class DeliberateError extends ConnectError {
  constructor(code: Code, message: string, details: readonly EncodedDetail[] = []) {
    super(message, code);
    this.details.push(...details);
  }

  override findDetails<Desc extends DescMessage>(desc: Desc): MessageShape<Desc>[];
  override findDetails(registry: Registry): ReturnType<ConnectError["findDetails"]>;
  override findDetails(typeOrRegistry: DescMessage | Registry) {
    return typeOrRegistry === ErrorInfoSchema ? [create(ErrorInfoSchema)] : [];
  }
}
