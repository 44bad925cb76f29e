export { Bracket, verifyAt } from "./bracket.js";
export { Decimal } from "./decimal.js";
export {
  ConfigError,
  type PinCode,
  PinError,
  type PolicyCode,
  PolicyError,
  TouchstoneError,
  type UpdateCode,
  type VerifyCode,
  VerifyError,
} from "./errors.js";
export { isFeedName } from "./feed.js";
export { GroupKey } from "./group-key.js";
export { Pin } from "./pin.js";
export { type Conditions, DEFAULT_MAX_SKEW_MS, type FreshPolicy, type InstantPolicy, type Policy } from "./policy.js";
export type { Statement } from "./statement.js";
export type { StatusName } from "./status.js";
export type { SuiteName } from "./suite.js";
export type { Uint } from "./uint.js";
export { type PriceFields, VerifiedPrice } from "./verified-price.js";
export { VerifiedUpdate } from "./verified-update.js";
export { type Pinned, Verifier } from "./verifier.js";
