//! cosmwasm-vm: the virtual machine of the chains with the compiled contract, and the gas that it counts.
//!
//! Every call gets an instance of its own, as on a chain, and storage charges what a chain of the Cosmos SDK charges.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::PathBuf,
    sync::OnceLock,
};

use cosmwasm_std::{
    Addr, Binary, BlockInfo, Coin, ContractInfo, ContractInfoResponse, ContractResult, Empty, Env,
    MessageInfo, Order, Record, Response, SystemError, SystemResult, WasmQuery, to_json_binary,
};
use cosmwasm_vm::{
    Backend, BackendError, BackendResult, GasInfo, Instance, Size, Storage, VmResult, WasmLimits,
    call_execute, call_instantiate, call_query, capabilities_from_csv,
    internals::{Logger, check_wasm, compile_module, instance_from_module},
    testing::{MockApi, MockQuerier},
};
use touchstone_cosmwasm::msg::ExecuteMsg;
use wasmer::{Engine, Module, Store};

use crate::chain::{Admin, Chain, Refused, block_time, json};

/// CosmWasm gas in one unit of the Cosmos SDK's gas: wasmd's default multiplier.
pub const GAS_PER_SDK_GAS: u64 = 140_000;
/// The gas limit of one call: that of a whole block of 100 million on many chains.
const GAS_LIMIT: u64 = 100_000_000 * GAS_PER_SDK_GAS;
/// The memory that wasmd gives a contract.
const MEMORY: Size = Size::mebi(32);
/// What the chains of wasmd 0.61 offer to contracts.
const CAPABILITIES: &str =
    "iterator,staking,stargate,cosmwasm_1_1,cosmwasm_1_2,cosmwasm_1_3,cosmwasm_1_4,cosmwasm_2_0";

type Running = Instance<MockApi, SdkStorage, MockQuerier>;

/// The chain.
pub struct Vm {
    backend: Option<Backend<MockApi, SdkStorage, MockQuerier>>,
    now_ms: u64,
    contract: String,
    used: Gas,
}

/// What one call took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gas {
    /// In the virtual machine, in CosmWasm gas.
    pub vm: u64,
    /// In the chain's storage, in SDK gas.
    pub storage: u64,
}

impl Gas {
    /// The virtual machine's part in SDK gas, rounded up.
    pub fn vm_sdk(self) -> u64 {
        self.vm.div_ceil(GAS_PER_SDK_GAS)
    }
}

/// The compiled contract: what `build-wasm` wrote.
pub fn wasm() -> Vec<u8> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../artifacts/touchstone_cosmwasm.wasm");
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run ./build-wasm", path.display()))
}

/// The capabilities that the chain offers.
pub fn capabilities() -> HashSet<String> {
    capabilities_from_csv(CAPABILITIES)
}

/// Compiles the contract once, after the checks that a chain makes before it stores code.
fn module() -> (Module, Engine) {
    static MODULE: OnceLock<(Module, Engine)> = OnceLock::new();
    let compiled = MODULE.get_or_init(|| {
        let wasm = wasm();
        let limits = WasmLimits::default();
        check_wasm(&wasm, &capabilities(), &limits, Logger::Off).expect("a chain takes this code");
        compile_module(&wasm, Some(MEMORY)).expect("the code compiles")
    });
    compiled.clone()
}

/// The functions that the compiled contract exports, sorted: its entry points and what the virtual machine needs.
pub fn exports() -> Vec<String> {
    let (module, _) = module();
    let functions = module.exports().functions();
    let mut names: Vec<String> = functions.map(|e| e.name().to_owned()).collect();
    names.sort();
    names
}

/// The functions of the chain that the compiled contract imports, sorted.
pub fn imports() -> Vec<String> {
    let (module, _) = module();
    let mut names: Vec<String> = module.imports().map(|i| i.name().to_owned()).collect();
    names.sort();
    names
}

impl Vm {
    /// What the last call took.
    pub fn used(&self) -> Gas {
        self.used
    }

    /// Runs one call on an instance of its own. If it is refused the storage is as before.
    fn call<T>(
        &mut self,
        writes: bool,
        call: impl FnOnce(&mut Running, &Env) -> VmResult<ContractResult<T>>,
    ) -> Result<T, Refused> {
        let backend = self.backend.take().expect("no call is running");
        let before = backend.storage.data.clone();
        let (module, engine) = module();
        let mut instance =
            instance_from_module(Store::new(engine), &module, backend, GAS_LIMIT, None)
                .expect("an instance");
        instance.set_storage_readonly(!writes);
        let env = self.env();
        let verdict = call(&mut instance, &env);
        let report = instance.create_gas_report();
        self.used = Gas {
            vm: report.used_internally,
            storage: report.used_externally / GAS_PER_SDK_GAS,
        };
        let mut backend = instance.recycle().expect("the backend");
        let verdict = verdict.unwrap_or_else(|e| panic!("the contract did not end by itself: {e}"));
        let verdict = verdict.into_result().map_err(Refused);
        if verdict.is_err() {
            backend.storage.data = before;
        }
        self.backend = Some(backend);
        verdict
    }

    fn env(&self) -> Env {
        Env {
            block: BlockInfo {
                height: 1,
                time: block_time(self.now_ms),
                chain_id: "vm-1".into(),
            },
            transaction: None,
            contract: ContractInfo {
                address: Addr::unchecked(&self.contract),
            },
        }
    }

    fn set_admin(&mut self, admin: Admin) {
        let api = MockApi::default();
        let contract = self.contract.clone();
        let maker = Addr::unchecked(api.addr_make("maker"));
        let admin = (admin == Admin::Somebody).then(|| Addr::unchecked(api.addr_make("admin")));
        let backend = self.backend.as_mut().expect("no call is running");
        backend.querier.update_wasm(move |query| match query {
            WasmQuery::ContractInfo { contract_addr } if *contract_addr == contract => {
                let info =
                    ContractInfoResponse::new(1, maker.clone(), admin.clone(), false, None, None);
                SystemResult::Ok(ContractResult::Ok(to_json_binary(&info).expect("JSON")))
            }
            _ => SystemResult::Err(SystemError::UnsupportedRequest {
                kind: "this chain has one contract".into(),
            }),
        });
    }
}

impl Chain for Vm {
    // Prime to 8: every byte and every place in a byte comes up.
    const STEP: usize = 5;

    fn new() -> Self {
        let api = MockApi::default();
        Self {
            contract: api.addr_make("contract"),
            backend: Some(Backend {
                api,
                storage: SdkStorage::default(),
                querier: MockQuerier::new(&[]),
            }),
            now_ms: 0,
            used: Gas::default(),
        }
    }

    fn set_time_ms(&mut self, ms: u64) {
        self.now_ms = ms;
    }

    fn instantiate_raw(&mut self, msg: &[u8], funds: &[Coin], admin: Admin) -> Result<(), Refused> {
        let backend = self.backend.as_mut().expect("no call is running");
        let before = std::mem::take(&mut backend.storage.data);
        self.set_admin(admin);
        let info = info("maker", funds);
        let made = self
            .call(true, |instance, env| {
                call_instantiate::<_, _, _, Empty>(instance, env, &info, msg)
            })
            .and_then(|response| {
                // A chain dispatches the contract's messages and takes everything back if one fails.
                assert_eq!(response.messages.len(), 1);
                let used = self.used;
                let sender = self.contract.clone();
                let check = json(&ExecuteMsg::AssertNoAdmin {});
                let checked = self.execute_raw(&sender, &check, &[]);
                self.used.vm += used.vm;
                self.used.storage += used.storage;
                checked
            });
        if made.is_err() {
            self.backend
                .as_mut()
                .expect("no call is running")
                .storage
                .data = before;
        }
        made.map(drop)
    }

    fn execute_raw(
        &mut self,
        sender: &str,
        msg: &[u8],
        funds: &[Coin],
    ) -> Result<Vec<(String, String)>, Refused> {
        let info = info(sender, funds);
        let response: Response<Empty> = self.call(true, |instance, env| {
            call_execute(instance, env, &info, msg)
        })?;
        assert!(response.messages.is_empty());
        Ok(response
            .attributes
            .into_iter()
            .map(|attribute| (attribute.key, attribute.value))
            .collect())
    }

    fn query_raw(&mut self, msg: &[u8]) -> Result<Binary, Refused> {
        self.call(false, |instance, env| call_query(instance, env, msg))
    }

    fn storage(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let backend = self.backend.as_ref().expect("no call is running");
        let data = backend.storage.data.iter();
        data.map(|(k, v)| (k.clone(), v.clone())).collect()
    }
}

fn info(sender: &str, funds: &[Coin]) -> MessageInfo {
    MessageInfo {
        sender: Addr::unchecked(sender),
        funds: funds.to_vec(),
    }
}

/// Storage at the prices of the Cosmos SDK's `KVGasConfig`. A contract's keys stand behind a prefix there, which counts.
#[derive(Debug, Default)]
struct SdkStorage {
    data: BTreeMap<Vec<u8>, Vec<u8>>,
    scans: Vec<std::vec::IntoIter<Record>>,
}

impl SdkStorage {
    const READ_FLAT: u64 = 1_000;
    const READ_BYTE: u64 = 3;
    const WRITE_FLAT: u64 = 2_000;
    const WRITE_BYTE: u64 = 30;
    const NEXT_FLAT: u64 = 30;
    /// One byte for the kind of store and 32 for the contract's address.
    const PREFIX_BYTES: usize = 33;

    fn price(flat: u64, byte: u64, key: usize, value: usize) -> GasInfo {
        let bytes = (Self::PREFIX_BYTES + key + value) as u64;
        GasInfo::with_externally_used((flat + byte * bytes) * GAS_PER_SDK_GAS)
    }
}

impl Storage for SdkStorage {
    fn get(&self, key: &[u8]) -> BackendResult<Option<Vec<u8>>> {
        let value = self.data.get(key).cloned();
        let len = value.as_ref().map_or(0, Vec::len);
        (
            Ok(value),
            Self::price(Self::READ_FLAT, Self::READ_BYTE, key.len(), len),
        )
    }

    fn scan(
        &mut self,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        order: Order,
    ) -> BackendResult<u32> {
        let inside = |key: &[u8]| start.is_none_or(|s| s <= key) && end.is_none_or(|e| key < e);
        let mut found: Vec<Record> = self
            .data
            .iter()
            .filter(|(key, _)| inside(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        if order == Order::Descending {
            found.reverse();
        }
        self.scans.push(found.into_iter());
        let id = u32::try_from(self.scans.len()).expect("few scans");
        (Ok(id), GasInfo::free())
    }

    fn next(&mut self, id: u32) -> BackendResult<Option<Record>> {
        let scan = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        let Some(scan) = scan.and_then(|index| self.scans.get_mut(index)) else {
            return (
                Err(BackendError::iterator_does_not_exist(id)),
                GasInfo::free(),
            );
        };
        let record = scan.next();
        let (key, value) = record.as_ref().map_or((0, 0), |(k, v)| (k.len(), v.len()));
        (
            Ok(record),
            Self::price(Self::NEXT_FLAT, Self::READ_BYTE, key, value),
        )
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> BackendResult<()> {
        self.data.insert(key.to_vec(), value.to_vec());
        let price = Self::price(Self::WRITE_FLAT, Self::WRITE_BYTE, key.len(), value.len());
        (Ok(()), price)
    }

    fn remove(&mut self, key: &[u8]) -> BackendResult<()> {
        self.data.remove(key);
        let price = GasInfo::with_externally_used(1_000 * GAS_PER_SDK_GAS);
        (Ok(()), price)
    }
}
