import { Option } from "commander";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";

const modes = {
  CLIENT: Mode.CLIENT,
  SERVER: Mode.SERVER,
  CLIENT_AND_SERVER: Mode.CLIENT_AND_SERVER,
} as const;

/** The name of a direction of traffic. */
export type ModeName = keyof typeof modes;

/** The option by which people choose a direction of traffic. */
export function modeOption(description: string): Option {
  return new Option("--mode <mode>", description).choices(Object.keys(modes));
}

/** The mode of a name; UNDEFINED for none. */
export function modeNamed(name: ModeName | undefined): Mode {
  return name === undefined ? Mode.UNDEFINED : modes[name];
}
