import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { X509Certificate } from "node:crypto";
import type { ClientCertificate, Credentials } from "../../auth/authenticate.ts";
import type { Exchange } from "../exchange.ts";
import { type RequestHead, socketOf } from "../node-http.ts";

/** The credentials of a request: its headers, and the certificate of its connection. */
export function credentialsOf(exchange: Exchange): Credentials {
  return {
    header: (name) => valueOf(exchange.head, name),
    get certificate() {
      return certificateOf(exchange);
    },
  };
}

/**
 * The value of a header. Repeated headers are joined with commas: Node keeps only the first of some, and a
 * proxy may have checked another one.
 */
function valueOf({ rawHeaders }: RequestHead, name: string): string | undefined {
  const values = rawHeaders.filter(
    (_value, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name,
  );
  return values.length === 0 ? undefined : values.join(",");
}

/** The certificates of connections: each is read once. */
const known = new WeakMap<object, ClientCertificate | undefined>();

function certificateOf({ connection }: Exchange): ClientCertificate | undefined {
  if (!known.has(connection)) {
    const socket = socketOf(connection);
    known.set(connection, socket && readCertificate(socket));
  }
  return known.get(connection);
}

type TlsPart = "getPeerX509Certificate" | "authorized" | "authorizationError";

function readCertificate(socket: Socket): ClientCertificate | undefined {
  // A socket without TLS has none of these.
  const tls = socket as Socket & Partial<Pick<TLSSocket, TlsPart>>;
  const certificate = tls.getPeerX509Certificate?.();
  if (certificate === undefined) {
    return undefined;
  }
  const { authorized, authorizationError } = tls;
  return {
    subject: subjectOf(certificate),
    expiresAt: certificate.validToDate.getTime(),
    problem: authorized ? undefined : String(authorizationError),
  };
}

/**
 * The subject in the form of RFC 4514. Node writes each part on a line of its own, the most general one
 * first, with separators escaped.
 */
export function subjectOf({
  subject,
  subjectAltName,
}: {
  /** Undefined if it is empty, which the types of Node do not say. */
  readonly subject: X509Certificate["subject"] | undefined;
  readonly subjectAltName: X509Certificate["subjectAltName"];
}): string {
  const lines = (subject ?? "").split("\n").filter((line) => line !== "");
  return lines.length > 0
    ? lines
        .map((line) => line.split(" + ").reverse().join("+"))
        .reverse()
        .join(",")
    : (/^(?:critical, )?URI:([^,"\s]+)$/.exec(subjectAltName ?? "")?.[1] ?? "");
}
