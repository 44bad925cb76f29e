// Prints how long one verification with its price takes in the module that TOUCHSTONE_WASM names.
import { readFileSync } from "node:fs";

import { Touchstone } from "./touchstone.mjs";

const vectors = new URL("../../../tests/vectors/update/valid/", import.meta.url);
const touchstone = new Touchstone(new WebAssembly.Module(readFileSync(process.env.TOUCHSTONE_WASM)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const ROUNDS = 10;
const CALLS = 100;

for (const [suite, name] of [["ed25519", "tree-00012-middle"], ["secp256k1-keccak", "secp256k1-tree-00012-middle"]]) {
    const file = JSON.parse(readFileSync(new URL(`${name}.json`, vectors), "utf8"));
    const verifier = touchstone.pin(bytes(file.network_id), { [suite]: bytes(file.group_keys[suite]) });
    const update = bytes(file.update);
    const [{ feed }] = file.valid.entries;
    const policy = { nowMs: BigInt(file.valid.statement.timestamp_ms), maxAgeMs: 10000n };
    // The best of several: other programs only add to it.
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
        const start = performance.now();
        for (let call = 0; call < CALLS; call++) {
            const verified = touchstone.verify(verifier, update);
            touchstone.price(verified, feed, policy);
            touchstone.freeUpdate(verified);
        }
        best = Math.min(best, ((performance.now() - start) * 1000) / CALLS);
    }
    console.log(`${suite.padEnd(18)} ${String(update.length).padStart(4)} bytes ${best.toFixed(1).padStart(8)} us`);
    touchstone.freeVerifier(verifier);
}
