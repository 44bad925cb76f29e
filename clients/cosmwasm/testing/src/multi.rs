//! cw-multi-test: the contract's functions, called natively, on a simulated chain.

use cosmwasm_std::{
    Addr, Binary, Coin, ContractResult, CosmosMsg, Empty, Querier as _, QueryRequest, StdError,
    SystemResult, WasmMsg, WasmQuery, coins, to_json_vec,
};
use cw_multi_test::{App, ContractWrapper, Executor as _};
use touchstone_cosmwasm::contract::{execute, instantiate, query};

use crate::chain::{Admin, Chain, Refused, block_time};

/// The simulated chain.
pub struct MultiTest {
    app: App,
    code: u64,
    contract: Addr,
}

impl MultiTest {
    /// The app, for what the other chain does not have.
    pub fn app(&mut self) -> &mut App {
        &mut self.app
    }

    /// The contract's address.
    pub fn contract(&self) -> &Addr {
        &self.contract
    }

    fn address(&self, name: &str) -> Addr {
        self.app.api().addr_make(name)
    }
}

impl Chain for MultiTest {
    const STEP: usize = 1;

    fn new() -> Self {
        let mut app = App::new(|router, api, storage| {
            for name in ["anybody", "maker"] {
                let balance = coins(1_000, "token");
                let bank = &router.bank;
                bank.init_balance(storage, &api.addr_make(name), balance)
                    .expect("a balance");
            }
        });
        let contract = ContractWrapper::new(execute, instantiate, query);
        let code = app.store_code(Box::new(contract));
        let contract = app.api().addr_make("no contract yet");
        Self {
            app,
            code,
            contract,
        }
    }

    fn set_time_ms(&mut self, ms: u64) {
        let time = block_time(ms);
        self.app.update_block(|block| {
            block.time = time;
            block.height += 1;
        });
    }

    fn instantiate_raw(&mut self, msg: &[u8], funds: &[Coin], admin: Admin) -> Result<(), Refused> {
        let admin = match admin {
            Admin::Nobody => None,
            Admin::Somebody => Some(self.address("admin").into_string()),
        };
        let msg = WasmMsg::Instantiate {
            admin,
            code_id: self.code,
            msg: Binary::new(msg.to_vec()),
            funds: funds.to_vec(),
            label: "touchstone".into(),
        };
        let maker = self.address("maker");
        let response = self.app.execute(maker, CosmosMsg::Wasm(msg));
        let response = response.map_err(|error| refused(&error))?;
        let made = response.events.iter().find(|e| e.ty == "instantiate");
        let attributes = &made.expect("an event").attributes;
        let address = attributes.iter().find(|a| a.key == "_contract_address");
        self.contract = Addr::unchecked(&address.expect("an address").value);
        Ok(())
    }

    fn execute_raw(
        &mut self,
        sender: &str,
        msg: &[u8],
        funds: &[Coin],
    ) -> Result<Vec<(String, String)>, Refused> {
        let msg = WasmMsg::Execute {
            contract_addr: self.contract.to_string(),
            msg: Binary::new(msg.to_vec()),
            funds: funds.to_vec(),
        };
        let sender = self.address(sender);
        let response = self.app.execute(sender, CosmosMsg::Wasm(msg));
        let response = response.map_err(|error| refused(&error))?;
        let events = response.events.into_iter().filter(|e| e.ty == "wasm");
        Ok(events
            .flat_map(|event| event.attributes)
            .map(|attribute| (attribute.key, attribute.value))
            .collect())
    }

    fn query_raw(&mut self, msg: &[u8]) -> Result<Binary, Refused> {
        let request = QueryRequest::<Empty>::Wasm(WasmQuery::Smart {
            contract_addr: self.contract.to_string(),
            msg: Binary::new(msg.to_vec()),
        });
        let request = to_json_vec(&request).expect("a request");
        match self.app.raw_query(&request) {
            SystemResult::Ok(ContractResult::Ok(answer)) => Ok(answer),
            SystemResult::Ok(ContractResult::Err(text)) => Err(Refused(plain(&text))),
            SystemResult::Err(error) => panic!("{error}"),
        }
    }

    fn storage(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.app.dump_wasm_raw(&self.contract)
    }
}

fn refused(error: &StdError) -> Refused {
    Refused(plain(&error.to_string()))
}

/// The contract's own text. cw-multi-test puts two things before it, once per call that it went through: the kind of the
/// error, and three lines with the message that failed.
fn plain(text: &str) -> String {
    let mut text = text;
    loop {
        let inner = match text.strip_prefix("kind: ") {
            Some(kind) => kind.split_once(", error: ").map(|(_, inner)| inner),
            None => text
                .starts_with("Error executing WasmMsg:")
                .then(|| text.splitn(4, '\n').nth(3))
                .flatten(),
        };
        match inner {
            Some(inner) => text = inner,
            None => return text.to_owned(),
        }
    }
}
