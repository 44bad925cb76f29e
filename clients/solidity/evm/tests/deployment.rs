//! What is deployed is what is committed, and it can do what its sources say and nothing else.

use std::collections::BTreeSet;

use revm::bytecode::opcode;
use touchstone_solidity_tests::{Arg, Artifact, Chain, Committee4, Oracle, feed_word};
use touchstone_types::{Digest, NetworkId};

/// The operations of a contract's code, without what they push and without the compiler's metadata at the end, whose length is
/// in the last two bytes ("Contract Metadata", Solidity).
fn operations(code: &[u8]) -> BTreeSet<u8> {
    let (rest, length) = code.split_at(code.len() - 2);
    let metadata = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let code = &rest[..rest.len() - metadata];
    let (mut out, mut at) = (BTreeSet::new(), 0);
    while at < code.len() {
        out.insert(code[at]);
        if (opcode::PUSH1..=opcode::PUSH32).contains(&code[at]) {
            at += usize::from(code[at] - opcode::PUSH1) + 1;
        }
        at += 1;
    }
    out
}

const NETWORK: NetworkId = NetworkId(Digest([9; 32]));

#[test]
fn the_code_on_the_chain_is_the_artifacts_with_the_immutables_filled_in() {
    let key = Committee4::generate(61).group_key();
    let mut chain = Chain::new(0);
    let oracle = Oracle::deploy(&mut chain, NETWORK, &key, 1_000).address;
    let args = [
        Arg::Word(oracle.into_word().0),
        feed_word("BTC-USD"),
        Arg::uint(8),
        Arg::uint(1_000),
        Arg::uint(0),
    ];
    let feed = chain.deploy("TouchstoneFeed", &args);
    for (name, address) in [("TouchstoneOracle", oracle), ("TouchstoneFeed", feed)] {
        let artifact = Artifact::read(name);
        let deployed = chain.code(address);
        assert_ne!(deployed, artifact.runtime_code());
        assert_eq!(
            artifact.without_immutables(&deployed),
            artifact.runtime_code(),
            "{name}"
        );
    }
    // With other parameters the code differs in the immutables alone.
    let other = Oracle::deploy(&mut chain, NetworkId(Digest([8; 32])), &key, 7).address;
    let artifact = Artifact::read("TouchstoneOracle");
    assert_ne!(chain.code(other), chain.code(oracle));
    assert_eq!(
        artifact.without_immutables(&chain.code(other)),
        artifact.runtime_code()
    );
}

#[test]
fn the_contracts_call_nobody_and_cannot_be_replaced() {
    let never = [
        opcode::CALL,
        opcode::CALLCODE,
        opcode::DELEGATECALL,
        opcode::CREATE,
        opcode::CREATE2,
        opcode::SELFDESTRUCT,
        opcode::TSTORE,
        opcode::ORIGIN,
        opcode::CALLER,
    ];
    for name in ["TouchstoneOracle", "TouchstoneFeed"] {
        let operations = operations(&Artifact::read(name).runtime_code());
        for operation in never {
            assert!(
                !operations.contains(&operation),
                "{name} has {operation:#x}"
            );
        }
    }
    // The feed stores nothing, and the oracle does: what is looked for is found where it is.
    let has =
        |name, operation| operations(&Artifact::read(name).runtime_code()).contains(&operation);
    assert!(has("TouchstoneOracle", opcode::SSTORE) && !has("TouchstoneFeed", opcode::SSTORE));
    assert!(has("ExampleVault", opcode::CALL) && has("ExampleVault", opcode::CALLER));
}

#[test]
fn two_functions_change_storage() {
    assert_eq!(
        Artifact::read("TouchstoneOracle").mutating(),
        ["update", "updateAndRead"]
    );
    assert!(Artifact::read("TouchstoneFeed").mutating().is_empty());
}
