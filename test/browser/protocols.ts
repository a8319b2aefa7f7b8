/** The ways in which a page can call the server. */
export const protocols = [
  "gRPC-Web",
  "Connect with JSON",
  "Connect with binary",
  "Connect with GET and JSON",
  "Connect with GET and binary",
] as const;

/** One of the ways in which a page can call the server. */
export type Protocol = (typeof protocols)[number];
