import { expectationOf, expectsContinue, type RequestHead } from "../node-http.ts";
import {
  type RefusedRequest,
  unsupportedExpectation,
  unsupportedTransferCoding,
  unsupportedTunnel,
} from "./refusals.ts";

/** Why a request is not served for what HTTP itself says in its head; undefined if it may be. */
export function refusalOfHead(request: RequestHead): RefusedRequest | undefined {
  if (request.method === "CONNECT") {
    return unsupportedTunnel();
  }
  const coding = request.headers["transfer-encoding"] ?? "chunked";
  if (!/^[\t ]*chunked[\t ]*$/i.test(coding)) {
    return unsupportedTransferCoding(coding);
  }
  const expectation = expectationOf(request);
  return expectation === "" || expectsContinue(request)
    ? undefined
    : unsupportedExpectation(expectation);
}
