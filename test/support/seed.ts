/* The examples of the API page as they are printed there. */

/** An extension whose module is an OCI image, for one tenant. */
export const seedOci = `apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata:
  organization: org
  name: wasm-auth
spec:
  allowedIn:
    - organizations/org/tenants/tenant1
  url: oci://docker.io/example/my-wasm-extension:1.0
  source: https://github.com/example/wasm-extension
  description: |
    Long description for the extension such as an
    entire README file
  phase: AUTHZ
  priority: 1000
  config:
    some_key: some_value
`;

/** An extension whose module is at an HTTP endpoint. */
export const seedHttp = `apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata:
  organization: org
  name: wasm-http
spec:
  url: http://tetrate.io/my-extension.wasm
  source: https://github.com/example/wasm-extension
  description: |
    Long description for the extension such as an
    entire README file
  phase: AUTHZ
  priority: 1000
  config:
    some_key: some_value
`;

/** The fqns of the examples' extensions. */
export const seedAuth = "organizations/org/extensions/wasm-auth";
export const seedHttpFqn = "organizations/org/extensions/wasm-http";

/** A gateway of the tenant that may use both of the examples. */
export const seedGateway =
  "organizations/org/tenants/tenant1/workspaces/w/gatewaygroups/g/ingressgateways/web";

/** Attaches both of the examples to that gateway. */
export const seedAttachments = `apiVersion: wasmext/v1
kind: AttachmentSet
metadata:
  fqn: ${seedGateway}
spec:
  workloadSelector:
    namespace: web
    labels:
      app: ingress
  extension:
    - fqn: ${seedHttpFqn}
    - fqn: ${seedAuth}
      config:
        some_key: for this gateway
`;
