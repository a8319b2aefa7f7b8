import { maxDelayMs } from "../../catalog/max-delay.ts";
import type { RequestHead } from "../node-http.ts";
import { invalidTimeout } from "./read-errors.ts";
import type { Protocol } from "./call-shape.ts";

/** The units of gRPC's timeout header, in ms. */
const grpcUnits: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** The most digits that gRPC's timeout header may have. */
const maxGrpcValue = 99_999_999;

/** The header with the deadline of a call. */
function timeoutHeader(protocol: Protocol): "grpc-timeout" | "connect-timeout-ms" {
  return protocol === "grpc" || protocol === "grpc-web" ? "grpc-timeout" : "connect-timeout-ms";
}

/**
 * How long the client waits, in ms, 24.8 days at most; undefined if it does not say.
 *
 * Raises a ConnectError if the header is not a timeout.
 */
export function timeoutOf(protocol: Protocol, { headers }: RequestHead): number | undefined {
  const name = timeoutHeader(protocol);
  const value = headers[name];
  if (value === undefined) {
    return undefined;
  }
  if (typeof value !== "string") {
    throw invalidTimeout(name, value.join(), "one timeout");
  }
  const timeoutMs = name === "grpc-timeout" ? grpcTimeout(value) : connectTimeout(value);
  if (timeoutMs === undefined) {
    const form =
      name === "grpc-timeout"
        ? "up to 8 digits and a unit of H, M, S, m, u or n, such as 500m"
        : "milliseconds in up to 10 digits, such as 500";
    throw invalidTimeout(name, value, form);
  }
  return Math.min(timeoutMs, maxDelayMs);
}

/** Sets the timeout header to the time that the client still waits. */
export function setTimeoutOf(protocol: Protocol, header: Headers, timeoutMs: number): void {
  const name = timeoutHeader(protocol);
  const ms = Math.ceil(timeoutMs);
  const isShort = name === "connect-timeout-ms" || ms <= maxGrpcValue;
  const unit = name === "connect-timeout-ms" ? "" : isShort ? "m" : "S";
  header.set(name, `${isShort ? ms : Math.floor(ms / 1000)}${unit}`);
}

function grpcTimeout(value: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
  return digits === undefined ? undefined : Number(digits) * (grpcUnits[unit] ?? 0);
}

function connectTimeout(value: string): number | undefined {
  return /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}
