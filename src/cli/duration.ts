import { InvalidArgumentError } from "commander";

/** The units of a duration, in seconds. */
const units: ReadonlyMap<string, number> = new Map([
  ["s", 1],
  ["m", 60],
  ["h", 3_600],
  ["d", 86_400],
]);

/** Makes a parser of durations such as 90s, 30m, 12h and 7d, which returns seconds. */
export function duration(mostSeconds: number): (text: string) => number {
  return (text) => {
    const [, digits = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
    const seconds = Number(digits) * (units.get(unit) ?? 0);
    if (seconds < 1 || seconds > mostSeconds) {
      throw new InvalidArgumentError(
        `It has to be a whole number of s, m, h or d, such as 30m, and at most ${mostSeconds / 86_400}d.`,
      );
    }
    return seconds;
  };
}
