//! The entry points. There is no `migrate`, `sudo` or `reply`, and no message that changes what is pinned.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    Binary, Deps, DepsMut, Env, MessageInfo, Response, Storage, WasmMsg, to_json_binary,
};
use touchstone_client::{Policy, PolicyError, Verifier, VerifyError, verify_at};
use touchstone_types::{FeedName, PriceUpdate, Round};

use crate::{
    ContractError,
    conditions::Clock,
    msg::{Conditions, ExecuteMsg, FeedsResponse, InstantiateMsg, PriceResponse, QueryMsg},
    pinned::Pinned,
    prices::{self, Kept},
};

/// The contract's name, as CW2 keeps it.
pub const NAME: &str = "crates.io:touchstone-cosmwasm";
/// The contract's version, as CW2 keeps it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many feeds a query lists if it does not say.
const FEEDS_DEFAULT: u32 = 30;
/// How many feeds a query lists at most.
const FEEDS_MAX: u32 = 100;

/// Pins a network.
///
/// # Errors
/// Keys that must not be pinned, a chain admin, and everything else that [`ContractError`] names.
#[cfg_attr(not(feature = "library"), entry_point)]
#[expect(clippy::needless_pass_by_value, reason = "an entry point")]
pub fn instantiate(
    deps: DepsMut<'_>,
    env: Env,
    info: MessageInfo,
    msg: InstantiateMsg,
) -> Result<Response, ContractError> {
    refuse_funds(&info)?;
    Pinned::new(&msg)?.save(deps.storage);
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    // The chain knows the contract's admin as soon as this call is over, and not before.
    let check = WasmMsg::Execute {
        contract_addr: env.contract.address.into_string(),
        msg: to_json_binary(&ExecuteMsg::AssertNoAdmin {})?,
        funds: Vec::new(),
    };
    Ok(Response::new().add_message(check))
}

/// Takes a price update, from anybody.
///
/// # Errors
/// See [`ExecuteMsg`].
#[cfg_attr(not(feature = "library"), entry_point)]
#[expect(clippy::needless_pass_by_value, reason = "an entry point")]
pub fn execute(
    deps: DepsMut<'_>,
    env: Env,
    info: MessageInfo,
    msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    refuse_funds(&info)?;
    match msg {
        ExecuteMsg::Update { update } => execute_update(deps.storage, &env, &update),
        ExecuteMsg::AssertNoAdmin {} => assert_no_admin(deps.as_ref(), env),
    }
}

/// Answers a question.
///
/// # Errors
/// See [`QueryMsg`].
#[cfg_attr(not(feature = "library"), entry_point)]
#[expect(clippy::needless_pass_by_value, reason = "an entry point")]
pub fn query(deps: Deps<'_>, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    let pinned = Pinned::load(deps.storage)?;
    let clock = clock(&env, &pinned);
    let answer = match msg {
        QueryMsg::Config {} => to_json_binary(&pinned.response()),
        QueryMsg::Price {
            feed,
            max_age_ms,
            conditions,
        } => to_json_binary(&query_price(deps, clock, &feed, max_age_ms, &conditions)?),
        QueryMsg::Feeds { start_after, limit } => {
            to_json_binary(&query_feeds(deps, start_after.as_deref(), limit)?)
        }
        QueryMsg::Verify {
            update,
            feed,
            max_age_ms,
            conditions,
        } => {
            let update = pinned.verifier()?.verify(&update)?;
            let policy = Policy::fresh(clock.now_ms, max_age_ms);
            let price = update.price(FeedName::new(&feed)?, &conditions.policy(policy, clock))?;
            to_json_binary(&prices::response(&price.into()))
        }
        QueryMsg::VerifyAt {
            before,
            after,
            feed,
            instant_ms,
            max_gap,
            conditions,
        } => {
            let verifier = pinned.verifier()?;
            let (before, after) = (verifier.verify(&before)?, verifier.verify(&after)?);
            let bracket = verify_at(&before, &after, instant_ms.u64())?;
            let policy = Policy::at(bracket).max_gap(max_gap.unwrap_or(1));
            let price = before.price(FeedName::new(&feed)?, &conditions.policy(policy, clock))?;
            to_json_binary(&prices::response(&price.into()))
        }
    };
    Ok(answer?)
}

fn execute_update(
    storage: &mut dyn Storage,
    env: &Env,
    bytes: &[u8],
) -> Result<Response, ContractError> {
    let pinned = Pinned::load(storage)?;
    let update = authentic(&pinned.verifier()?, bytes)?;
    let statement = &update.statement;
    clock(env, &pinned).check("the round's timestamp", statement.timestamp_ms)?;
    let (mut stored, mut skipped) = (0u32, 0u32);
    let mut kept_round = Round(0);
    for entry in &update.entries {
        let kept = Kept::load(storage, entry.leaf.feed)?.map(|kept| kept.round);
        // A feed that is not newer is passed over and does not fail the others: anybody can send one feed of a round first.
        match kept.filter(|kept| *kept >= statement.round) {
            Some(kept) => {
                kept_round = kept_round.max(kept);
                skipped = skipped.saturating_add(1);
            }
            None => {
                Kept::new(statement, entry.leaf).save(storage);
                stored = stored.saturating_add(1);
            }
        }
    }
    if stored == 0 {
        let (round, last) = (statement.round, kept_round);
        return Err(PolicyError::NotNewer { round, last }.into());
    }
    Ok(Response::new()
        .add_attribute("action", "update")
        .add_attribute("round", statement.round.to_string())
        .add_attribute("stored", stored.to_string())
        .add_attribute("skipped", skipped.to_string()))
}

/// An update of the pinned network, checked in the order of [`touchstone_client::Verifier::verify`]. That one shows no leaf
/// before a policy is stated; the contract keeps leaves, and asks for the policy when it is asked for a number.
fn authentic(verifier: &Verifier, bytes: &[u8]) -> Result<PriceUpdate, VerifyError> {
    let update = PriceUpdate::from_bytes(bytes)?;
    verifier.verify_statement(&update.statement, update.suite, &update.signature)?;
    update.check_inclusion()?;
    Ok(update)
}

fn assert_no_admin(deps: Deps<'_>, env: Env) -> Result<Response, ContractError> {
    let contract = deps
        .querier
        .query_wasm_contract_info(env.contract.address)?;
    match contract.admin {
        Some(admin) => Err(ContractError::HasAdmin(admin.into_string())),
        None => Ok(Response::new()),
    }
}

fn query_price(
    deps: Deps<'_>,
    clock: Clock,
    feed: &str,
    max_age_ms: u64,
    conditions: &Conditions,
) -> Result<PriceResponse, ContractError> {
    let feed = FeedName::new(feed)?;
    let kept = Kept::load(deps.storage, feed)?.ok_or(ContractError::UnknownFeed(feed))?;
    conditions.check(&kept, clock, max_age_ms)?;
    Ok(prices::response(&kept))
}

fn query_feeds(
    deps: Deps<'_>,
    after: Option<&str>,
    limit: Option<u32>,
) -> Result<FeedsResponse, ContractError> {
    let limit = limit.unwrap_or(FEEDS_DEFAULT).min(FEEDS_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let feeds = prices::list(deps.storage, after, limit)?;
    Ok(FeedsResponse { feeds })
}

fn clock(env: &Env, pinned: &Pinned) -> Clock {
    Clock {
        now_ms: env.block.time.nanos() / 1_000_000,
        max_skew_ms: pinned.max_skew_ms,
    }
}

fn refuse_funds(info: &MessageInfo) -> Result<(), ContractError> {
    if info.funds.is_empty() {
        Ok(())
    } else {
        Err(ContractError::Funds)
    }
}
