//! The epoch record: endorsed by every member's identity, signed by the group, put together into the pin.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use touchstone_crypto::{
    DkgOutput, NonceStore, SignTarget, SignerSet, SigningPublic, aggregate, sign,
    verify_epoch_record,
};
use touchstone_types::{
    GroupSignatureEntry, MemberId, MemberSignature, NonceCommitments, Pin, Suite,
};

use super::{Action, Ceremony, CeremonyError, Said};
use crate::network::Network;

impl<G: CryptoRngCore> Ceremony<G> {
    /// Signs the record with the identity, and offers nonces for the group's signature.
    pub(super) fn endorse(&mut self, output: DkgOutput) -> Result<Vec<Action>, CeremonyError> {
        let Some(session) = self.session.as_mut() else {
            return Ok(Vec::new());
        };
        let record = output
            .public
            .clone()
            .into_record(self.manifest.epoch, self.manifest.hash());
        let signature = self.identity.sign_epoch_record(&record);
        let mut store = NonceStore::new(&mut self.rng);
        let mut commitments = Vec::new();
        for share in &output.keys {
            let (id, commitment) = store.fresh(share, &mut self.rng);
            commitments.push(commitment);
            session.nonces.extend(store.take(id));
        }
        session
            .endorsements
            .insert(self.me, (signature, commitments.clone()));
        session.record = Some(record);
        session.output = Some(output);
        let said = Said::Endorse {
            session: session.id,
            signature,
            nonces: commitments,
        };
        let mut actions = vec![Action::Send(None, said)];
        actions.extend(self.sign()?);
        actions.extend(self.assemble()?);
        Ok(actions)
    }

    /// Once everybody has endorsed: this member's shares of the group's signature, if it is one of the signers.
    pub(super) fn sign(&mut self) -> Result<Vec<Action>, CeremonyError> {
        let (me, n, threshold) = (
            self.me,
            usize::from(self.committee.n()),
            self.committee.signing_threshold(),
        );
        let Some(session) = self
            .session
            .as_mut()
            .filter(|s| !s.endorsed && s.endorsements.len() == n)
        else {
            return Ok(Vec::new());
        };
        let (Some(record), Some(output)) = (&mut session.record, &session.output) else {
            return Ok(Vec::new());
        };
        for (member, (signature, _)) in &session.endorsements {
            let key = self.identities.get(member.index());
            if key.is_none_or(|key| verify_epoch_record(key, record, signature).is_err()) {
                let problem =
                    "its signature is not one on this epoch record: its keys differ from ours";
                return Err(CeremonyError::Member {
                    member: *member,
                    problem,
                });
            }
        }
        record.member_signatures = session.endorsements.values().map(|(s, _)| *s).collect();
        session.endorsed = true;
        if me.index() >= threshold {
            return Ok(Vec::new());
        }
        let mut shares = Vec::new();
        for (share, nonces) in output.keys.iter().zip(session.nonces.drain(..)) {
            let set = signer_set(&session.endorsements, share.suite(), threshold)?;
            shares.push(sign(share, nonces, &set, &SignTarget::EpochRecord(record))?);
        }
        session.shares.insert(me, shares.clone());
        Ok(vec![Action::Send(
            None,
            Said::Shares {
                session: session.id,
                shares,
            },
        )])
    }

    /// Once all signers' shares are there: the group's signatures, and the whole pin.
    pub(super) fn assemble(&mut self) -> Result<Vec<Action>, CeremonyError> {
        let threshold = self.committee.signing_threshold();
        let Some(session) = self
            .session
            .as_mut()
            .filter(|s| s.endorsed && s.network.is_none())
        else {
            return Ok(Vec::new());
        };
        let signers = || self.committee.members().take(threshold);
        let Some(mut record) = session.record.clone() else {
            return Ok(Vec::new());
        };
        if !signers().all(|m| session.shares.contains_key(&m)) {
            return Ok(Vec::new());
        }
        for (position, keys) in record.keys.iter().enumerate() {
            let public = SigningPublic::new(self.committee, keys)?;
            let set = signer_set(&session.endorsements, keys.suite, threshold)?;
            let share = |m: MemberId| {
                let share = session
                    .shares
                    .get(&m)
                    .and_then(|s| s.get(position))
                    .copied();
                let problem = "it sent no share for one of the suites";
                share
                    .map(|s| (m, s))
                    .ok_or(CeremonyError::Member { member: m, problem })
            };
            let shares = signers().map(share).collect::<Result<Vec<_>, _>>()?;
            let signature = aggregate(&public, &set, &shares, &SignTarget::EpochRecord(&record))?;
            record.group_signatures.push(GroupSignatureEntry {
                suite: keys.suite,
                signature: signature.into_bytes(),
            });
            // The digest that is signed does not cover the signatures, so the next suite signs the same.
        }
        let pin = Pin {
            genesis_manifest: self.manifest.clone(),
            genesis_record: record,
            later: Vec::new(),
        };
        session.network = Some(Network::new(pin)?);
        Ok(vec![Action::Stage])
    }
}

/// The first members, with the commitments that they endorsed with.
fn signer_set(
    endorsements: &BTreeMap<MemberId, (MemberSignature, Vec<NonceCommitments>)>,
    suite: Suite,
    threshold: usize,
) -> Result<SignerSet, CeremonyError> {
    let commitments = |(member, (_, nonces)): (&MemberId, &(_, Vec<NonceCommitments>))| {
        let nonce = nonces.iter().find(|n| n.suite == suite);
        let problem = "it brought no nonce commitments for one of the suites";
        nonce
            .map(|n| (*member, n.bytes.clone()))
            .ok_or(CeremonyError::Member {
                member: *member,
                problem,
            })
    };
    let entries = endorsements
        .iter()
        .take(threshold)
        .map(commitments)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SignerSet::decode(suite, &entries)?)
}
