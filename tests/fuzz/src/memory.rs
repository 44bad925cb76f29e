//! How much memory a piece of work asks for: a counting allocator, and the process's resident pages.

use peak_alloc::PeakAlloc;

/// Every allocation of a program that links this crate is counted here.
#[global_allocator]
pub static HEAP: Heap = PeakAlloc;

/// The counting allocator.
pub type Heap = PeakAlloc;

/// Room that a refusal may take however short the input is: its text, and the smallest capacity of a list.
const FIXED_BYTES: usize = 16 << 10;

/// Runs `work` and panics if it asks for more than `factor` bytes for each byte of its input, and some room beside.
///
/// The count is of the whole process: whoever calls this runs nothing else that allocates much.
pub(crate) fn bounded<T>(input: &[u8], factor: usize, work: impl FnOnce() -> T) -> T {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = work();
    let asked = HEAP.peak_usage().saturating_sub(before);
    let allowed = factor
        .saturating_mul(input.len())
        .saturating_add(FIXED_BYTES);
    assert!(
        asked <= allowed,
        "{} bytes of input took {asked} bytes of memory, more than {allowed}",
        input.len()
    );
    result
}

/// Resident memory of this process in bytes, by `/proc/self/statm`; 0 where there is no such file.
pub(crate) fn resident_bytes() -> u64 {
    // The kernel's page size is not in the file; 4 KiB on every platform that the network is tried on.
    const PAGE_BYTES: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    pages.unwrap_or(0_u64).saturating_mul(PAGE_BYTES)
}
