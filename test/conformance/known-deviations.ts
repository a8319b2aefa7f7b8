/** What the suite reports of the server and is meant to be so. Everything else that it reports fails. */
export interface Deviation {
  /** Whose names the cases have. */
  readonly cases: RegExp;
  /** What the suite says of such a case: one whole line of its report. */
  readonly says: RegExp;
  readonly reason: string;
}

export const knownDeviations: readonly Deviation[] = [
  {
    cases: /./,
    says: /^actual error contain [1-3] details; expecting 0$/,
    reason:
      "every error that the server raises has details, see docs/errors.md; the suite allows none",
  },
  {
    cases: /./,
    says: /^connect error JSON: details\[\d\]: could not check debug data because message type "(?:google\.rpc|buf\.validate)\.\w+" could not be resolved: proto:\snot found$/,
    reason: "the suite does not know the types of these details",
  },
  {
    cases: /\/(?:unexpected-codec|unexpected-content-type|unexpected-verb)$/,
    says: /^actual error \{code: (?:3 \(invalid_argument\)|12 \(unimplemented\)), message: ".+"\} does not match expected code 2 \(unknown\)$/,
    reason: "the body of a 405 or 415 says what to send instead; the suite expects an empty one",
  },
  {
    cases: /\/Protocol:PROTOCOL_GRPC(?:_WEB)?\/.*\/unexpected-content-type$/,
    says: /^connect error JSON: unexpected end of JSON input$/,
    reason: "the same 415; the suite's gRPC clients see that its body is JSON, and do not read it",
  },
  {
    cases: /\/unexpected-compressed-message$/,
    says: /^actual error \{code: 3 \(invalid_argument\), message: ".+"\} does not match expected code 13 \(internal\)$/,
    reason:
      "a compressed message without a compression is the client's mistake; bad input is never INTERNAL",
  },
];
