import { Command, InvalidArgumentError, Option } from "commander";
import { importJWK, type JWTPayload, SignJWT } from "jose";
import { isPermission, problemOfResource } from "../../auth/grants.ts";
import { type Grant, permissions } from "../../catalog/access/principal.ts";
import { duration } from "../duration.ts";
import type { Shell } from "../shell.ts";
import { printable } from "../text.ts";
import { algorithm, fileNames, tryoutKeyIn } from "../tryout-key.ts";

interface TokenOptions {
  readonly dir: string;
  readonly name: string;
  readonly grant: readonly Grant[];
  readonly group: readonly string[];
  readonly audience: string;
  readonly expiresIn: number;
}

/** The issuer of tokens that are for trying out alone, so that everyone can tell. */
const tryoutIssuer = "wasmext-tryout";

/** The longest life of a token for trying out, in seconds. */
const maxLifeSeconds = 30 * 86_400;

/** Builds the command `token`. */
export function tokenCommand(shell: Shell): Command {
  return new Command("token")
    .description("Print a token to try the server out with, signed by a key of your own.")
    .requiredOption("--dir <folder>", "folder of the key and the key set; made if there is none")
    .addOption(
      new Option("--name <name>", "name of the bearer (claim sub)")
        .makeOptionMandatory()
        .argParser(parseName),
    )
    .addOption(
      new Option("--grant <resource=permissions>", "what the bearer may do; repeatable")
        .default([], "none")
        .argParser(parseGrant),
    )
    .addOption(
      new Option("--group <name>", "name in the claim groups, for --grants of serve; repeatable")
        .default([], "none")
        .argParser((text, before: readonly string[]) => [...before, text]),
    )
    .addOption(
      new Option("--audience <name>", "audience of the token (claim aud)").default("wasmext"),
    )
    .addOption(
      new Option("--expires-in <duration>", "life of the token, such as 30m or 12h")
        .default(3_600, "1h")
        .argParser(duration(maxLifeSeconds)),
    )
    .addHelpText("after", examples)
    .action(async (options: TokenOptions) => {
      await shell.print(`${await signedToken(options)}\n`);
      const { dir, audience } = options;
      shell.say(
        printable(
          `For trying out, not for production: whoever reads ${dir}/${fileNames.key} can make such tokens. A server accepts them with --auth jwt --jwks ${dir}/${fileNames.keySet} --issuer ${tryoutIssuer} --audience ${audience}.`,
        ),
      );
    });
}

const examples = `
The token alone goes to standard output. The folder has the private key in ${fileNames.key}, and in ${fileNames.keySet} what a
server checks tokens with. All tokens of a folder are signed with its key, and are void without it.

Examples:
  wasmext token --dir tryout --name alice --grant organizations/org=READ,CREATE,WRITE,DELETE > alice.token
  wasmext serve --auth jwt --jwks tryout/${fileNames.keySet} --issuer ${tryoutIssuer} --audience wasmext
  wasmext whoami --token-file alice.token`;

async function signedToken({
  dir,
  name,
  grant,
  group,
  audience,
  expiresIn,
}: TokenOptions): Promise<string> {
  const { privateKey, keyId } = await tryoutKeyIn(dir);
  const claims: JWTPayload = {
    ...(group.length > 0 && { groups: group }),
    ...(grant.length > 0 && { "wasmext.grants": grant }),
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, kid: keyId, typ: "JWT" })
    .setIssuer(tryoutIssuer)
    .setSubject(name)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${expiresIn}s`)
    .sign(await importJWK(privateKey, algorithm));
}

function parseName(text: string): string {
  if (text.length === 0 || text.length > 256) {
    throw new InvalidArgumentError("It has to have 1 to 256 characters.");
  }
  return text;
}

function parseGrant(text: string, before: readonly Grant[]): Grant[] {
  const [resource = "", list = "", ...rest] = text.split("=");
  const permitted = list.split(",").filter(isPermission);
  const isGrant = problemOfResource(resource) === undefined && rest.length === 0;
  if (!isGrant || permitted.length !== list.split(",").length) {
    throw new InvalidArgumentError(
      `It has to be RESOURCE=PERMISSIONS, such as organizations/org=${permissions.join(",")}; organizations=READ is for all organizations.`,
    );
  }
  return [...before, { resource, permissions: permitted }];
}
