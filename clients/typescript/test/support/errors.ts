import { TouchstoneError } from "../../src/index.js";

/** The code of the error that `act` ends with; `ok` if it ends well. Errors of other kinds are thrown on. */
export async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return "ok";
  } catch (error) {
    if (error instanceof TouchstoneError) return error.code;
    throw error;
  }
}
