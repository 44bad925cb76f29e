import { PolicyError, TouchstoneError, VerifyError } from "../errors.js";

/** An endpoint's answer is of no use: it did not come, is not what the API says, or is not about what was asked. */
export class AnswerError extends TouchstoneError {
  /** The HTTP status, if the endpoint answered with an error. */
  readonly status: number | undefined;

  /**
   * @param code - `transport`, `too-long`, `malformed`, `other-feed`, `other-suite`, `no-next-yet`, or the code of an HTTP problem
   */
  constructor(code: string, message: string, options?: ErrorOptions & { readonly status?: number }) {
    super(code, message, options);
    this.status = options?.status;
  }

  override get name(): string {
    return "AnswerError";
  }
}

/** One endpoint and what is wrong with its answer. */
export interface EndpointError {
  /** The endpoint's base URL. */
  readonly endpoint: string;
  /** What is wrong: an {@link AnswerError}, a {@link VerifyError} or a {@link PolicyError}. */
  readonly error: TouchstoneError;
}

/**
 * Every endpoint failed, each for its own reason, in the order in which they were tried. `code` is that of the error that
 * says most: a policy's refusal of an authentic answer, then a forged answer, then the first one.
 */
export class AllFailedError extends TouchstoneError {
  /** Every endpoint's reason. */
  readonly errors: readonly EndpointError[];

  constructor(errors: readonly EndpointError[]) {
    const texts = errors.map(({ endpoint, error }) => `${endpoint}: ${error.message}`);
    const cause = mainCause(errors);
    super(cause?.code ?? "transport", `no endpoint gave a usable answer: ${texts.join("; ")}`, { cause });
    this.errors = errors;
  }

  override get name(): string {
    return "AllFailedError";
  }
}

function mainCause(errors: readonly EndpointError[]): TouchstoneError | undefined {
  const all = errors.map(({ error }) => error);
  return (
    all.find((error) => error instanceof PolicyError) ?? all.find((error) => error instanceof VerifyError) ?? all[0]
  );
}
