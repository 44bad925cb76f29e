//! Every scenario, in cw-multi-test and in the chain's virtual machine.

use touchstone_cosmwasm_testing::{
    MultiTest, Vm,
    scenarios::{adversaries, extremes, keeping, making, model, shared},
};

macro_rules! on_both {
    ($($module:ident::$name:ident($($argument:expr),*)),* $(,)?) => {
        mod multi_test {
            use super::*;
            $(#[test] fn $name() { $module::$name::<MultiTest>($($argument),*); })*
        }
        mod vm {
            use super::*;
            $(#[test] fn $name() { $module::$name::<Vm>($($argument),*); })*
        }
    };
}

on_both! {
    shared::valid_updates(),
    shared::invalid_updates(),
    shared::group_keys(),
    shared::policies(),
    making::what_is_pinned_stays(),
    making::bad_settings_are_refused(),
    making::an_admin_is_refused(),
    making::misspelt_settings_are_refused(),
    making::there_are_no_other_messages(),
    making::no_number_without_an_age(),
    keeping::rounds_only_go_up(),
    keeping::one_feed_sent_first_stops_nobody(),
    keeping::suites_share_the_rounds(),
    keeping::feeds_are_listed_in_pages(),
    keeping::a_bad_status_is_kept_and_refused(),
    keeping::the_price_at_an_instant(),
    adversaries::every_flipped_bit_is_refused(),
    adversaries::other_lengths_are_refused(),
    adversaries::huge_messages_end(),
    adversaries::other_networks_are_refused(),
    adversaries::other_suites_are_refused(),
    adversaries::the_future_is_refused(),
    adversaries::a_feed_comes_once(),
    adversaries::other_names_have_no_price(),
    adversaries::random_changes_are_refused(29, 3_000),
    extremes::every_number_is_exact(),
    extremes::times_that_no_block_has_are_refused(),
    extremes::the_longest_time_between_rounds(),
    model::follows_the_model(30, 400),
}
