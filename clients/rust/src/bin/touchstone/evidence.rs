//! `touchstone evidence`: who is proved guilty of what.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use touchstone_client::{
    Pin,
    evidence::{Evidence, EvidenceRefusal, EvidenceVerifier, Guilt, NotProved},
};

use crate::{
    args::VerifyEvidenceArgs,
    commands::{load_pin, read},
    failure::{Failure, Kind},
    output,
};

/// One record of the file, or why it is none.
type Record = Result<Evidence, NotProved>;

pub(crate) fn verify(args: &VerifyEvidenceArgs, json: bool) -> Result<(), Failure> {
    let (pin, _) = load_pin(&args.network)?;
    let verifier = EvidenceVerifier::from_pin(&pin)
        .map_err(|refusal| Failure::new(Kind::Forged, "bad-pin", refusal.to_string()))?;
    let about = |failure: Failure| failure.about(args.file.display());
    let records = records(&read(&args.file).map_err(about)?).map_err(about)?;
    let mut refused = 0_usize;
    for record in &records {
        let id = record.as_ref().ok().map(|e| e.id().to_string());
        let kind = record.as_ref().ok().map(Evidence::kind);
        let verdict = record.clone().and_then(|e| verifier.verify(&e));
        refused = refused.saturating_add(usize::from(verdict.is_err()));
        let id = id.unwrap_or_default();
        let text = match (json, &verdict) {
            (true, Ok(guilt)) => guilt_json(&pin, guilt, &id, kind).to_string(),
            (false, Ok(guilt)) => guilt_text(&pin, guilt, &id),
            (true, Err(why)) => json!({
                "guilty": false, "id": id, "error": { "code": why.code(), "message": why.to_string() },
            })
            .to_string(),
            (false, Err(why)) => format!("PROVES NOTHING: {why} [{}]", why.code()),
        };
        output::line(&text)?;
    }
    match (records.len(), refused) {
        (_, 0) => Ok(()),
        (1, _) => Err(Failure::told(Kind::Unavailable)),
        (all, refused) => {
            eprintln!("touchstone: {refused} of {all} records prove nothing");
            Err(Failure::told(Kind::Unavailable))
        }
    }
}

/// The member's identity key, by the manifest of its epoch.
fn identity(pin: &Pin, guilt: &Guilt) -> String {
    let epoch = pin.epochs().find(|(m, _)| m.epoch == guilt.epoch);
    let member = epoch.and_then(|(m, _)| m.members.get(guilt.member.index()));
    member.map(|m| m.identity.to_string()).unwrap_or_default()
}

fn guilt_text(pin: &Pin, guilt: &Guilt, id: &str) -> String {
    let identity = identity(pin, guilt);
    format!("GUILTY: {guilt}\n  identity {identity}\n  evidence {id}")
}

fn guilt_json(pin: &Pin, guilt: &Guilt, id: &str, kind: Option<&str>) -> Value {
    json!({
        "guilty": true, "id": id, "kind": kind, "member": guilt.member, "identity": identity(pin, guilt),
        "epoch": guilt.epoch, "round": guilt.round, "offence": guilt.offence.to_string(),
        "network_id": pin.network_id(),
    })
}

/// The records of a file: the plain bytes of one, or JSON of the API: one item, a page, or a list of items.
fn records(bytes: &[u8]) -> Result<Vec<Record>, Failure> {
    let decode =
        |bytes: &[u8]| Evidence::from_bytes(bytes).map_err(|e| EvidenceRefusal::from(e).into());
    let is_json = bytes
        .trim_ascii_start()
        .first()
        .is_some_and(|b| b"{[".contains(b));
    // Evidence begins with its version byte, which no JSON does.
    if !is_json {
        return Ok(vec![decode(bytes)]);
    }
    let json: Value = serde_json::from_slice(bytes).map_err(|e| malformed(&e.to_string()))?;
    let items = match json.get("items").unwrap_or(&json) {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    if items.is_empty() {
        return Err(malformed("there is no evidence in it"));
    }
    let item = |item: &Value| {
        let text = item.get("evidence").and_then(Value::as_str);
        let text = text.ok_or_else(|| malformed("an item has no text field \"evidence\""))?;
        let bytes = STANDARD.decode(text);
        let bytes = bytes.map_err(|e| malformed(&format!("evidence: {e}")))?;
        Ok(decode(&bytes))
    };
    items.iter().map(item).collect()
}

fn malformed(message: &str) -> Failure {
    Failure::new(Kind::Unavailable, "malformed", message)
}
