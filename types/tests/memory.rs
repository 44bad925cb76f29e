//! No decoder asks for memory because of a count that the input merely claims.
//!
//! The only test of its process, which therefore may look at the process's own peak of address space: room that is
//! reserved for items that never come shows there even if it is never touched.
#![cfg(target_os = "linux")]

use std::hint::black_box;

use touchstone_types::{Attestation, Observation, PriceUpdate};

/// A line of the kernel's account of this process, in KiB.
fn kib(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux shows it");
    let line = status.lines().find(|l| l.starts_with(name));
    let number = line.and_then(|l| l.split_whitespace().nth(1));
    number.and_then(|n| n.parse().ok()).expect(name)
}

/// By how much `work` raises the peak of the process's address space, in KiB.
fn growth_kib(work: impl FnOnce()) -> usize {
    // The peak may lie far above what is in use now: fill the difference, or nothing would show.
    let slack = kib("VmPeak:").saturating_sub(kib("VmSize:"));
    let filler: Vec<u8> = Vec::with_capacity(slack * 1_024);
    let before = kib("VmPeak:");
    work();
    let grown = kib("VmPeak:") - before;
    black_box(&filler);
    grown
}

#[test]
fn claimed_counts_reserve_nothing() {
    let mut attestation = vec![1];
    attestation.resize(1 + 118, 0);
    attestation.extend_from_slice(&[1, 1]);
    attestation.resize(attestation.len() + 64, 0);
    // 65,535 leaves that are not there.
    attestation.extend_from_slice(&[0xff, 0xff]);
    let mut update = vec![1, 1];
    update.resize(2 + 118 + 64, 0);
    update.push(0xff);
    let mut observation = vec![0; 8];
    observation.extend_from_slice(&[0xff, 0xff]);
    // A body of 4 GiB that is not there: no leaf, one observation.
    let mut body = attestation.clone();
    let at = body.len() - 2;
    body[at..].copy_from_slice(&[0, 0]);
    body.extend_from_slice(&[0, 1]);
    body.resize(body.len() + 81 + 64, 1);
    body.extend_from_slice(&[0xff; 4]);

    // 65,535 leaves would be above 6 MiB; the measure must see as much.
    let seen = growth_kib(|| drop(black_box(Vec::<u8>::with_capacity(65_535 * 92))));
    assert!(seen > 4_096, "the measure sees {seen} KiB only");
    let grown = growth_kib(|| {
        for _ in 0..100 {
            assert!(Attestation::from_bytes(&attestation).is_err());
            assert!(Attestation::from_bytes(&body).is_err());
            assert!(PriceUpdate::from_bytes(&update).is_err());
            assert!(Observation::from_bytes(&observation).is_err());
        }
    });
    assert!(grown < 1_024, "{grown} KiB more");
}
