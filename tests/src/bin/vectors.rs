//! Writes `tests/vectors/` anew.

fn main() -> anyhow::Result<()> {
    let files = touchstone_tests::vectors::generate()?;
    let directory = touchstone_tests::vectors::directory();
    touchstone_tests::vectors::write(&directory, &files)?;
    let bytes: usize = files.values().map(String::len).sum();
    println!(
        "{} files, {bytes} bytes in {}",
        files.len(),
        directory.display()
    );
    Ok(())
}
