//! Feeds in a file of their own.

use std::{fs, path::Path};

use anyhow::Context as _;
use touchstone_types::FeedSpec;

/// Reads a list of feeds: JSON (a list, or an object with the list `feeds`) or TOML (`[[feeds]]`), told by the extension.
///
/// # Errors
/// A file that cannot be read, or is no such list.
pub fn read_feeds(path: &Path) -> anyhow::Result<Vec<FeedSpec>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        feeds: Vec<FeedSpec>,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Json {
        List(Vec<FeedSpec>),
        File(File),
    }
    let name = || format!("--feeds {}", path.display());
    let text = fs::read_to_string(path).with_context(name)?;
    let feeds = if path.extension().is_some_and(|e| e == "toml") {
        toml::from_str::<File>(&text).with_context(name)?.feeds
    } else if text.trim_start().starts_with('[') {
        // Of a list the errors are better without the choice.
        serde_json::from_str(&text).with_context(name)?
    } else {
        match serde_json::from_str(&text).with_context(name)? {
            Json::List(feeds) | Json::File(File { feeds }) => feeds,
        }
    };
    anyhow::ensure!(
        !feeds.is_empty(),
        "{}: lists no feed, at least 1 is needed",
        name()
    );
    Ok(feeds)
}

#[cfg(test)]
mod tests {
    use touchstone_feeds::default_feeds;

    use super::*;

    fn read(name: &str, text: &str) -> anyhow::Result<Vec<FeedSpec>> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        read_feeds(&path)
    }

    #[test]
    fn feeds_are_read_from_json_and_toml() {
        let feeds = default_feeds();
        let list = serde_json::to_string(&feeds).expect("json");
        assert_eq!(read("feeds.json", &list).expect("list"), feeds);
        assert_eq!(
            read("feeds.json", &format!("{{\"feeds\":{list}}}")).expect("object"),
            feeds
        );
        let mut table = toml::Table::new();
        table.insert(
            "feeds".to_owned(),
            toml::Value::try_from(&feeds).expect("toml"),
        );
        assert_eq!(read("feeds.toml", &table.to_string()).expect("toml"), feeds);
    }

    #[test]
    fn errors_name_the_file() {
        for (name, text) in [
            ("a.json", "[]"),
            ("b.json", "[{\"name\":\"BTC-USD\"}]"),
            ("c.toml", "feeds = 1"),
            ("d.json", "{}"),
        ] {
            let error = format!("{:#}", read(name, text).expect_err(name));
            assert!(error.contains(name), "{error}");
        }
    }
}
