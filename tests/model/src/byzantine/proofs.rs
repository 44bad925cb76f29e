//! Certificates, coins, locks and decisions that what was sent proves, with the Byzantine member's own signatures.

use std::{collections::BTreeMap, sync::Arc};

use touchstone_consensus::{Content, Decision, LockProof, Message, Qc, Rules};
use touchstone_crypto::CoinShare;
use touchstone_types::{Digest, MemberId, MemberSignature, MessageKind, View};

use super::Letters;
use crate::{
    symbols,
    world::{BYZANTINE, State, World},
};

impl<R: Rules> World<R> {
    pub(super) fn own_coin(&self, view: View) -> CoinShare {
        symbols::coin_share(BYZANTINE, self.round, view)
    }

    /// Shares that open a view's coin, if enough of them were sent.
    pub(super) fn coin(&self, letters: &Letters, view: View) -> Option<Vec<(MemberId, CoinShare)>> {
        let shares = letters.iter().filter_map(|(_, l)| match &l.message {
            Message::Signed(signed) if l.is(MessageKind::Coin, view) => match &signed.content {
                Content::Coin(share) => Some((l.from, *share)),
                _ => None,
            },
            _ => None,
        });
        let own = [(BYZANTINE, self.own_coin(view))];
        let shares: BTreeMap<_, _> = shares.chain(own).collect();
        let threshold = self.committee().coin_threshold();
        let others = shares.into_iter().rev().take(threshold);
        let mut some: Vec<_> = others.collect();
        some.sort_by_key(|(member, _)| *member);
        (some.len() >= threshold).then_some(some)
    }

    /// Certificates for an instance, one for each value that has enough votes.
    pub(crate) fn certificates(
        &self,
        letters: &Letters,
        kind: MessageKind,
        view: View,
        instance: MemberId,
    ) -> Vec<Arc<Qc>> {
        let by_others = match kind {
            MessageKind::Vote => Some(MessageKind::Lock),
            MessageKind::Ack => Some(MessageKind::Done),
            _ => None,
        };
        if let Some(shown) = by_others.filter(|_| instance != BYZANTINE) {
            let shown = letters.iter().filter_map(|(_, l)| match &l.message {
                Message::Signed(s) if l.is(shown, view) && l.from == instance => match &s.content {
                    Content::Lock(qc) | Content::Done(qc) => Some(Arc::clone(qc)),
                    _ => None,
                },
                _ => None,
            });
            return shown.collect();
        }
        let slot = if view == View(0) { 0 } else { instance.0 };
        let mut votes: BTreeMap<Digest, Vec<(MemberId, MemberSignature, Option<Digest>)>> =
            BTreeMap::new();
        for (_, letter) in letters {
            let (Message::Signed(signed), Some(value)) = (&letter.message, letter.value) else {
                continue;
            };
            if letter.is(kind, view) && letter.instance == slot {
                let vote = (letter.from, signed.signature, extra(&signed.content));
                votes.entry(value).or_default().push(vote);
            }
        }
        let quorum = self.members.rules.quorum(self.committee());
        let mut out = Vec::new();
        for (value, mut honest) in votes {
            honest.sort_by_key(|(member, ..)| *member);
            honest.truncate(quorum - 1);
            honest.push(self.own_vote(kind, view, slot, value));
            if honest.len() < quorum {
                continue;
            }
            out.push(Arc::new(Qc {
                kind,
                view,
                instance: slot,
                value,
                signers: honest.iter().map(|(m, ..)| *m).collect(),
                signatures: honest.iter().map(|(_, s, _)| *s).collect(),
                extras: honest.iter().filter_map(|(.., e)| *e).collect(),
            }));
        }
        out
    }

    fn own_vote(
        &self,
        kind: MessageKind,
        view: View,
        instance: u16,
        value: Digest,
    ) -> (MemberId, MemberSignature, Option<Digest>) {
        let content = match kind {
            MessageKind::Prepare => Content::Prepare(value),
            MessageKind::Vote => Content::Vote(value),
            MessageKind::Ack => Content::Ack(value),
            _ => Content::Commit {
                value,
                nonces: symbols::commitments(BYZANTINE, 1_000),
                share: None,
            },
        };
        let signed = self.sign(view, instance, content);
        (BYZANTINE, signed.signature, extra(&signed.content))
    }

    /// Locks that can be proved, of views up to this one, in ascending order.
    pub(crate) fn locks(&self, state: State, letters: &Letters, view: View) -> Vec<LockProof> {
        let none: Arc<[(MemberId, CoinShare)]> = Arc::from([]);
        let prepared = self.certificates(letters, MessageKind::Prepare, View(0), BYZANTINE);
        let mut out: Vec<_> = prepared
            .into_iter()
            .map(|qc| LockProof {
                qc,
                coin: Arc::clone(&none),
            })
            .collect();
        for view in (1..=view.0).map(View) {
            let (Some(coin), Some(leader)) = (self.coin(letters, view), state.coins.leader(view))
            else {
                continue;
            };
            let coin: Arc<[_]> = coin.into();
            for instance in self.committee().members() {
                // Others are refused by whoever gets them, unless a mutant dropped that rule.
                if instance == leader || !self.members.rules.lock_of_elected() {
                    let certificates =
                        self.certificates(letters, MessageKind::Vote, view, instance);
                    out.extend(certificates.into_iter().map(|qc| LockProof {
                        qc,
                        coin: Arc::clone(&coin),
                    }));
                }
            }
        }
        out
    }

    /// Decisions that can be proved, with their values.
    pub(crate) fn decisions(&self, state: State, letters: &Letters) -> Vec<(Digest, Decision)> {
        let commits = self.certificates(letters, MessageKind::Commit, View(0), BYZANTINE);
        let mut out: Vec<_> = commits
            .into_iter()
            .map(|qc| {
                (
                    qc.value,
                    Decision {
                        qc,
                        coin: Vec::new(),
                    },
                )
            })
            .collect();
        for view in (1..=self.config.views).map(View) {
            let (Some(coin), Some(leader)) = (self.coin(letters, view), state.coins.leader(view))
            else {
                continue;
            };
            for qc in self.certificates(letters, MessageKind::Ack, view, leader) {
                let coin = coin.clone();
                out.push((qc.value, Decision { qc, coin }));
            }
        }
        out
    }
}

/// The hash of what a COMMIT brings beside its vote.
fn extra(content: &Content) -> Option<Digest> {
    // The signed body of COMMIT is the value and this hash.
    let Content::Commit { .. } = content else {
        return None;
    };
    let body = content.body();
    body.get(32..64)?.try_into().ok().map(Digest)
}
