import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { PACKAGE, required, VECTORS } from "./support/files.js";
import { btc, ROUND } from "./support/network.js";
import { json, latest, serve } from "./support/server.js";

const SAYS = "\nconsole.log(`BTC-USD ${price} [${low}, ${high}] round ${round}`);\n";
const URL_IN_EXAMPLE = '"https://prices.example.org"';

/** Runs the first example of the README as it stands there, but with this URL, in a folder with this pin, and says what it got. */
async function runExample(t: TestContext, url: string, pin: string): Promise<string> {
  const readme = readFileSync(`${PACKAGE}README.md`, "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? assert.fail("the README has an example");
  assert.ok(example.includes(URL_IN_EXAMPLE));
  assert.equal(example.split("\n").filter((line) => line !== "").length, 5);
  const folder = mkdtempSync(join(tmpdir(), "touchstone-readme-"));
  // Within the package, so that its own name is that of the built package.
  const script = join(PACKAGE, "build", `readme-${process.pid}-${Date.now()}.mjs`);
  t.after(() => {
    rmSync(folder, { recursive: true });
    rmSync(script);
  });
  copyFileSync(pin, join(folder, "network.json"));
  writeFileSync(script, example.replace(URL_IN_EXAMPLE, JSON.stringify(url)) + SAYS);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { cwd: folder, timeout: 20_000 });
  assert.equal(stderr, "");
  return stdout;
}

test("the README's example runs", async (t) => {
  const { url } = await serve(t, (_, response) => json(response, latest(btc(ROUND, Date.now()))));
  const said = await runExample(t, url, `${VECTORS}pin/network.json`);
  assert.equal(said, `BTC-USD 67000.00000000 [66999.99999995, 67000.00000005] round ${ROUND}\n`);
});

test("the README's example runs against an aggregator", async (t) => {
  const { TOUCHSTONE_URL: url, TOUCHSTONE_PIN: pin } = process.env;
  if (!url || !pin) {
    assert.ok(!required(), "TOUCHSTONE_URL and TOUCHSTONE_PIN name no aggregator, and TOUCHSTONE_REQUIRE wants one");
    t.skip("TOUCHSTONE_URL and TOUCHSTONE_PIN name no aggregator");
    return;
  }
  const said = await runExample(t, url, pin);
  t.diagnostic(said.trim());
  assert.match(said, /^BTC-USD -?\d+(\.\d+)? \[-?\d+(\.\d+)?, -?\d+(\.\d+)?\] round \d+\n$/);
});
