import { expectationOf, expectsContinue, type RequestHead } from "../node-http.ts";
import {
  type RefusedRequest,
  unsupportedExpectation,
  unsupportedTransferCoding,
  unsupportedTunnel,
} from "./refusals.ts";

/** Returns the refusal of a request for features of HTTP that are not supported; undefined if it has none. */
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
