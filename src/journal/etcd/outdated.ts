/** Is raised when the catalog has to be loaded anew. */
export class Outdated extends Error {
  override readonly name: string = "Outdated";
  /** The revision from which on it can be loaded; 0 if any will do. */
  readonly oldest: bigint;

  constructor(message: string, oldest = 0n) {
    super(message);
    this.oldest = oldest;
  }
}

/** Is raised when etcd no longer has the history that was followed. The catalog then gets a new incarnation. */
export class Diverged extends Outdated {
  override readonly name = "Diverged";
}
