import { getOption } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "vitest";
import { type NameKind, nameForms } from "../../src/catalog/names/forms.ts";
import { namedFields } from "../../src/catalog/rules/remedies.ts";
import { apiRegistry } from "../support/proto-files.ts";

/** The patterns of all fields of the API, by full name. */
const patterns = new Map<string, string>(
  [...apiRegistry].flatMap((desc) =>
    desc.kind !== "message"
      ? []
      : desc.fields.flatMap((field) => {
          const { type } = getOption(field, fieldRules);
          const pattern = type.case === "string" ? type.value.pattern : "";
          return pattern === "" ? [] : [[`${desc.typeName}.${field.name}`, pattern] as const];
        }),
  ),
);

test.each([...namedFields])("%s has the pattern of a name of the kind %s", (field, kind) => {
  expect(patterns.get(field)).toBe(nameForms[kind].pattern);
});

test("every field whose pattern is that of a name is known as one", () => {
  const forms = new Set(Object.values(nameForms).map(({ pattern }) => pattern));
  // A namespace of Kubernetes looks like one of our names, and is none.
  const named = [...patterns].filter(([field, pattern]) => {
    return forms.has(pattern) && field !== "wasmext.v1.WorkloadSelector.namespace";
  });
  expect(new Set(named.map(([field]) => field))).toEqual(new Set(namedFields.keys()));
});

describe("a name of the kind", () => {
  const workspace = "organizations/o/tenants/t/workspaces/w";
  const gateway = `${workspace}/gatewaygroups/g/ingressgateways/i`;
  const all = {
    "organizations/o": ["organization", "watchable", "parent", "exportable"],
    "organizations/o/tenants/t": ["tenant", "watchable", "parent", "exportable"],
    "organizations/o/extensions/e": ["extension"],
    [workspace]: ["parent", "exportable"],
    [`${workspace}/gatewaygroups/g`]: ["parent", "exportable"],
    [`${workspace}/securitygroups/g`]: ["target", "parent", "exportable"],
    [gateway]: ["target", "exportable"],
    [gateway.replace("ingress", "egress")]: ["target", "exportable"],
    [`${gateway}/`]: [],
    [`/${gateway}`]: [],
    "organizations/O": [],
    [`organizations/${"a".repeat(64)}`]: [],
    "organizations/-o": [],
    "o-1": ["name"],
  } satisfies Record<string, NameKind[]>;
  const kinds = Object.keys(nameForms) as NameKind[];

  test.each(Object.entries(all))("%s is one of %j", (name, expected) => {
    const matching = kinds.filter((kind) => new RegExp(nameForms[kind].pattern).test(name));
    expect(matching.toSorted()).toEqual(expected.toSorted());
  });
});
