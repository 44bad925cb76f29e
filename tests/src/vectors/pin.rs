//! Pins: one that is good, one with two epochs, and one for each way to be refused.

use ed25519_dalek::Signer as _;
use serde::Serialize;
use touchstone_types::{
    Digest, Epoch, EpochRecord, GroupSignatureEntry, Pin, PinnedEpoch, Round, Suite,
};

use super::{Files, put, world};

#[derive(Serialize)]
struct PinVector {
    description: &'static str,
    code: &'static str,
    pin: Pin,
}

fn sign(record: &mut EpochRecord) {
    record.group_signatures = vec![GroupSignatureEntry {
        suite: Suite::Ed25519,
        signature: world::group().sign(&record.digest().0).to_bytes().to_vec(),
    }];
}

/// A second epoch of the same committee with one feed less.
fn two_epochs() -> anyhow::Result<Pin> {
    let mut pin = world::pin()?;
    let mut manifest = pin.genesis_manifest.clone();
    manifest.epoch = Epoch(1);
    manifest.previous = Some(pin.genesis_manifest.hash());
    manifest.first_round = Round(manifest.first_round.0 + 100);
    manifest.first_round_at_ms += 100_000;
    manifest.feeds.pop();
    let mut record = pin.genesis_record.clone();
    record.epoch = Epoch(1);
    record.manifest_hash = manifest.hash();
    record.member_signatures.clear();
    sign(&mut record);
    pin.later.push(PinnedEpoch { manifest, record });
    pin.validate()?;
    Ok(pin)
}

pub(super) fn add(files: &mut Files) -> anyhow::Result<()> {
    put(files, "pin/network", &world::pin()?)?;
    put(files, "pin/two-epochs", &two_epochs()?)?;
    let mut bad = |name: &str, code, description, pin: Pin| {
        let vector = PinVector {
            description,
            code,
            pin,
        };
        put(files, &format!("pin/invalid/{name}"), &vector)
    };

    let mut pin = world::pin()?;
    pin.genesis_manifest.f = 2;
    bad("too-many-faults", "bad-pin", "f is 2 of 4 members", pin)?;

    let mut pin = world::pin()?;
    pin.genesis_manifest.interval_ms += 1;
    let what = "the manifest is not the one that the record names";
    bad("other-manifest", "bad-pin", what, pin)?;

    let mut pin = two_epochs()?;
    pin.later[0].manifest.previous = Some(Digest([1; 32]));
    let what = "the second manifest follows another one";
    bad("broken-chain", "bad-pin", what, pin)?;

    let mut pin = two_epochs()?;
    pin.later[0].record.keys[0].group_key = world::stranger().verifying_key().as_bytes().to_vec();
    let what = "the second epoch has another group key";
    bad("other-group-key", "bad-pin", what, pin)?;

    let mut pin = world::pin()?;
    pin.genesis_record.keys[0].group_key = [[1].as_slice(), &[0; 31]].concat();
    let what = "the group key is the neutral element";
    bad("weak-group-key", "bad-group-key", what, pin)?;

    let mut pin = world::pin()?;
    pin.genesis_record.group_signatures.clear();
    let what = "the group key did not sign the genesis record";
    bad("record-unsigned", "bad-epoch-signature", what, pin)?;

    let mut pin = world::pin()?;
    pin.genesis_record.transcript = Digest([1; 32]);
    let what = "the record was changed after it was signed";
    bad("record-changed", "bad-epoch-signature", what, pin)?;

    let mut pin = two_epochs()?;
    pin.later[0].record.coin_key = Digest([1; 32]);
    let what = "the second epoch's record was changed after it was signed";
    bad("later-record-changed", "bad-epoch-signature", what, pin)?;

    let mut pin = world::pin()?;
    pin.genesis_record.member_signatures.pop();
    let what = "the last member did not sign the genesis record";
    bad("member-missing", "bad-member-signature", what, pin)?;

    let mut pin = world::pin()?;
    pin.genesis_record.member_signatures.swap(0, 1);
    let what = "two members' signatures on the genesis record are exchanged";
    bad("members-exchanged", "bad-member-signature", what, pin)
}
