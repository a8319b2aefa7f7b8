/** The figures that bench/envoy.ts prints, as docs/envoy.md lists them. */
export const figures = {
  sent: "from the sending of a change to its effect, ms, p50 and p99",
  answered: "from the answer to its effect, ms, p50 and p99",
  bare: "from a bare push of the same bytes to its effect, ms, p50 and p99",
  ratio: "from the sending, to a bare push, p50 and p99",
  resident: "resident memory of a proxy, KiB",
  held: "heap and buffers of a proxy, KiB",
  connected: "until all have their first chain, ms",
  acknowledged: "from a commit to the ACKs of all, ms, median",
  envoys: "from a commit to its effect in the Envoys, ms, median",
  pushes: "pushes a second",
  processor: "processor of the server for a push, ms",
  peak: "most resident memory of the server, MB",
} as const;
