/* How a proxy shows its token: filters of the cluster, so that streams and modules both carry it. */
import type { JsonObject } from "@bufbuild/protobuf";
import type { TokenSource } from "./proxy.ts";
import { typed } from "./typed.ts";

const secretName = "wasmext-token";

/** The filters of the cluster. */
export function tokenFilters(source: TokenSource): JsonObject[] {
  switch (source.kind) {
    case "none":
      return [];
    case "file":
      return [readingFilter(source.path)];
    default:
      return [injector];
  }
}

/** The secrets that the filters name; Envoy shows none of them in its configuration dump. */
export function tokenSecrets(source: TokenSource): JsonObject[] {
  switch (source.kind) {
    case "text":
      return [secretOf({ inline_string: source.token })];
    case "variable":
      return [secretOf({ environment_variable: source.name })];
    default:
      return [];
  }
}

function secretOf(secret: JsonObject): JsonObject {
  return { name: secretName, generic_secret: { secret } };
}

const injector: JsonObject = {
  name: "envoy.filters.http.credential_injector",
  typed_config: typed("envoy.extensions.filters.http.credential_injector.v3.CredentialInjector", {
    overwrite: true,
    credential: {
      name: "envoy.http.injected_credentials.generic",
      typed_config: typed("envoy.extensions.http.injected_credentials.generic.v3.Generic", {
        credential: { name: secretName },
        header_value_prefix: "Bearer ",
      }),
    },
  }),
};

/**
 * Reads the token for each stream and module. The injector follows a file only through a second one, and
 * only if the file is replaced by another; many programs write into the file that is there.
 */
function readingFilter(path: string): JsonObject {
  const script = `function envoy_on_request(request)
  local file = assert(io.open(${luaString(path)}))
  local token = file:read("*a"):gsub("%s+", "")
  file:close()
  request:headers():replace("authorization", "Bearer " .. token)
end
`;
  return {
    name: "envoy.filters.http.lua",
    typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
      default_source_code: { inline_string: script },
    }),
  };
}

/** A text as a string of Lua 5.1. */
function luaString(text: string): string {
  const escaped = text.replaceAll(
    /["\\\x00-\x1f\x7f]/g,
    (character) => `\\${String(character.charCodeAt(0)).padStart(3, "0")}`,
  );
  return `"${escaped}"`;
}
