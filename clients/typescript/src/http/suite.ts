import type { Bytes } from "../bytes.js";
import { ConfigError } from "../errors.js";
import { SUITES, type SuiteName } from "../suite.js";
import type { VerifiedUpdate } from "../verified-update.js";
import type { Verifier } from "../verifier.js";
import { AnswerError } from "./errors.js";

/**
 * The suite to ask for by name: what the caller says, else the lowest that is pinned, unless that is Ed25519. Endpoints answer
 * in the network's first suite where none is named, so that most requests need no parameter.
 */
export function suiteToAsk(verifier: Verifier, said: SuiteName | undefined): SuiteName | undefined {
  if (said !== undefined) {
    if (SUITES.some((suite) => suite.name === said)) return said;
    throw new ConfigError(`suite: must be one of ${SUITES.map((suite) => suite.name).join(", ")}`);
  }
  const [lowest] = verifier.suites;
  return lowest === "ed25519" ? undefined : lowest;
}

/** The URL that asks for updates in this suite. */
export function inSuite(url: string, suite: SuiteName | undefined): string {
  return suite === undefined ? url : `${url}${url.includes("?") ? "&" : "?"}suite=${suite}`;
}

/** Verifies an update, and refuses an authentic one in another suite than was asked for. */
export async function verifyIn(
  verifier: Verifier,
  suite: SuiteName | undefined,
  bytes: Bytes,
): Promise<VerifiedUpdate> {
  const update = await verifier.verifyAsync(bytes);
  if (suite !== undefined && update.suite !== suite) {
    throw new AnswerError("other-suite", `asked for a signature in ${suite}, got one in ${update.suite}`);
  }
  return update;
}
