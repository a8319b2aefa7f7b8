import type { TLSSocket } from "node:tls";
import type { X509Certificate } from "node:crypto";
import type { ClientCertificate, Credentials } from "../../auth/authenticate.ts";
import type { NodeRequest } from "../node-http.ts";

/** What a request says of its caller: in its headers, and by the certificate of its connection. */
export function credentialsOf(request: NodeRequest): Credentials {
  return {
    header: (name) => valueOf(request, name),
    get certificate() {
      return certificateOf(request);
    },
  };
}

/**
 * The value of a header; those of several, with commas between them. Node keeps the first of some headers
 * alone, and a proxy may have checked another one.
 */
function valueOf({ rawHeaders }: NodeRequest, name: string): string | undefined {
  const values = rawHeaders.filter(
    (_value, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name,
  );
  return values.length === 0 ? undefined : values.join(",");
}

/** What is known of connections: a certificate is read once. */
const known = new WeakMap<object, ClientCertificate | undefined>();

function certificateOf(request: NodeRequest): ClientCertificate | undefined {
  // HTTP/2 makes a new wrapper of the socket for each request, and has none once the session is gone.
  const connection = "stream" in request ? request.stream.session : request.socket;
  if (connection === undefined) {
    return undefined;
  }
  if (!known.has(connection)) {
    known.set(connection, readCertificate(request.socket as TLSSocket));
  }
  return known.get(connection);
}

function readCertificate(socket: TLSSocket): ClientCertificate | undefined {
  // A socket without TLS has no such method.
  const certificate = (socket as Partial<TLSSocket>).getPeerX509Certificate?.();
  if (certificate === undefined) {
    return undefined;
  }
  const { authorized, authorizationError } = socket;
  return {
    subject: subjectOf(certificate),
    expiresAt: certificate.validToDate.getTime(),
    problem: authorized ? undefined : String(authorizationError),
  };
}

/**
 * The subject as RFC 4514 writes it. Node has a line for each part, the most general one first, in which
 * what separates parts is escaped.
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
