// Whether code on a chain is a contract of ours, constructed with these values:
//
//   node check-deployment.mjs TouchstoneOracle networkId=0x.. groupKey=0x.. maxSkewMs=12000 < code.hex
//   node check-deployment.mjs TouchstoneFeed oracle=0x.. feed=BTC-USD decimals=8 maxAgeMs=60000 allowedStatus=0 < code.hex
//
// code.hex is what eth_getCode answers. Exits 0 if the code is the artifact's and every value is the one that was given, and 1
// at the first difference.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));

class Difference extends Error {}

/** A value as the 32 bytes of an immutable: a number, hexadecimal, or a feed's name. */
function word(name, text) {
  if (name === "feed") return Buffer.concat([Buffer.from(text, "ascii"), Buffer.alloc(32)]).subarray(0, 32);
  const digits = BigInt(text).toString(16);
  return Buffer.from(digits.padStart(64, "0"), "hex");
}

/** What the constructor made of the arguments that it got, by the names of the immutables. */
function expectations(args) {
  const values = new Map();
  for (const arg of args) {
    const [name, text] = arg.split("=");
    if (text === undefined) throw new Difference(`${arg}: must be NAME=VALUE`);
    if (name === "groupKey") {
      const key = Buffer.from(text.replace(/^0x/, ""), "hex");
      if (key.length !== 33) throw new Difference(`groupKey: ${key.length} bytes, must be 33`);
      values.set("_keyTag", word("_keyTag", key[0]));
      values.set("_keyX", word("_keyX", `0x${key.subarray(1).toString("hex")}`));
    } else {
      values.set(name, word(name, text));
    }
  }
  return values;
}

function check(contract, args, hex) {
  const artifact = JSON.parse(readFileSync(join(root, "artifacts", `${contract}.json`), "utf8"));
  const values = expectations(args);
  const code = Buffer.from(hex.trim().replaceAll('"', "").replace(/^0x/, ""), "hex");
  const wanted = Buffer.from(artifact.deployedBytecode, "hex");
  for (const [name, places] of Object.entries(artifact.immutables)) {
    const value = values.get(name);
    if (value === undefined) throw new Difference(`what ${name} must be was not given`);
    values.delete(name);
    for (const { start, length } of places) {
      const found = code.subarray(start, start + length);
      if (!found.equals(value.subarray(32 - length))) {
        throw new Difference(`${name} is 0x${found.toString("hex")}, must be 0x${value.toString("hex")}`);
      }
      value.copy(wanted, start, 32 - length);
    }
  }
  if (values.size > 0) throw new Difference(`${contract} has no ${[...values.keys()].join(", ")}`);
  if (!code.equals(wanted)) throw new Difference(`the code is not ${contract}'s`);
}

const [contract, ...args] = process.argv.slice(2);
try {
  check(contract, args, readFileSync(0, "utf8"));
  console.log(`${contract}: the code and every value are as stated`);
} catch (error) {
  if (!(error instanceof Difference)) throw error;
  console.error(`${contract}: ${error.message}`);
  process.exitCode = 1;
}
