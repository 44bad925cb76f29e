// How long one verification takes, of one feed out of twelve: npm run bench
import { Verifier } from "../src/index.js";
import { vector } from "./support/files.js";
import type { UpdateVector } from "./support/vector-files.js";

const RUNS = 300;

for (const name of ["tree-00012-middle", "secp256k1-tree-00012-middle"]) {
  const file = vector<UpdateVector>(`update/valid/${name}.json`);
  const verifier = new Verifier({ networkId: file.network_id, groupKeys: file.group_keys });
  const update = Buffer.from(file.update, "hex");
  for (const call of ["verify", "verifyAsync"] as const) {
    // The first runs compile and make tables.
    for (let run = 0; run < RUNS; run++) await verifier[call](update);
    const start = performance.now();
    for (let run = 0; run < RUNS; run++) await verifier[call](update);
    const micros = ((performance.now() - start) * 1000) / RUNS;
    console.log(`${name}, ${call}: ${micros.toFixed(0)} us`);
  }
}
