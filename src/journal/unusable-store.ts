/** Is raised if a store cannot be opened; the message names it, what is wrong, and the remedy. */
export class UnusableStore extends Error {
  override readonly name = "UnusableStore";
}
