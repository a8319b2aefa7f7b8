/* Stock connect-node: serves extensions from a Map, and checks nothing. Its second argument is the version of HTTP. */
import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { create, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  ListWasmExtensionResponseSchema,
  WasmExtensions,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { readAnswers } from "./answers.ts";
import { announce } from "./announce.ts";
import { listCall } from "./calls.ts";

const [, , file = "", http = "2"] = process.argv;
const list = readAnswers(file).grpc[listCall.path]?.body.subarray(5) ?? new Uint8Array();
const { extensions } = fromBinary(ListWasmExtensionResponseSchema, list);
const stored = new Map(extensions.map((extension) => [extension.fqn, extension]));

const routes = (router: ConnectRouter): unknown =>
  router.service(WasmExtensions, {
    getWasmExtension({ fqn }) {
      const extension = stored.get(fqn);
      if (extension === undefined) {
        throw new ConnectError(`${fqn} does not exist`, Code.NotFound);
      }
      return extension;
    },
    listWasmExtension: () => ({ extensions: [...stored.values()] }),
    createWasmExtension({ parent, name, wasmExtension = create(WasmExtensionSchema) }) {
      const fqn = `${parent}/extensions/${name}`;
      const extension = Object.assign(wasmExtension, { fqn, etag: '"AAAAAAAAAAA="' });
      stored.set(fqn, extension);
      return extension;
    },
  });
const listener = connectNodeAdapter({
  routes: (router) => {
    routes(router);
  },
});
announce(http === "1" ? createHttp1Server(listener) : createHttp2Server(listener));
