/** The form of a price update is wrong, or a leaf is not under the signed root. */
export type UpdateCode =
  | "truncated"
  | "trailing-bytes"
  | "unknown-version"
  | "unknown-suite"
  | "no-entries"
  | "leaf-order"
  | "leaf-index"
  | "path-length"
  | "invalid-leaf"
  | "inclusion";

/** Why bytes are not a price update that the pinned network signed. */
export type VerifyCode = UpdateCode | "wrong-network" | "unsupported-suite" | "bad-signature";

/** Why an authentic update gives no price under a policy. */
export type PolicyCode =
  | "no-feed"
  | "too-old"
  | "ahead-of-now"
  | "trade-too-old"
  | "too-few-observers"
  | "status"
  | "unavailable"
  | "not-newer"
  | "no-pair"
  | "not-around"
  | "other-update"
  | "gap";

/** Why a pin or a group key is refused. */
export type PinCode =
  | "bad-pin"
  | "bad-group-key"
  | "unsupported-suite"
  | "bad-epoch-signature"
  | "bad-member-signature";

/**
 * Every error of this package. Its `code` is stable and the same in every client of the project. Each class has its `name`
 * spelt out, because minifiers change the names of classes.
 */
export abstract class TouchstoneError extends Error {
  /** A stable name of what is wrong. */
  readonly code: string;

  protected constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Bytes are not a price update that the pinned network signed. */
export class VerifyError extends TouchstoneError {
  declare readonly code: VerifyCode;

  constructor(code: VerifyCode, message: string) {
    super(code, message);
  }

  override get name(): string {
    return "VerifyError";
  }
}

/** An authentic update that the caller's policy refuses. */
export class PolicyError extends TouchstoneError {
  declare readonly code: PolicyCode;

  constructor(code: PolicyCode, message: string) {
    super(code, message);
  }

  override get name(): string {
    return "PolicyError";
  }
}

/** A pin or a group key that must not be relied on. */
export class PinError extends TouchstoneError {
  declare readonly code: PinCode;

  constructor(code: PinCode, message: string) {
    super(code, message);
  }

  override get name(): string {
    return "PinError";
  }
}

/** The caller asks for something that cannot be: a policy without an age, an endpoint that is no URL, and the like. */
export class ConfigError extends TouchstoneError {
  declare readonly code: "config";

  constructor(message: string) {
    super("config", message);
  }

  override get name(): string {
    return "ConfigError";
  }
}
