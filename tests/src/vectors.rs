//! The shared vectors of `tests/vectors/`: the same inputs and verdicts for every client and every contract.
//!
//! [`generate`] makes every file from fixed seeds, so that a changed byte anywhere in the formats shows up as a difference
//! in the checked-in files: `cargo run --release -p touchstone-tests --bin vectors` writes them anew.

mod canonical;
mod invalid;
mod keys;
mod pin;
mod policy;
mod raw;
mod secp256k1;
mod valid;
mod world;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Every file by its path below `tests/vectors/`, with its text.
pub type Files = BTreeMap<String, String>;

/// Where the checked-in files are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Every file, from fixed seeds: always the same bytes.
///
/// # Errors
/// A vector that cannot be built, which is a defect of the generator.
pub fn generate() -> anyhow::Result<Files> {
    let mut files = Files::new();
    valid::add(&mut files)?;
    invalid::add(&mut files)?;
    secp256k1::add(&mut files)?;
    keys::add(&mut files)?;
    policy::add(&mut files)?;
    canonical::add(&mut files)?;
    pin::add(&mut files)?;
    Ok(files)
}

/// Writes the files, and removes vectors that are not made any more.
///
/// # Errors
/// The directory cannot be read or written.
pub fn write(directory: &Path, files: &Files) -> anyhow::Result<()> {
    for old in checked_in(directory)?.into_keys() {
        if !files.contains_key(&old) {
            fs::remove_file(directory.join(&old))?;
        }
    }
    for (name, text) in files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// The JSON files that are in the directory now.
///
/// # Errors
/// The directory cannot be read.
pub fn checked_in(directory: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                let name = path.strip_prefix(directory).map_err(io::Error::other)?;
                let name = name.to_string_lossy().replace('\\', "/");
                files.insert(name, fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

/// Adds one file. Values are structs and ordered maps only, whose members keep their order in every build.
fn put(files: &mut Files, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    let double = files.insert(format!("{name}.json"), text).is_some();
    anyhow::ensure!(!double, "{name} is made twice");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_files_are_what_the_generator_makes() {
        let made = generate().expect("the generator is sound");
        let kept = checked_in(&directory()).expect("tests/vectors can be read");
        for (name, text) in &made {
            assert_eq!(
                kept.get(name),
                Some(text),
                "{name} differs: run the generator and look at the difference"
            );
        }
        let leftover: Vec<_> = kept.keys().filter(|k| !made.contains_key(*k)).collect();
        assert!(
            leftover.is_empty(),
            "not made by the generator: {leftover:?}"
        );
    }

    #[test]
    fn the_files_stay_small() {
        let bytes: usize = generate().expect("sound").values().map(String::len).sum();
        assert!(bytes < 1 << 20, "{bytes} bytes");
    }
}
