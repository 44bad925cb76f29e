use super::*;

/// The template with every commented-out key switched on.
fn uncommented() -> String {
    let switch_on = |line: &str| match line.strip_prefix("# ") {
        Some(rest)
            if rest.starts_with('[')
                || rest
                    .split_once(" = ")
                    .is_some_and(|(k, _)| !k.contains(' ')) =>
        {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    TEMPLATE
        .lines()
        .map(switch_on)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_template_is_the_defaults() {
    assert_eq!(
        Config::parse(TEMPLATE).expect("template"),
        Config::default()
    );
}

/// Serialises a configuration in which every optional key is set: each of its keys must stand in the template.
#[test]
fn the_template_documents_every_key() {
    let config = Config::parse(&uncommented()).expect("all keys on");
    let text = toml::to_string(&config).expect("TOML");
    let documented = uncommented();
    let keys: Vec<_> = text
        .lines()
        .filter_map(|l| l.split_once(" = "))
        .map(|(k, _)| k)
        .collect();
    assert!(keys.len() > 30, "{text}");
    for key in keys {
        let described = documented.lines().any(|l| {
            l.trim_start_matches(['#', ' '])
                .starts_with(&format!("{key} = "))
        });
        assert!(described, "{key} is not in template.toml");
    }
}

#[test]
fn refusals_name_key_value_and_range() {
    let message = |text: &str| Config::parse(text).expect_err(text).to_string();
    assert_eq!(
        message("[clock]\nmax_offset_ms = 7"),
        "clock.max_offset_ms = 7: must be from 50 to 60000"
    );
    assert_eq!(
        message("[consensus]\ngrace_ms = 0"),
        "consensus.grace_ms = 0: must be from 1 to 60000"
    );
    assert_eq!(
        message("[feeds]\nperiod_ms = 5"),
        "feeds.period_ms = 5: must be from 100 to 3600000"
    );
    assert!(message("[feeds.sources.mtgox]").contains("feeds.sources.mtgox"));
    assert!(message("[log]\nfilter = \"no such=level=x\"").starts_with("log.filter = \"no such"));
    let unknown = message("[link]\nlisten_on = \"127.0.0.1:1\"");
    assert!(
        unknown.contains("listen_on") && unknown.contains("unknown field"),
        "{unknown}"
    );
    assert!(message("[link]\nlisten = \"localhost\"").contains("line 2"));
    assert!(
        message("[password]\ninsecure_none = true\nfile = \"p\"")
            .starts_with("password.insecure_none")
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nowhere/node.toml")).expect_err("missing");
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/node.toml: cannot be read"),
        "{error}"
    );
}

#[test]
fn relative_paths_start_at_the_file() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("node.toml");
    fs::write(
        &file,
        "[paths]\nshare_key = \"/elsewhere/share.key\"\n[password]\nfile = \"pw\"\n",
    )
    .expect("write");
    let config = Config::load(&file).expect("config");
    assert_eq!(config.paths.identity_key, dir.path().join("identity.key"));
    assert_eq!(config.paths.share_key, Path::new("/elsewhere/share.key"));
    assert_eq!(config.password.file, Some(dir.path().join("pw")));
}

#[test]
fn unset_settings_follow_the_interval() {
    let params = Config::default().params(200);
    assert_eq!((params.grace_us, params.fence_block), (40_000, 25));
    params.validate().expect("in range");
    let config = Config::parse("[consensus]\ngrace_ms = 7\nfence_rounds = 3").expect("config");
    let params = config.params(200);
    assert_eq!((params.grace_us, params.fence_block), (7_000, 3));
}

/// Whatever the ranges above let through, the transport and the core must take.
#[test]
fn the_ends_of_the_ranges_fit_the_parts() {
    for (idle, backoff, kept) in [(2_000, 50, 16), (600_000, 600_000, 100_000)] {
        let mut config = Config::default();
        config.link.idle_timeout_ms = idle;
        config.link.backoff_max_ms = backoff;
        config.consensus.certificates_kept = kept;
        config.validate().expect("in range");
        config.params(50).validate().expect("core");
        let timing = config.link_timing();
        assert!(
            timing.keep_alive * 2 <= timing.idle_timeout
                && timing.backoff_min <= timing.backoff_max
        );
    }
}
