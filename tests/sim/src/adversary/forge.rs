//! Messages with something wrong in them, which nobody may take for right.

use std::sync::Arc;

use touchstone_consensus::{Content, LockProof, Qc, Reply, Signed, Tc};
use touchstone_types::{Attestation, MemberId, MemberSet, MessageKind, View, sha256};

use super::{Behaviour, Emission, Program, Puppet, bend::complete};

impl Program {
    /// What goes out before a right message to spoil it for those who believe it.
    pub(super) fn forge(&mut self, p: &mut Puppet<'_>, to: MemberSet, signed: &Signed) {
        let h = signed.header;
        if self.will(Behaviour::BadQc)
            && let Some(bad) = self.spoil(&signed.content)
        {
            p.say(to, h.round, complete(h.view, h.instance, bad));
        }
        if self.will(Behaviour::OtherEpoch) && self.dice.chance(300) {
            let own = std::mem::replace(&mut p.tag, sha256(&[b"another epoch"]));
            let content = signed.content.clone();
            let other = p.seal(h.round, complete(h.view, h.instance, content));
            p.tag = own;
            if let Some(other) = other {
                let bytes = other.to_bytes();
                p.out.push(Emission::Bytes(to, h.round, bytes));
            }
        }
    }

    /// READY with nonces of an earlier one, and to somebody else.
    pub(super) fn offer_falsely(&mut self, p: &mut Puppet<'_>, honest: &Signed) {
        let Content::Ready(nonces) = &honest.content else {
            return;
        };
        let h = honest.header;
        let earlier = self.dice.pick(&self.offered).cloned();
        self.offered.push(nonces.clone());
        let offer = Content::Ready(earlier.unwrap_or_else(|| nonces.clone()));
        let other = self.dice.member(p.committee);
        let to = [other, MemberId(h.instance)].into_iter().collect();
        let instance = if self.dice.chance(500) {
            other.0
        } else {
            h.instance
        };
        let slot = View(h.view.0 + u32::from(self.dice.chance(500)));
        p.say(to, h.round, complete(slot, instance, offer));
    }

    /// The same answer, with a certificate or a signature that proves nothing.
    pub(super) fn spoil_reply(&mut self, reply: &Reply) -> Option<Reply> {
        match reply {
            Reply::Decide(decision) => {
                let mut bad = decision.clone();
                match self.dice.below(4) {
                    0 => bad.coin.truncate(bad.coin.len() / 2),
                    1 => bad.coin.iter_mut().for_each(|(_, s)| s.value[31] ^= 1),
                    _ => bad.qc = self.spoil_qc(&bad.qc),
                }
                Some(Reply::Decide(bad))
            }
            Reply::Cert(attestation) => {
                let mut bad = Attestation::clone(attestation);
                match self.dice.below(3) {
                    0 => bad.statement.timestamp_ms ^= 1,
                    1 => bad.leaves.truncate(1),
                    _ => bad.signatures.iter_mut().for_each(|(_, s)| s.reverse()),
                }
                Some(Reply::Cert(Arc::new(bad)))
            }
            Reply::Value { list, observations } => {
                let mut bad = observations.clone();
                bad.reverse();
                bad.pop()?;
                let list = Arc::clone(list);
                Some(Reply::Value {
                    list,
                    observations: bad,
                })
            }
            Reply::Fetch { .. } | Reply::Want => None,
        }
    }

    fn spoil(&mut self, content: &Content) -> Option<Content> {
        let mut bad = content.clone();
        match &mut bad {
            Content::Lock(qc) | Content::Done(qc) => *qc = self.spoil_qc(qc),
            Content::Timeout { proof, .. } => self.spoil_proof(proof.as_mut()?),
            Content::Propose { tc, proof, .. } => match proof {
                Some(proof) if self.dice.chance(500) => self.spoil_proof(proof),
                _ => *tc = self.spoil_tc(tc),
            },
            Content::Status {
                proof,
                decided,
                coin,
                ..
            } => match (proof, decided) {
                (Some(proof), _) if self.dice.chance(400) => self.spoil_proof(proof),
                (_, Some(qc)) if self.dice.chance(500) => *qc = self.spoil_qc(qc),
                _ => drop(coin.pop()),
            },
            _ => return None,
        }
        Some(bad)
    }

    fn spoil_proof(&mut self, proof: &mut LockProof) {
        if self.dice.chance(700) || proof.coin.is_empty() {
            proof.qc = self.spoil_qc(&proof.qc);
        } else {
            proof.coin = proof.coin.iter().skip(1).copied().collect();
        }
    }

    fn spoil_qc(&mut self, qc: &Qc) -> Arc<Qc> {
        let mut bad = qc.clone();
        match self.dice.below(7) {
            0 => {
                // One too few.
                bad.signers = bad.signers.iter().skip(1).collect();
                bad.signatures = bad.signatures.split_off(1.min(bad.signatures.len()));
                bad.extras = bad.extras.split_off(1.min(bad.extras.len()));
            }
            1 => {
                // One of them twice.
                let first = bad.signatures.first().copied();
                if let (Some(last), Some(first)) = (bad.signatures.last_mut(), first) {
                    *last = first;
                }
            }
            2 => bad.view = View(bad.view.0 + 1),
            3 => bad.value = sha256(&[b"another value"]),
            4 => {
                // Signed by others than it says.
                let shifted = bad.signers.iter().map(|m| MemberId(m.0 + 1));
                bad.signers = shifted.collect();
            }
            5 => return self.another_qc(qc).unwrap_or_else(|| Arc::new(bad)),
            _ => {
                bad.kind = match bad.kind {
                    MessageKind::Prepare => MessageKind::Commit,
                    MessageKind::Commit => MessageKind::Prepare,
                    MessageKind::Vote => MessageKind::Ack,
                    _ => MessageKind::Vote,
                };
            }
        }
        Arc::new(bad)
    }

    /// A certificate of another round or view.
    fn another_qc(&mut self, qc: &Qc) -> Option<Arc<Qc>> {
        let others = self.intel.locks.values().flatten();
        let others: Vec<_> = others.filter(|other| ***other != *qc).collect();
        self.dice.pick(&others).map(|other| Arc::clone(other))
    }

    fn spoil_tc(&mut self, tc: &Tc) -> Arc<Tc> {
        let mut bad = tc.clone();
        match self.dice.below(4) {
            0 => drop(bad.standings.pop()),
            1 => {
                // One of them twice.
                let first = bad.standings.first().cloned();
                if let (Some(last), Some(first)) = (bad.standings.last_mut(), first) {
                    *last = first;
                }
            }
            2 => {
                for (_, standing, _) in &mut bad.standings {
                    standing.lock = None;
                }
            }
            _ => bad.view = View(bad.view.0 + 1),
        }
        Arc::new(bad)
    }
}
