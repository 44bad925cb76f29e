//! The virtual machine, and the transactions that are sent to it.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use agave_feature_set::FeatureSet;
use litesvm::{LiteSVM, types::TransactionMetadata};
use solana_account::Account;
use solana_address::Address;
use solana_clock::Clock;
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;
use touchstone_solana::{
    AccountView, Error, Feed, Pin, Policy, Price,
    account::{CONFIG_BYTES, PRICE_BYTES},
    get_price, instruction, signature,
};

use crate::sha256;

/// The largest transaction that the network carries, in bytes.
pub const PACKET_BYTES: usize = 1_232;

/// Where the oracle stands in these tests.
pub const PROGRAM: Address = Address::new_from_array([0x77; 32]);
/// Where the example stands.
pub const EXAMPLE: Address = Address::new_from_array([0x78; 32]);

/// The Ed25519 program.
pub const ED25519: Address = Address::new_from_array(signature::ED25519_PROGRAM);
/// The instructions sysvar.
pub const INSTRUCTIONS: Address = Address::new_from_array(signature::INSTRUCTIONS_SYSVAR);
/// The system program.
pub const SYSTEM: Address = Address::new_from_array([0; 32]);

/// What became of a transaction.
pub type Outcome = Result<TransactionMetadata, TransactionError>;

/// A machine with mainnet's features, the programs and somebody who pays.
pub struct Vm {
    /// The machine.
    pub svm: LiteSVM,
    /// Pays for transactions and signs them.
    pub payer: Keypair,
}

/// A compiled program: those that were just built if TOUCHSTONE_SOLANA_PROGRAMS names their folder, else the committed ones.
pub fn program_file(name: &str) -> Vec<u8> {
    let folder = env::var_os("TOUCHSTONE_SOLANA_PROGRAMS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../artifacts"),
        PathBuf::from,
    );
    let path = folder.join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The error of an instruction.
pub fn refused(instruction: u8, error: Error) -> TransactionError {
    custom(instruction, error.number())
}

/// The error of an instruction by number.
pub fn custom(instruction: u8, number: u32) -> TransactionError {
    TransactionError::InstructionError(instruction, InstructionError::Custom(number))
}

impl Default for Vm {
    fn default() -> Self {
        Self::with_features(LiteSVM::mainnet_feature_set())
    }
}

impl Vm {
    /// A machine with these features of the runtime.
    pub fn with_features(features: FeatureSet) -> Self {
        // As `LiteSVM::new` does it, without the token programs, which take most of the time.
        let mut svm = LiteSVM::default()
            .with_feature_set(features)
            .with_builtins()
            .with_lamports(u64::MAX / 2)
            .with_sysvars()
            .with_feature_accounts()
            .with_sigverify(true)
            .with_blockhash_check(true)
            .with_precompiles()
            .with_transaction_history(0);
        let oracle = program_file("touchstone_oracle.so");
        svm.add_program(PROGRAM, &oracle).expect("the oracle loads");
        let example = program_file("touchstone_example.so");
        svm.add_program(EXAMPLE, &example)
            .expect("the example loads");
        let payer = Keypair::new_from_array([9; 32]);
        svm.airdrop(&payer.pubkey(), 1_000_000_000_000)
            .expect("lamports");
        Self { svm, payer }
    }

    /// Sets the cluster's clock, in Unix seconds.
    pub fn set_clock(&mut self, unix_timestamp: i64) {
        let clock = Clock {
            unix_timestamp,
            ..self.svm.get_sysvar()
        };
        self.svm.set_sysvar(&clock);
    }

    /// The transaction of these instructions, in order.
    pub fn transaction(&self, instructions: &[Instruction]) -> Transaction {
        let message = Message::new(instructions, Some(&self.payer.pubkey()));
        Transaction::new(&[&self.payer], message, self.svm.latest_blockhash())
    }

    /// Sends the instructions in one transaction.
    ///
    /// # Errors
    /// What the machine says; nothing has changed then.
    pub fn send(&mut self, instructions: &[Instruction]) -> Outcome {
        self.send_with(instructions, &[])
    }

    /// The same with more signers than the one who pays.
    ///
    /// # Errors
    /// What the machine says; nothing has changed then.
    pub fn send_with(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Outcome {
        let signers = [&[&self.payer], signers].concat();
        let message = Message::new(instructions, Some(&self.payer.pubkey()));
        let transaction = Transaction::new(&signers, message, self.svm.latest_blockhash());
        self.svm.send_transaction(transaction).map_err(|failed| {
            // Shown if the test fails.
            println!("{}: {}", failed.err, failed.meta.pretty_logs());
            failed.err
        })
    }

    /// Whether the network would carry them in one transaction.
    pub fn fits(&self, instructions: &[Instruction]) -> bool {
        self.size(instructions) <= PACKET_BYTES
    }

    /// Length of the transaction of these instructions in bytes.
    pub fn size(&self, instructions: &[Instruction]) -> usize {
        let transaction = self.transaction(instructions);
        1 + 64 * transaction.signatures.len() + transaction.message_data().len()
    }

    /// Sends lamports for an account of this length.
    pub fn fund(&self, to: Address, bytes: usize) -> Instruction {
        let lamports = self.svm.minimum_balance_for_rent_exemption(bytes);
        transfer(&self.payer.pubkey(), &to, lamports)
    }

    /// Pins a network, and returns the config's address.
    pub fn pin(&mut self, network: &[u8; 32], key: &[u8; 32]) -> Address {
        let config = config_address(network, key);
        if self.svm.get_account(&config).is_none() {
            let fund = self.fund(config, CONFIG_BYTES);
            self.send(&[fund, initialize(config, network, key)])
                .expect("a config");
        }
        config
    }

    /// Creates a feed's price account, and returns its address.
    pub fn create(&mut self, config: Address, feed: &[u8; 32]) -> Address {
        let price = price_address(&config, feed);
        let feed = Feed::from_bytes(*feed).expect("a feed");
        if self.svm.get_account(&price).is_none() {
            let fund = self.fund(price, PRICE_BYTES);
            self.send(&[fund, create(price, config, &feed)])
                .expect("a price account");
        }
        price
    }

    /// Reads a price as a consumer does.
    ///
    /// # Errors
    /// What the reader refuses.
    pub fn read(&self, config: Address, feed: &Feed, policy: &Policy) -> Result<Price, Error> {
        let address = price_address(&config, feed.as_bytes());
        let account = self.svm.get_account(&address).unwrap_or_default();
        read(&address, &account, config, feed, policy)
    }
}

/// Reads a price from an account.
///
/// # Errors
/// What the reader refuses.
pub fn read(
    address: &Address,
    account: &Account,
    config: Address,
    feed: &Feed,
    policy: &Policy,
) -> Result<Price, Error> {
    let pin = Pin {
        program: PROGRAM.to_bytes(),
        config: config.to_bytes(),
    };
    let view = AccountView {
        address: address.as_array(),
        owner: account.owner.as_array(),
        data: &account.data,
    };
    get_price(view, &pin, feed, policy, &sha256)
}

/// Units that each invocation of a program took, in the order in which they ended, of the machine's log.
pub fn units(meta: &TransactionMetadata, program: &Address) -> Vec<u64> {
    let start = format!("Program {program} consumed ");
    let lines = meta.logs.iter();
    let mut units: BTreeMap<usize, u64> = BTreeMap::new();
    for (i, rest) in lines.enumerate() {
        if let Some(rest) = rest.strip_prefix(&start) {
            let number = rest.split(' ').next().and_then(|n| n.parse().ok());
            units.insert(i, number.expect("a number of units"));
        }
    }
    units.into_values().collect()
}

/// Address of a config.
pub fn config_address(network: &[u8; 32], key: &[u8; 32]) -> Address {
    Address::find_program_address(&instruction::config_seeds(network, key), &PROGRAM).0
}

/// Address of a price account.
pub fn price_address(config: &Address, feed: &[u8; 32]) -> Address {
    let seeds = instruction::price_seeds(config.as_array(), feed);
    Address::find_program_address(&seeds, &PROGRAM).0
}

/// `INITIALIZE`.
pub fn initialize(config: Address, network: &[u8; 32], key: &[u8]) -> Instruction {
    let mut data = vec![instruction::INITIALIZE];
    data.extend_from_slice(network);
    data.extend_from_slice(key);
    let accounts = vec![
        AccountMeta::new(config, false),
        AccountMeta::new_readonly(SYSTEM, false),
    ];
    Instruction::new_with_bytes(PROGRAM, &data, accounts)
}

/// `CREATE`.
pub fn create(price: Address, config: Address, feed: &Feed) -> Instruction {
    let accounts = vec![
        AccountMeta::new(price, false),
        AccountMeta::new_readonly(config, false),
        AccountMeta::new_readonly(SYSTEM, false),
    ];
    Instruction::new_with_bytes(PROGRAM, &instruction::create(feed), accounts)
}

/// `UPDATE`.
pub fn update(config: Address, prices: &[Address], update: &[u8]) -> Instruction {
    let mut accounts = vec![
        AccountMeta::new_readonly(config, false),
        AccountMeta::new_readonly(INSTRUCTIONS, false),
    ];
    accounts.extend(prices.iter().map(|price| AccountMeta::new(*price, false)));
    let data = [&[instruction::UPDATE], update].concat();
    Instruction::new_with_bytes(PROGRAM, &data, accounts)
}

/// A transfer to nobody in particular: an instruction that does nothing here.
pub fn system_transfer(vm: &Vm, lamports: u64) -> Instruction {
    transfer(&vm.payer.pubkey(), &vm.payer.pubkey(), lamports)
}

/// An instruction of the Ed25519 program.
pub fn ed25519(data: &[u8]) -> Instruction {
    Instruction::new_with_bytes(ED25519, data, vec![])
}

/// The instruction of the Ed25519 program that goes with an update; of bytes that hold no signature, one over nothing much.
pub fn precompile(key: &[u8; 32], update: &[u8]) -> Instruction {
    let (signature, digest) = instruction::signed(update, &sha256).unwrap_or(([0; 64], [0; 32]));
    ed25519(&signature::instruction_data(key, &signature, &digest))
}
