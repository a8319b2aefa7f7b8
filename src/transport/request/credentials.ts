import { TLSSocket } from "node:tls";
import type { Credentials } from "../../auth/authenticate.ts";
import type { NodeRequest } from "../node-http.ts";

/** What a request says of its caller: in its headers, and by the certificate of its connection. */
export function credentialsOf(request: NodeRequest): Credentials {
  return {
    header(name) {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(",") : value;
    },
    get certificateSubject() {
      return subjectOf(request);
    },
  };
}

function subjectOf({ socket }: NodeRequest): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    return undefined;
  }
  const { subject } = socket.getPeerCertificate();
  return Object.entries(subject)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(",");
}
