//! What a process has used, as the system and the process itself count it.

use std::fs;

/// Units of the times in `/proc/PID/stat` per second (USER_HZ), the same on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time of a process in user and kernel mode since its start, in milliseconds; `None` where there is no such process
/// or no `/proc`.
pub(crate) fn cpu_ms(pid: u32) -> Option<u64> {
    parse_cpu_ms(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// See proc_pid_stat(5): the second field is a name in parentheses that may hold anything; utime and stime are fields 14
/// and 15.
fn parse_cpu_ms(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 1_000 / TICKS_PER_SECOND)
}

/// The sum of all samples of a counter in a page of Prometheus metrics; `None` if it has none.
pub(crate) fn counter_sum(page: &str, name: &str) -> Option<u64> {
    let samples = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split_whitespace().next()?.parse::<u64>().ok()
    });
    samples.fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
}

/// A histogram without labels in a page of Prometheus metrics: upper bounds of its buckets, and how many samples each one
/// and those below it hold.
pub(crate) fn histogram(page: &str, name: &str) -> Vec<(f64, u64)> {
    let bucket = |line: &str| {
        let rest = line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"}")?;
        Some((bound.parse().ok()?, count.trim().parse().ok()?))
    };
    page.lines().filter_map(bucket).collect()
}

/// Where `share` of the samples that came between two readings of a histogram lie below, by linear interpolation in the
/// bucket; `None` without samples, or beyond the last bound.
pub(crate) fn quantile(before: &[(f64, u64)], after: &[(f64, u64)], share: f64) -> Option<f64> {
    let new: Vec<(f64, u64)> = after
        .iter()
        .map(|(bound, count)| {
            let old = before.iter().find(|(b, _)| b == bound).map_or(0, |b| b.1);
            (*bound, count.saturating_sub(old))
        })
        .collect();
    let rank = new.last().filter(|(_, all)| *all > 0)?.1 as f64 * share;
    let mut lower = (0.0, 0);
    for (bound, count) in new {
        if count as f64 >= rank {
            let inside = (rank - lower.1 as f64) / (count - lower.1) as f64;
            return bound
                .is_finite()
                .then(|| lower.0 + (bound - lower.0) * inside.clamp(0.0, 1.0));
        }
        lower = (bound, count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_any_name() {
        let stat = "7 (a) (b c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 8 9 20 0 1 0 100 0 0";
        assert_eq!(parse_cpu_ms(stat), Some(1_750));
        assert_eq!(parse_cpu_ms("7 (cut"), None);
        assert!(cpu_ms(std::process::id()).is_some());
    }

    #[test]
    fn samples_of_one_counter_are_summed() {
        let page = "# TYPE a_total counter\na_total{peer=\"1\"} 5\na_total{peer=\"}2\"} 7\na_total_more 9\nb 1\n";
        assert_eq!(counter_sum(page, "a_total"), Some(12));
        assert_eq!(counter_sum(page, "b"), Some(1));
        assert_eq!(counter_sum(page, "c"), None);
    }

    #[test]
    fn quantiles_are_of_the_samples_between_two_readings() {
        let page = |counts: [u64; 3]| {
            let [one, two, all] = counts;
            format!(
                "# TYPE t histogram\nt_bucket{{le=\"0.01\"}} {one}\nt_bucket{{le=\"0.02\"}} {two}\nt_bucket{{le=\"+Inf\"}} {all}\nt_sum 1\nt_count {all}\n"
            )
        };
        let before = histogram(&page([10, 10, 10]), "t");
        assert_eq!(before, [(0.01, 10), (0.02, 10), (f64::INFINITY, 10)]);
        let after = histogram(&page([10, 14, 15]), "t");
        assert_eq!(quantile(&before, &after, 0.4), Some(0.015));
        assert_eq!(
            quantile(&before, &after, 0.99),
            None,
            "beyond the last bound"
        );
        assert_eq!(quantile(&before, &before, 0.5), None, "no samples");
    }
}
