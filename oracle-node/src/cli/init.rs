//! `oracle-node init`.

use anyhow::Context as _;
use serde_json::json;
use touchstone_feeds::FeedsConfig;

use super::{InitArgs, print, print_json};
use crate::{
    config::{Config, TEMPLATE},
    files::{create_private_dir, refuse_existing, write_new},
    keys::{NodePassword, create_identity},
};

/// Requests per second and exchange to a server that stands in for the exchanges.
const MARKET_RATE: u32 = 1_000;

pub(super) fn init(args: &InitArgs) -> anyhow::Result<()> {
    let (config_file, key_file) = (args.dir.join("node.toml"), args.dir.join("identity.key"));
    let text = configuration(args)?;
    // What is written must be readable.
    Config::parse(&text).context("these options make no valid configuration")?;
    refuse_existing(&config_file)?;
    refuse_existing(&key_file)?;
    let password = match &args.password_file {
        _ if args.insecure_no_password => NodePassword::InsecureNone,
        Some(file) => NodePassword::of_file(file)?,
        None => NodePassword::choose()?,
    };
    create_private_dir(&args.dir)?;
    // The key comes last: a folder with a key has its configuration, too.
    write_new(&config_file, text.as_bytes(), 0o600)?;
    let identity = create_identity(&key_file, &password)?.public();
    if args.json {
        return print_json(
            &json!({ "identity": identity.to_digest(), "config": config_file, "identity_key": key_file }),
        );
    }
    if args.insecure_no_password {
        eprintln!(
            "warning: the key files are not encrypted; use this for development networks only"
        );
    }
    print(&format!(
        "identity {identity}\nwrote {} and {}\nnext: give the identity to whoever writes the manifest, and look through the \
         configuration",
        config_file.display(),
        key_file.display()
    ))
}

/// The template with the chosen values.
fn configuration(args: &InitArgs) -> anyhow::Result<String> {
    let mut text = TEMPLATE.to_owned();
    let mut set = |from: &str, to: String| text = text.replacen(from, &to, 1);
    set(
        "listen = \"127.0.0.1:7100\"",
        format!("listen = \"{}\"", args.listen),
    );
    set(
        "listen = \"127.0.0.1:7180\"",
        format!("listen = \"{}\"", args.http),
    );
    if args.insecure_no_password {
        set("insecure_none = false", "insecure_none = true".to_owned());
    }
    if let Some(file) = &args.password_file {
        let file = std::path::absolute(file)?;
        let file = toml::Value::from(file.to_str().context("--password-file is not UTF-8")?);
        set(
            "# file = \"/etc/touchstone/password\"",
            format!("file = {file}"),
        );
    }
    if let Some(url) = &args.market {
        let mut tables = String::new();
        for (name, source) in FeedsConfig::below(url, MARKET_RATE).sources {
            let url = toml::Value::from(source.base_url.unwrap_or_default());
            tables.push_str(&format!(
                "[feeds.sources.{name}]\nbase_url = {url}\nrequests_per_second = {MARKET_RATE}\n\n"
            ));
        }
        set("[consensus]", format!("{tables}[consensus]"));
    }
    Ok(text)
}
