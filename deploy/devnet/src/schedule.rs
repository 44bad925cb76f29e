//! What is done to members at which attested round.

use crate::args::At;

/// Something done to a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// SIGKILL.
    Kill(u16),
    /// Started again.
    Restart(u16),
}

/// Actions by the count of attested rounds of this start.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// Ascending by count.
    pending: Vec<(u64, Action)>,
}

impl Schedule {
    /// The schedule of a command line.
    ///
    /// # Errors
    /// A member that the committee does not have.
    pub(crate) fn new(kills: &[At], restarts: &[At], nodes: u16) -> anyhow::Result<Self> {
        for (flag, list) in [("--kill", kills), ("--restart", restarts)] {
            if let Some(at) = list.iter().find(|at| at.member >= nodes) {
                let last = nodes.saturating_sub(1);
                anyhow::bail!("{flag} {}@{}: members are 0 to {last}", at.member, at.round);
            }
        }
        let kills = kills.iter().map(|at| (at.round, Action::Kill(at.member)));
        let restarts = restarts
            .iter()
            .map(|at| (at.round, Action::Restart(at.member)));
        let mut pending: Vec<_> = kills.chain(restarts).collect();
        // Stable: what is killed and restarted at the same round is killed first.
        pending.sort_by_key(|(round, _)| *round);
        Ok(Self { pending })
    }

    /// What is due once so many rounds are attested; each action once.
    pub(crate) fn due(&mut self, attested: u64) -> Vec<Action> {
        let count = self
            .pending
            .partition_point(|(round, _)| *round <= attested);
        self.pending
            .drain(..count)
            .map(|(_, action)| action)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> At {
        text.parse().expect(text)
    }

    #[test]
    fn each_action_comes_once_and_in_order() {
        let mut schedule = Schedule::new(&[at("3@9"), at("2@5")], &[at("2@9")], 4).expect("valid");
        assert_eq!(schedule.due(4), []);
        assert_eq!(schedule.due(5), [Action::Kill(2)]);
        assert_eq!(schedule.due(6), []);
        assert_eq!(schedule.due(20), [Action::Kill(3), Action::Restart(2)]);
        assert_eq!(schedule.due(21), []);
    }

    #[test]
    fn a_member_that_is_not_there_is_refused() {
        let error = Schedule::new(&[], &[at("4@1")], 4).expect_err("no such member");
        assert_eq!(error.to_string(), "--restart 4@1: members are 0 to 3");
    }
}
