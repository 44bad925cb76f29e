import { vector, vectors } from "./files.js";
import type { AllVectors } from "./run-vectors.js";
import type { PolicyFile } from "./vector-files.js";

/** Reads every vector that a client must run. */
export function allVectors(): AllVectors {
  return {
    valid: vectors("update/valid"),
    invalid: vectors("update/invalid"),
    keys: vector("group-keys.json"),
    policy: vector<PolicyFile>("policy.json"),
    goodPins: ["pin/network.json", "pin/two-epochs.json"].map((name) => [name, vector<object>(name)] as const),
    badPins: vectors("pin/invalid"),
  };
}
