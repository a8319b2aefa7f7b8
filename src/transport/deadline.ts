/** The longest that a timer of Node can wait, in ms: a longer one would fire at once. */
const maxTimerMs = 0x7fffffff;

/** The units of gRPC's timeout header, in ms. */
const grpcUnits: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Makes a deadline that is further away than a timer can wait as far as one can, 24.8 days. */
export function clampDeadline(header: Headers): void {
  const [, grpcValue = "0", unit = ""] =
    /^(\d{1,8})([HMSmun])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  if (Number(grpcValue) * (grpcUnits[unit] ?? 0) > maxTimerMs) {
    header.set("grpc-timeout", `${Math.floor(maxTimerMs / 1000)}S`);
  }
  const connectValue = /^\d{1,10}$/.exec(header.get("connect-timeout-ms") ?? "")?.[0] ?? "0";
  if (Number(connectValue) > maxTimerMs) {
    header.set("connect-timeout-ms", String(maxTimerMs));
  }
}
