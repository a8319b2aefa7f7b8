import { start, tail } from "./other-rows.ts";
import { create, get, http1, list } from "./unary-rows.ts";
import { memory, watch } from "./watch-rows.ts";

/** All rows, in the order in which they are measured. */
export const rows = [get, list, create, ...http1, watch, memory, start, tail];
