//! Writes the contract's messages and answers as JSON Schema: `cargo run --example schema FILE`.

use std::{env, fs};

use cosmwasm_schema::generate_api;
use touchstone_cosmwasm::msg::{ExecuteMsg, InstantiateMsg, QueryMsg};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = env::args().nth(1).ok_or("usage: schema FILE")?;
    let api = generate_api! {
        name: "touchstone-cosmwasm",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
    };
    fs::write(file, api.render().to_string()? + "\n")?;
    Ok(())
}
