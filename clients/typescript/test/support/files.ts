import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** This package's folder. */
export const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));

/** The shared vectors' folder. */
export const VECTORS = fileURLToPath(new URL("../../../../../tests/vectors/", import.meta.url));

/** The JSON in a file of the vectors' folder. */
export function vector<T>(path: string): T {
  return JSON.parse(readFileSync(VECTORS + path, "utf8")) as T;
}

/** Every JSON file of a folder in the vectors' folder, by name. */
export function vectors<T>(folder: string): ReadonlyArray<readonly [name: string, value: T]> {
  const names = readdirSync(VECTORS + folder).sort();
  return names.map((name) => [name, vector<T>(`${folder}/${name}`)] as const);
}

/** Whether a test that lacks what it needs must fail. */
export function required(): boolean {
  return (process.env["TOUCHSTONE_REQUIRE"] ?? "").split(/[\s,]+/).includes("all");
}
