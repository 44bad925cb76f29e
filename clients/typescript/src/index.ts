export * from "./verifier-only.js";
export { type Around, type CallOptions, Client, type ClientOptions, type InstantConditions } from "./http/client.js";
export type { Fetch } from "./http/endpoint.js";
export { AllFailedError, AnswerError, type EndpointError } from "./http/errors.js";
export type { WatchEvent, WatchOptions } from "./http/watch.js";
