import { InvalidArgumentError } from "commander";

/** What listeners are for: requests to a gateway, to a workload, or from one. */
const kinds = ["gateway", "inbound", "outbound"] as const;

/** What a listener is, as slots name it. */
export interface Listener {
  readonly kind: (typeof kinds)[number];
  /** The kind, with `:PORT` if it has a port. */
  readonly text: string;
}

/** Parses a listener. */
export function listenerArgument(text: string): Listener {
  const [, name, port] = /^([a-z]+)(?::([1-9]\d{0,4}))?$/.exec(text) ?? [];
  const kind = kinds.find((known) => known === name);
  if (kind === undefined || Number(port ?? 1) > 65535) {
    throw new InvalidArgumentError(
      `It has to be ${kinds.join(", ")}, or one of them with a port, such as inbound:8080.`,
    );
  }
  return { kind, text };
}
