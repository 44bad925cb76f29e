//! An EVM with one account that sends transactions.

use revm::{
    Context, ExecuteCommitEvm as _, ExecuteEvm as _, MainBuilder as _, MainContext as _,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::EthPrecompiles,
    precompile::{PrecompileSpecId, Precompiles, u64_to_address},
    primitives::{Address, Bytes, Log, TxKind, U256, hardfork::SpecId},
    state::AccountInfo,
};

use crate::{Arg, Artifact, Words, artifact::error_name, kebab};

/// Who sends the transactions.
pub const SENDER: Address = Address::repeat_byte(0x11);
/// Another account, which deployed nothing.
pub const STRANGER: Address = Address::repeat_byte(0x22);

/// Contracts, their storage, and the time of the next block.
#[derive(Clone, Debug)]
pub struct Chain {
    db: CacheDB<EmptyDB>,
    spec: SpecId,
    /// The block's timestamp, in Unix seconds.
    pub now: u64,
    /// The precompiles, if they are not those of the rules.
    precompiles: Option<&'static Precompiles>,
}

/// How a transaction ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What was returned, or the data of the revert; a halt, such as one for lack of gas, is an empty revert.
    pub result: Result<Bytes, Bytes>,
    /// What the sender pays for: execution and calldata with their refunds, or the floor of EIP-7623 if that is more.
    pub gas: u64,
    /// The floor of EIP-7623.
    pub floor: u64,
    /// Gas of the transaction without the floor.
    pub spent: u64,
    /// The events.
    pub logs: Vec<Log>,
}

impl Outcome {
    /// The name of the error, as the shared codes are written; None if the call succeeded.
    pub fn code(&self) -> Option<String> {
        self.result
            .as_ref()
            .err()
            .map(|data| kebab(&error_name(data)))
    }

    /// The returned words of a call that must have succeeded.
    pub fn words(&self) -> Words {
        match &self.result {
            Ok(bytes) => Words::new(bytes),
            Err(_) => panic!("reverted: {:?}", self.code()),
        }
    }
}

impl Chain {
    /// An empty chain under the rules of Osaka.
    pub fn new(now: u64) -> Self {
        Self::with_rules(SpecId::OSAKA, now)
    }

    /// An empty chain under other rules.
    pub fn with_rules(spec: SpecId, now: u64) -> Self {
        let mut db = CacheDB::new(EmptyDB::new());
        for account in [SENDER, STRANGER] {
            db.insert_account_info(account, AccountInfo::from_balance(U256::MAX >> 1));
        }
        Self {
            db,
            spec,
            now,
            precompiles: None,
        }
    }

    /// Takes a precompile away, as on a chain that never had it.
    pub fn remove_precompile(&mut self, number: u64) {
        let all = Precompiles::new(PrecompileSpecId::from_spec_id(self.spec));
        let mut rest = Precompiles::default();
        rest.extend(
            all.inner()
                .values()
                .filter(|p| *p.address() != u64_to_address(number))
                .cloned(),
        );
        assert_eq!(rest.len() + 1, all.len());
        // As long-lived as the machine wants it: a few in a test.
        self.precompiles = Some(Box::leak(Box::new(rest)));
    }

    fn run(&mut self, tx: TxEnv, commit: bool) -> Outcome {
        let (spec, now) = (self.spec, self.now);
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(spec);
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| {
                block.timestamp = U256::from(now);
                block.gas_limit = u64::MAX;
            })
            .build_mainnet();
        if let Some(precompiles) = self.precompiles {
            evm.precompiles = EthPrecompiles { precompiles, spec };
        }
        let result = if commit {
            evm.transact_commit(tx).expect("a valid transaction")
        } else {
            evm.transact(tx).expect("a valid transaction").result
        };
        let gas = *result.gas();
        let logs = result.logs().to_vec();
        let result = match result {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            ExecutionResult::Revert { output, .. } => Err(output),
            ExecutionResult::Halt { .. } => Err(Bytes::new()),
        };
        Outcome {
            result,
            gas: gas.tx_gas_used(),
            floor: gas.floor_gas(),
            spent: gas.spent_sub_refunded(),
            logs,
        }
    }

    fn tx(from: Address, kind: TxKind, data: Vec<u8>, value: U256, gas_limit: u64) -> TxEnv {
        TxEnv::builder()
            .caller(from)
            .kind(kind)
            .data(data.into())
            .value(value)
            .gas_limit(gas_limit)
            .build()
            .expect("a transaction")
    }

    /// Deploys a contract.
    pub fn try_deploy(&mut self, artifact: &Artifact, args: &[Arg]) -> Result<Address, Outcome> {
        let code = [artifact.creation_code(), Arg::encode(args)].concat();
        let nonce = self.db.load_account(SENDER).expect("the sender").info.nonce;
        let tx = Self::tx(SENDER, TxKind::Create, code, U256::ZERO, 16_000_000);
        let outcome = self.run(tx, true);
        match outcome.result {
            Ok(_) => Ok(SENDER.create(nonce)),
            Err(_) => Err(outcome),
        }
    }

    /// Deploys a contract that must be deployable.
    pub fn deploy(&mut self, name: &str, args: &[Arg]) -> Address {
        self.try_deploy(&Artifact::read(name), args)
            .unwrap_or_else(|outcome| panic!("{name}: {:?}", outcome.code()))
    }

    /// What deploying costs.
    pub fn deployment_gas(&self, name: &str, args: &[Arg]) -> u64 {
        let code = [Artifact::read(name).creation_code(), Arg::encode(args)].concat();
        let tx = Self::tx(SENDER, TxKind::Create, code, U256::ZERO, 16_000_000);
        self.clone().run(tx, false).gas
    }

    /// Calls without leaving a trace.
    pub fn call(&self, to: Address, data: &[u8]) -> Outcome {
        self.call_with_gas(to, data, 16_000_000)
    }

    /// Calls with this much gas, without leaving a trace.
    pub fn call_with_gas(&self, to: Address, data: &[u8], gas_limit: u64) -> Outcome {
        let tx = Self::tx(
            SENDER,
            TxKind::Call(to),
            data.to_vec(),
            U256::ZERO,
            gas_limit,
        );
        self.clone().run(tx, false)
    }

    /// Sends a transaction.
    pub fn send(&mut self, from: Address, to: Address, data: &[u8]) -> Outcome {
        self.pay(from, to, data, 0)
    }

    /// Sends a transaction with native coin, in wei.
    pub fn pay(&mut self, from: Address, to: Address, data: &[u8], wei: u128) -> Outcome {
        let tx = Self::tx(
            from,
            TxKind::Call(to),
            data.to_vec(),
            U256::from(wei),
            16_000_000,
        );
        self.run(tx, true)
    }

    /// Sends a transaction with this much gas.
    pub fn send_with_gas(&mut self, to: Address, data: &[u8], gas_limit: u64) -> Outcome {
        let tx = Self::tx(
            SENDER,
            TxKind::Call(to),
            data.to_vec(),
            U256::ZERO,
            gas_limit,
        );
        self.run(tx, true)
    }

    /// The code at an address.
    pub fn code(&self, at: Address) -> Vec<u8> {
        let hash = self.db.cache.accounts[&at].info.code_hash;
        self.db.cache.contracts[&hash]
            .original_byte_slice()
            .to_vec()
    }

    /// The whole storage of a contract, without zeros.
    pub fn storage(&self, of: Address) -> std::collections::BTreeMap<U256, U256> {
        self.db.cache.accounts[&of]
            .storage
            .iter()
            .filter(|(_, value)| !value.is_zero())
            .map(|(slot, value)| (*slot, *value))
            .collect()
    }
}
