//! Schedules: what happened, line by line, to be read, repeated and made shorter.

use anyhow::{Context as _, Result, bail};
use touchstone_consensus::Rules;
use touchstone_types::{MemberId, View};

use crate::{
    judge::{Property, Violation},
    member::Feed,
    world::{Action, HONEST, State, World},
};

impl<R: Rules> World<R> {
    /// The action that a line stands for; none if nobody has sent, or can send, such a letter.
    fn parse(&mut self, state: State, line: &str) -> Result<Option<Action>> {
        if let Some(coin) = line.strip_prefix("coin of view ") {
            let (view, leader) = coin
                .split_once(" elects ")
                .context("a coin elects somebody")?;
            let (view, leader) = (View(view.parse()?), MemberId(leader.parse()?));
            if view.0 == 0 || view.0 > self.config.views || !self.committee().contains(leader) {
                bail!("{line}: no such view or member");
            }
            return Ok(Some(Action::Coin(view, leader)));
        }
        let (at, what) = line
            .split_once(" <- ")
            .with_context(|| format!("{line:?}: expected \"MEMBER <- LETTER\""))?;
        let at: usize = at
            .parse()
            .with_context(|| format!("{line:?}: the member"))?;
        if at >= HONEST {
            bail!("{line:?}: honest members are 0 to {}", HONEST - 1);
        }
        if what == "timer" {
            return Ok(Some(Action::Feed(at, Feed::Timer)));
        }
        let me = MemberId(u16::try_from(at)?);
        let mut all = self.sent(state);
        all.extend(self.says(state).iter());
        let mut fitting = all.into_iter().filter(|id| {
            let letter = self.post.get(*id);
            letter.name == what && letter.to.contains(me)
        });
        Ok(fitting.next().map(|id| Action::Feed(at, Feed::Letter(id))))
    }

    /// Repeats a schedule from some state; what comes of it, and which lines were possible.
    ///
    /// # Errors
    /// A line that is none.
    pub(crate) fn repeat(&mut self, from: State, lines: &[String]) -> Result<(State, Vec<String>)> {
        let mut state = from;
        let mut done = Vec::new();
        for line in lines {
            if let Some(action) = self.parse(state, line)? {
                let next = self.act(state, action)?;
                let next = self.settle(next)?;
                if next != state {
                    state = next;
                    done.push(line.clone());
                }
            }
        }
        Ok((state, done))
    }

    fn breaks(&mut self, lines: &[String], property: Property) -> Result<Option<Vec<String>>> {
        let (state, done) = self.repeat(self.start, lines)?;
        let violation: Option<Violation> = self.judge(state);
        Ok(violation.filter(|v| v.property == property).map(|_| done))
    }

    /// A schedule that breaks the same property, and from which nothing can be left out.
    ///
    /// # Errors
    /// See [`Self::repeat`].
    pub(crate) fn shorten(&mut self, lines: &[String], property: Property) -> Result<Vec<String>> {
        let mut best = match self.breaks(lines, property)? {
            Some(done) => done,
            None => bail!("the schedule does not repeat"),
        };
        let mut step = best.len().max(1);
        while step > 0 {
            let mut at = best.len();
            while at > 0 {
                at = at.saturating_sub(step);
                let end = (at + step).min(best.len());
                let mut without = best.clone();
                without.drain(at..end);
                if let Some(done) = self.breaks(&without, property)? {
                    best = done;
                    at = at.min(best.len());
                }
            }
            step /= 2;
        }
        Ok(best)
    }
}
