/** The ways in which a page can watch: nothing streams over GET. */
export const watchProtocols = ["gRPC-Web", "Connect with JSON", "Connect with binary"] as const;

/** The ways in which a page can call the server. */
export const protocols = [
  ...watchProtocols,
  "Connect with GET and JSON",
  "Connect with GET and binary",
] as const;

/** One of the ways in which a page can call the server. */
export type Protocol = (typeof protocols)[number];
