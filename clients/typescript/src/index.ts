export * from "./verifier-only.js";
