/** The longest that a timer of Node can wait, in ms: a longer one would fire at once. */
export const maxDelayMs = 0x7fffffff;
