/*
 * The values of scalars. Some unquoted texts have different values in YAML 1.2 and in YAML 1.1, which
 * Kubernetes, PyYAML and Ruby read: 0755, 1_000, 1e3, yes, 2024-05-01. Such texts are refused as
 * ambiguous.
 */

/** The value of a scalar, or why it is refused. */
export type Meaning =
  | { readonly kind: "value"; readonly value: null | boolean | number | string }
  | { readonly kind: "unclear"; readonly problem: string };

/** The type of an unquoted text, in YAML 1.2 and in YAML 1.1. */
type PlainType = "null" | "boolean" | "number" | "string" | "timestamp" | "special";

const nulls = /^(?:~|null|Null|NULL)?$/;
const booleans = /^(?:true|True|TRUE|false|False|FALSE)$/;
const booleans11 = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;

/** Numbers that every parser reads as the same number. */
const sameNumbers =
  /^[-+]?(?:0|[1-9]\d*)$|^0x[\da-fA-F]+$|^(?:[-+]?\d+\.\d*|\.\d+)(?:[eE][-+]\d+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/;

const numbers12 =
  /^(?:[-+]?\d+|0o[0-7]+|0x[\da-fA-F]+|[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?)$/;

/**
 * Texts that some parser of YAML 1.1 reads as a number, after underscores are removed. Go accepts more
 * than YAML 1.1.
 */
const numbers11 =
  /^[-+]?(?:0[bB][-+]?[01]+|0[oO][0-7]+|0[xX][\da-fA-F]+|\d+(?::[0-5]?\d)*|(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|\d+(?::[0-5]?\d)+\.\d*)$/;

const timestamps =
  /^-?\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?[ \t]*(?:Z|[-+]\d{1,2}(?::?\d{2})?)?)?$/;

/** The texts with a special type in YAML 1.1: the default value, and the merge key. */
const specials = /^(?:=|<<)$/;

/** The value of an unquoted text. */
export function meaningOfPlain(text: string): Meaning {
  const type = type12(text);
  if (!isSame(text, type)) {
    return { kind: "unclear", problem: explainDifference(text, type) };
  }
  switch (type) {
    case "null":
      return { kind: "value", value: null };
    case "boolean":
      return { kind: "value", value: text.toLowerCase() === "true" };
    case "number":
      return meaningOfNumber(text);
    default:
      return { kind: "value", value: text };
  }
}

/** The value of a JSON number. */
export function meaningOfNumber(text: string): Meaning {
  const value = numberOf(text);
  if (!Number.isFinite(value)) {
    const problem = `${text} is not a JSON number; write a finite number, or put quotes around it`;
    return { kind: "unclear", problem };
  }
  if (isWhole(text) && decimalOf(value) !== bigIntOf(text)) {
    const problem = `${text} is too precise for a JSON number; put quotes around it to make it a string`;
    return { kind: "unclear", problem };
  }
  return { kind: "value", value };
}

/** Tells whether every parser reads an unquoted text as a string. */
export function isString(text: string): boolean {
  return isSame(text, "string") && type12(text) === "string";
}

function type12(text: string): PlainType {
  if (nulls.test(text)) {
    return "null";
  }
  if (booleans.test(text)) {
    return "boolean";
  }
  return numbers12.test(text) || sameNumbers.test(text) ? "number" : "string";
}

/** The type in YAML 1.1 of a text whose type differs between versions. */
function type11(text: string): PlainType {
  if (booleans11.test(text)) {
    return "boolean";
  }
  if (timestamps.test(text)) {
    return "timestamp";
  }
  if (specials.test(text)) {
    return "special";
  }
  return mayBeNumber(text) ? "number" : "string";
}

function isSame(text: string, type: PlainType): boolean {
  switch (type) {
    case "number":
      return sameNumbers.test(text);
    case "string":
      return type11(text) === "string";
    default:
      return true;
  }
}

function mayBeNumber(text: string): boolean {
  return /^[-+.\d]/.test(text) && numbers11.test(text.replaceAll("_", ""));
}

function explainDifference(text: string, type: PlainType): string {
  const quotes = "put quotes around it to make it a string";
  if (type === "number") {
    const isExponent = /^[-+]?(?:[\d.]+e[-+]?\d+|\.\d+)$/i.test(text);
    const remedy = isExponent
      ? "a point and a sign, as in 1.0e+3"
      : "digits without a leading zero";
    return `${text} is a number in YAML 1.2, and something else in YAML 1.1, which Kubernetes reads; write it with ${remedy}, or ${quotes}`;
  }
  const other = type11(text);
  switch (other) {
    case "boolean":
      return `${text} is a string in YAML 1.2, and a boolean in YAML 1.1, which Kubernetes reads; write true or false, or ${quotes}`;
    case "number":
      return `${text} is a string in YAML 1.2, and a number in YAML 1.1, which Kubernetes reads; write the number in digits alone, or ${quotes}`;
    case "timestamp":
      return `${text} is a string in YAML 1.2, and a time in YAML 1.1, which Kubernetes reads; ${quotes}`;
    default:
      return text === "<<"
        ? `<< merges in other versions of YAML; write the keys out, or ${quotes}`
        : `${text} has a meaning of its own in YAML 1.1, which Kubernetes reads; ${quotes}`;
  }
}

function numberOf(text: string): number {
  if (/^[-+]?\.[iI]/.test(text)) {
    return Infinity;
  }
  // An unsigned hexadecimal number, or a decimal one.
  return Number(text.replace(/^\+/, ""));
}

function isWhole(text: string): boolean {
  return /^(?:[-+]?\d+|0x[\da-fA-F]+)$/.test(text);
}

function bigIntOf(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text.replace(/^\+/, ""));
}

/** The whole number that a double is written as. */
function decimalOf(value: number): bigint {
  const [mantissa = "", exponent = ""] = value.toExponential().split("e");
  const [, fraction = ""] = mantissa.split(".");
  const zeros = Number(exponent) - fraction.length;
  return BigInt(mantissa.replace(".", "")) * 10n ** BigInt(Math.max(zeros, 0));
}
