/** A checkout that is measured. */
export interface Checkout {
  readonly root: string;
  /** The name of its figures. */
  readonly label: string;
}

/** The folder of this checkout. */
export const thisCheckout = new URL("..", import.meta.url).pathname;

/** The checkout that WASMEXT_ROOT names, if it does, and this one. */
export function checkouts(): Checkout[] {
  const other = process.env["WASMEXT_ROOT"];
  return [
    ...(other === undefined ? [] : [{ root: other, label: "before: " }]),
    { root: thisCheckout, label: other === undefined ? "" : "now: " },
  ];
}
