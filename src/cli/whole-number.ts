import { InvalidArgumentError } from "commander";

/** Makes a parser of whole numbers. */
export function wholeNumber(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > greatest) {
      throw new InvalidArgumentError(`It has to be a whole number from ${least} to ${greatest}.`);
    }
    return value;
  };
}
