//! `oracle-node status`.

use std::{fmt::Write as _, time::Duration};

use anyhow::Context as _;
use serde_json::Value;

use super::{StatusArgs, print, print_json};
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    let url = format!("http://{}/status", config.http.listen);
    let status = ask(&url)
        .await
        .with_context(|| format!("{url}: no answer; is the node running?"))?;
    if args.json {
        return print_json(&status);
    }
    print(table(&status).trim_end())
}

async fn ask(url: &str) -> anyhow::Result<Value> {
    // The port is a local one: a proxy of the environment has no business here.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()?;
    let body = client
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    Ok(serde_json::from_slice(&body)?)
}

/// A value as a person reads it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn table(s: &Value) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{text}");
    };
    let t = |key: &str| text(&s[key]);
    line(format!("network    {} {}", t("network"), t("network_id")));
    for (suite, key) in s["group_keys"].as_object().into_iter().flatten() {
        line(format!("key        {suite} {}", text(key)));
    }
    line(format!(
        "member     {} of {} (f = {}), epoch {}, version {}, up {} s",
        t("member"),
        t("n"),
        t("f"),
        t("epoch"),
        t("version"),
        t("uptime_s")
    ));
    line(format!(
        "round      {}; newest attested {} ({} ms ago); {} since the start; {} alive",
        t("round"),
        t("newest_attested"),
        t("newest_attested_age_ms"),
        t("attested_since_start"),
        t("rounds_alive")
    ));
    line(format!(
        "clock      trusted {}, members' median {} ms away",
        text(&s["clock"]["trusted"]),
        text(&s["clock"]["offset_ms"])
    ));
    line(format!("ready      {}", t("ready")));
    for reason in items(&s["reasons"]) {
        line(format!(
            "           {}: {}",
            text(&reason["code"]),
            text(&reason["text"])
        ));
    }
    line("peers".to_owned());
    for p in items(&s["peers"]) {
        let up = match (p["outbound_up"] == true, p["inbound_up"] == true) {
            (true, true) => "up",
            (true, false) => "outbound only",
            (false, true) => "inbound only",
            (false, false) => "down",
        };
        line(format!(
            "  {:<4} {:<24} {:<14} rtt {} us",
            text(&p["member"]),
            text(&p["address"]),
            up,
            text(&p["rtt_us"])
        ));
    }
    let observation = &s["observation"];
    line(format!(
        "feeds      (own observation of round {}, {} ms ago)",
        text(&observation["round"]),
        text(&observation["age_ms"])
    ));
    for f in items(&observation["feeds"]) {
        let (used, dropped) = (items(&f["used"]), items(&f["dropped"]));
        line(format!(
            "  {:<12} {:>22}  {:<12} {} used",
            text(&f["feed"]),
            text(&f["price"]),
            text(&f["status"]),
            used.len()
        ));
        for d in dropped {
            line(format!(
                "    dropped {} {}: {}",
                text(&d["source"]),
                text(&d["pair"]),
                text(&d["reason"])
            ));
        }
    }
    line("sources".to_owned());
    for source in items(&s["sources"]) {
        let c = &source["counters"];
        line(format!(
            "  {:<12} {:<12} ok {}, errors {}, timeouts {}, unreadable {}  {}",
            text(&source["source"]),
            text(&source["state"]),
            text(&c["ok"]),
            text(&c["http_error"]),
            text(&c["timeout"]),
            text(&c["parse_error"]),
            source["reason"].as_str().unwrap_or_default()
        ));
    }
    out
}
