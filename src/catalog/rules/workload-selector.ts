import { buildPath } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import {
  type WorkloadSelector,
  WorkloadSelectorSchema,
} from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { FieldViolation } from "../errors.ts";
import { fieldViolation, type PathMaker } from "./field-violation.ts";

const validator = createValidator();

/** Longest DNS subdomain in Kubernetes, in characters. */
export const maxSubdomain = 253;

/**
 * Finds violations that the proto's rules cannot express: the length of a label's prefix as a whole.
 *
 * @param at - where the selector is in the request
 */
export function problemsOfWorkloads({ labels }: WorkloadSelector, at: PathMaker): FieldViolation[] {
  return Object.keys(labels)
    .filter((key) => key.lastIndexOf("/") > maxSubdomain)
    .map((key) => {
      const text = `has a key with a prefix of ${key.lastIndexOf("/")} characters, and Kubernetes allows ${maxSubdomain}; use a shorter one`;
      return fieldViolation(
        at().field(WorkloadSelectorSchema.field.labels).map(key).toPath(),
        "label_prefix",
        text,
      );
    });
}

/** Tells whether a workload selector is valid in Kubernetes. */
export function isWorkloadSelector(selector: WorkloadSelector): boolean {
  return (
    validator.validate(WorkloadSelectorSchema, selector).kind === "valid" &&
    problemsOfWorkloads(selector, () => buildPath(WorkloadSelectorSchema)).length === 0
  );
}
