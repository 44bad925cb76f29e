// Compiles contracts/ and writes artifacts/, or compares: `node build.mjs [--check | --input]`.
//
// --check   compares artifacts/ byte for byte with what the sources give, and exits 1 at the first difference; compiles the
//           sources with the oldest compiler that their pragma allows, too
// --input   prints the compiler's standard JSON input, as block explorers take it to verify a deployment

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";
import floor from "solc-floor";

const root = dirname(fileURLToPath(import.meta.url));
const artifactsDirectory = join(root, "artifacts");

// Shanghai runs on every chain of the last years. The runs weigh a call against a byte of deployment: prices are read often.
const settings = {
  evmVersion: "shanghai",
  viaIR: true,
  optimizer: { enabled: true, runs: 1_000_000 },
  metadata: { bytecodeHash: "ipfs" },
};

/** Every file below a directory with this ending, by its path from the root. */
function files(directory, ending) {
  return readdirSync(join(root, directory), { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${directory}/${name.replaceAll("\\", "/")}`)
    .sort();
}

/** The example of the README as a source: it is compiled with the rest, and has no artifact. */
function readmeExample() {
  const text = readFileSync(join(root, "README.md"), "utf8");
  const example = text.match(/```solidity\n([^`]*)```/);
  if (example === null) throw new Error("README.md has no example");
  const head = `// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;
import {FreshPrice, ITouchstoneOracle, TouchstoneConsumer} from "contracts/examples/TouchstoneConsumer.sol";
`;
  return { "README.md": { content: head + example[1] } };
}

function input(more = {}) {
  const sources = files("contracts", ".sol").map((path) => [path, { content: readFileSync(join(root, path), "utf8") }]);
  const outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences", "storageLayout"];
  return {
    language: "Solidity",
    sources: { ...Object.fromEntries(sources), ...more },
    settings: { ...settings, outputSelection: { "*": { "*": outputs, "": ["ast"] } } },
  };
}

/** The names of all immutables, by the ids that the compiler knows them by. */
function immutableNames(output) {
  const names = new Map();
  const visit = (node) => {
    if (node === null || typeof node !== "object") return;
    if (node.nodeType === "VariableDeclaration" && node.mutability === "immutable") names.set(String(node.id), node.name);
    Object.values(node).forEach(visit);
  };
  Object.values(output.sources).forEach(({ ast }) => visit(ast));
  return names;
}

/** What a compiler makes of the sources. A warning is as bad as an error: nobody reads them otherwise. */
function run(compiler) {
  const output = JSON.parse(compiler.compile(JSON.stringify(input(readmeExample()))));
  const complaints = output.errors ?? [];
  if (complaints.length > 0) {
    throw new Error(complaints.map((complaint) => complaint.formattedMessage).join("\n"));
  }
  return output;
}

/** Artifacts by their path, of every contract and interface; libraries are internal and have none of their own. */
function compile() {
  const output = run(solc);
  const artifacts = new Map();
  const names = immutableNames(output);
  for (const [sourceName, contracts] of Object.entries(output.contracts)) {
    if (sourceName.includes("/libraries/") || sourceName === "README.md") continue;
    for (const [contractName, contract] of Object.entries(contracts)) {
      const { bytecode, deployedBytecode } = contract.evm;
      const artifact = {
        contractName,
        sourceName,
        compiler: { version: solc.version(), settings },
        abi: contract.abi,
        bytecode: bytecode.object,
        deployedBytecode: deployedBytecode.object,
        // Where the constructor writes its immutables into the code, as offsets of bytes.
        immutables: Object.fromEntries(
          Object.entries(deployedBytecode.immutableReferences ?? {}).map(([id, places]) => [names.get(id), places]),
        ),
        storageLayout: (contract.storageLayout?.storage ?? []).map(({ label, slot, offset }) => ({ label, slot, offset })),
      };
      // contracts/X.sol is artifacts/X.json, and contracts/test/Y.sol is artifacts/test/Y.json.
      const folder = dirname(sourceName).replace(/^contracts/, "artifacts");
      artifacts.set(`${folder}/${contractName}.json`, `${JSON.stringify(artifact, null, 2)}\n`);
    }
  }
  return artifacts;
}

function check(artifacts) {
  const kept = files("artifacts", ".json");
  const surplus = kept.filter((path) => !artifacts.has(path));
  if (surplus.length > 0) throw new Error(`not made from contracts/: ${surplus.join(", ")}`);
  for (const [path, text] of artifacts) {
    if (!kept.includes(path)) throw new Error(`${path} is missing`);
    if (readFileSync(join(root, path), "utf8") !== text) throw new Error(`${path} differs from what contracts/ gives`);
  }
}

function write(artifacts) {
  rmSync(artifactsDirectory, { recursive: true, force: true });
  for (const [path, text] of artifacts) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const mode = process.argv[2];
if (mode === "--input") {
  process.stdout.write(`${JSON.stringify(input(), null, 2)}\n`);
} else {
  const artifacts = compile();
  if (mode === "--check") {
    check(artifacts);
    run(floor);
  } else {
    write(artifacts);
  }
  for (const [path, text] of artifacts) {
    const bytes = JSON.parse(text).deployedBytecode.length / 2;
    console.log(`${basename(path, ".json")}: ${bytes} bytes of code`);
  }
}
