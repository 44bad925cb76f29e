//! What a Byzantine member knows from the messages that it got.

use std::{collections::BTreeMap, sync::Arc};

use touchstone_consensus::{Content, LockProof, Message, Qc, Signed, Standing, Tc};
use touchstone_crypto::CoinShare;
use touchstone_types::{Committee, Digest, MemberId, MemberSet, MemberSignature, Round, View};

pub(super) type Statement = (Standing, MemberSignature, Option<LockProof>);

/// Statements, observations, certificates and coin shares by round and view.
#[derive(Default)]
pub(super) struct Intel {
    pub(super) observations: BTreeMap<Round, BTreeMap<MemberId, Vec<Digest>>>,
    pub(super) statements: BTreeMap<(Round, View), BTreeMap<MemberId, Statement>>,
    pub(super) locks: BTreeMap<(Round, View), Vec<Arc<Qc>>>,
    /// Acknowledgements of the member's own proposals.
    pub(super) acks: BTreeMap<(Round, View, Digest), BTreeMap<MemberId, MemberSignature>>,
    pub(super) coins: BTreeMap<(Round, View), BTreeMap<MemberId, CoinShare>>,
    /// The signers that view 0's proposal names.
    pub(super) signers: BTreeMap<Round, MemberSet>,
}

impl Intel {
    pub(super) fn see(&mut self, message: &Message) {
        let Message::Signed(Signed {
            header: h,
            signature,
            content,
        }) = message
        else {
            return;
        };
        let place = (h.round, h.view);
        if let Content::Status { coin, .. } = content {
            self.coins
                .entry(place)
                .or_default()
                .extend(coin.iter().copied());
        }
        match content {
            Content::Obs { .. } => {
                let of = self
                    .observations
                    .entry(h.round)
                    .or_default()
                    .entry(h.member)
                    .or_default();
                if !of.contains(&h.body_hash) {
                    of.push(h.body_hash);
                }
            }
            Content::Timeout { standing, proof }
            | Content::Status {
                standing, proof, ..
            } => {
                let entry = (standing.clone(), *signature, proof.clone());
                self.statements
                    .entry(place)
                    .or_default()
                    .insert(h.member, entry);
            }
            Content::Propose0 { list, .. } => {
                if let Some(session) = list.session {
                    self.signers.insert(h.round, session.signers);
                }
            }
            Content::Lock(qc) => self.locks.entry(place).or_default().push(Arc::clone(qc)),
            Content::Ack(value) => {
                self.acks
                    .entry((h.round, h.view, *value))
                    .or_default()
                    .insert(h.member, *signature);
            }
            Content::Coin(share) => {
                self.coins
                    .entry(place)
                    .or_default()
                    .insert(h.member, *share);
            }
            _ => {}
        }
    }

    /// The right to enter the view after this one, by the quorum of statements with the lowest locks.
    pub(super) fn lowest_tc(
        &self,
        committee: Committee,
        round: Round,
        left: View,
    ) -> Option<(Tc, Option<LockProof>)> {
        let statements = self.statements.get(&(round, left))?;
        let mut lowest: Vec<_> = statements.iter().collect();
        lowest.sort_by_key(|(_, (standing, ..))| standing.lock);
        lowest.truncate(committee.quorum());
        if lowest.len() < committee.quorum() {
            return None;
        }
        let highest = lowest.last().and_then(|(_, (_, _, proof))| proof.clone());
        lowest.sort_by_key(|(member, _)| **member);
        let standings = lowest
            .into_iter()
            .map(|(m, (s, sig, _))| (*m, s.clone(), *sig))
            .collect();
        Some((
            Tc {
                view: left,
                standings,
            },
            highest,
        ))
    }
}
