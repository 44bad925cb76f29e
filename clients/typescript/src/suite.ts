/** A signature suite of the group key. */
export type SuiteName = "ed25519" | "secp256k1-keccak";

/** What a suite looks like in bytes. */
export interface Suite {
  /** Its name in JSON. */
  readonly name: SuiteName;
  /** Its byte in a price update. */
  readonly byte: number;
  /** Length of a signature. */
  readonly signatureBytes: number;
  /** Length of a group key. */
  readonly keyBytes: number;
}

/** Every suite, in ascending order of its byte. */
export const SUITES: readonly Suite[] = [
  { name: "ed25519", byte: 1, signatureBytes: 64, keyBytes: 32 },
  { name: "secp256k1-keccak", byte: 2, signatureBytes: 96, keyBytes: 33 },
];
