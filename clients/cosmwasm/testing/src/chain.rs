//! What the tests need of a chain.

use cosmwasm_std::{Binary, Coin, Timestamp, from_json, to_json_vec};
use serde::{Serialize, de::DeserializeOwned};
use touchstone_cosmwasm::msg::{ExecuteMsg, QueryMsg};

/// Why a chain refused: the text that the contract gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused(pub String);

impl Refused {
    /// The code that the text begins with.
    pub fn code(&self) -> &str {
        self.0.split_once(": ").map_or("", |(code, _)| code)
    }
}

/// Who makes the contract have which admin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admin {
    /// Nobody can exchange the code.
    Nobody,
    /// Somebody can.
    Somebody,
}

/// A chain with one contract on it. A call that is refused changes nothing.
pub trait Chain: Sized {
    /// Of a test's thousands of cases each `STEP`-th is run: 1 where a call is quick.
    const STEP: usize;

    /// A chain on which the contract's code is stored.
    fn new() -> Self;

    /// Sets the time of the next block, in Unix milliseconds.
    fn set_time_ms(&mut self, ms: u64);

    /// Makes a contract, which takes the place of any earlier one.
    ///
    /// # Errors
    /// What the contract says.
    fn instantiate_raw(&mut self, msg: &[u8], funds: &[Coin], admin: Admin) -> Result<(), Refused>;

    /// Sends a message from `sender` and gives the attributes of the contract's answer.
    ///
    /// # Errors
    /// What the contract says.
    fn execute_raw(
        &mut self,
        sender: &str,
        msg: &[u8],
        funds: &[Coin],
    ) -> Result<Vec<(String, String)>, Refused>;

    /// Asks the contract.
    ///
    /// # Errors
    /// What the contract says.
    fn query_raw(&mut self, msg: &[u8]) -> Result<Binary, Refused>;

    /// Everything that the contract keeps, by key.
    fn storage(&mut self) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// [`Chain::instantiate_raw`] as everybody should do it.
    ///
    /// # Errors
    /// What the contract says.
    fn instantiate(&mut self, msg: &impl Serialize) -> Result<(), Refused> {
        self.instantiate_raw(&json(msg), &[], Admin::Nobody)
    }

    /// Sends an update and gives how many feeds were stored and how many skipped.
    ///
    /// # Errors
    /// What the contract says.
    fn update(&mut self, update: &[u8]) -> Result<(u32, u32), Refused> {
        let update = Binary::new(update.to_vec());
        let attributes = self.execute_raw("anybody", &json(&ExecuteMsg::Update { update }), &[])?;
        let number = |key: &str| {
            let (_, value) = attributes.iter().find(|(k, _)| k == key).expect(key);
            value.parse().expect("a number")
        };
        Ok((number("stored"), number("skipped")))
    }

    /// Asks a question.
    ///
    /// # Errors
    /// What the contract says.
    fn query<T: DeserializeOwned>(&mut self, msg: &QueryMsg) -> Result<T, Refused> {
        let answer = self.query_raw(&json(msg))?;
        Ok(from_json(answer).expect("an answer of the stated type"))
    }
}

/// The JSON of a message.
pub fn json(msg: &impl Serialize) -> Vec<u8> {
    to_json_vec(msg).expect("messages have a JSON form")
}

/// A block's time from Unix milliseconds: the largest that a chain can have, in the year 2554, if it is behind that.
pub fn block_time(ms: u64) -> Timestamp {
    Timestamp::from_nanos(ms.saturating_mul(1_000_000))
}
