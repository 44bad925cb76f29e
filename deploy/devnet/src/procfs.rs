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
}
