import { buildPath, type PathBuilder } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import {
  type WorkloadSelector,
  WorkloadSelectorSchema,
} from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { FieldProblem } from "../errors.ts";
import { fieldProblem } from "./field-problem.ts";

const validator = createValidator();

/** Longest DNS subdomain in Kubernetes, in characters. */
export const maxSubdomain = 253;

/**
 * Finds what the proto's rules leave open of a workload selector: the length of a label's prefix,
 * which no pattern bounds together with the length of its parts.
 *
 * @param at - where the selector is in the request
 */
export function problemsOfWorkloads({ labels }: WorkloadSelector, at: PathBuilder): FieldProblem[] {
  const field = at.clone().field(WorkloadSelectorSchema.field.labels);
  return Object.keys(labels)
    .filter((key) => key.lastIndexOf("/") > maxSubdomain)
    .map((key) => {
      const text = `has a key with a prefix of ${key.lastIndexOf("/")} characters, and Kubernetes allows ${maxSubdomain}; use a shorter one`;
      return fieldProblem(field.clone().map(key).toPath(), "label_prefix", text);
    });
}

/** Tells whether Kubernetes can have a workload selector. */
export function isWorkloadSelector(selector: WorkloadSelector): boolean {
  return (
    validator.validate(WorkloadSelectorSchema, selector).kind === "valid" &&
    problemsOfWorkloads(selector, buildPath(WorkloadSelectorSchema)).length === 0
  );
}
