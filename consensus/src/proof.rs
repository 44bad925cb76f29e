//! What proves something to others: values, locks, quorum certificates and the statements that end a view.

use std::sync::Arc;

use touchstone_crypto::{CoinShare, coin::COIN_SHARE_BYTES};
use touchstone_types::{
    Committee, DecodeError, Digest, Header, MemberId, MemberSet, MemberSignature, MessageKind,
    NonceCommitments, Reader, Round, View, read_nonces, sha256, write_nonces,
};

const SIGNATURE_BYTES: usize = 64;
const CONTRIBUTOR_BYTES: usize = 34;

fn invalid(field: &'static str, reason: &'static str) -> DecodeError {
    DecodeError::Invalid { field, reason }
}

/// What a round agrees on: which observation of which member counts. The report follows from it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Value {
    /// Contributors in ascending order, each with the hash of its observation's body.
    pub contributors: Vec<(MemberId, Digest)>,
    /// Who shall sign the report; none where the proposer has too few usable nonces.
    pub session: Option<ValueSession>,
}

/// The signing session that belongs to a value: once the value is decided its signers release their shares without being
/// asked, and in view 0 as soon as they are locked on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ValueSession {
    /// The view that the value was first proposed in, hence which nonces are used: those of OBS in view 0, of TIMEOUT in view 1,
    /// of STATUS of the view before in later ones.
    pub view: View,
    /// The signers.
    pub signers: MemberSet,
    /// [`touchstone_types::SigningSession::digest`].
    pub digest: Digest,
}

impl Value {
    /// The value's name: `SHA-256("touchstone/val/1", tag, round u64, bytes)`.
    pub fn hash(&self, tag: Digest, round: Round) -> Digest {
        let mut bytes =
            Vec::with_capacity(self.contributors.len().saturating_mul(CONTRIBUTOR_BYTES));
        self.write(&mut bytes);
        sha256(&[b"touchstone/val/1", &tag.0, &round.0.to_be_bytes(), &bytes])
    }

    /// Whether the value has from `n - f` to `n` contributors of the committee, in strictly ascending order, and as many signers
    /// as the committee's key needs (`threshold`), of its contributors if the nonces are those of observations.
    pub fn well_formed(&self, committee: Committee, threshold: usize) -> bool {
        let c = &self.contributors;
        let signers_fit = self.session.is_none_or(|s| {
            s.signers.len() == threshold
                && s.signers.within(committee)
                && (s.view > View(0) || s.signers.0 & !self.members().0 == 0)
        });
        signers_fit
            && c.len() >= committee.quorum()
            && c.windows(2).all(|w| matches!(w, [a, b] if a.0 < b.0))
            && c.last().is_some_and(|(last, _)| committee.contains(*last))
    }

    /// The contributors without their hashes.
    pub fn members(&self) -> MemberSet {
        self.contributors.iter().map(|(m, _)| *m).collect()
    }

    /// `count u16 | count x (member u16 | hash (32)) | session u8 | view u32 | signers u128 | digest (32)`, the last three only
    /// where there is a session.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let count = u16::try_from(self.contributors.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for (member, hash) in &self.contributors {
            out.extend_from_slice(&member.0.to_be_bytes());
            out.extend_from_slice(&hash.0);
        }
        let Some(session) = &self.session else {
            out.push(0);
            return;
        };
        out.push(1);
        out.extend_from_slice(&session.view.0.to_be_bytes());
        out.extend_from_slice(&session.signers.0.to_be_bytes());
        out.extend_from_slice(&session.digest.0);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u16("value count")?);
        let mut contributors =
            Vec::with_capacity(count.min(reader.remaining() / CONTRIBUTOR_BYTES));
        for _ in 0..count {
            let member = MemberId(reader.u16("contributor")?);
            contributors.push((member, Digest(reader.array("contributor hash")?)));
        }
        let session = match reader.u8("value session")? {
            0 => None,
            1 => Some(ValueSession {
                view: View(reader.u32("session view")?),
                signers: MemberSet(u128::from_be_bytes(reader.array("session signers")?)),
                digest: Digest(reader.array("session digest")?),
            }),
            _ => return Err(invalid("value session", "must be 0 or 1")),
        };
        Ok(Self {
            contributors,
            session,
        })
    }
}

/// What a member must not forget within a round: the value that may have been decided, and in which view it got there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lock {
    /// The view of the certificate behind the lock.
    pub view: View,
    /// The value.
    pub value: Digest,
}

/// The signed body of TIMEOUT and STATUS: `locked u8 | view u32 | value (32) | suites u8 | suites x (suite u8 | nonce
/// commitments)`, view and value only if locked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The member's lock when it left the view.
    pub lock: Option<Lock>,
    /// Fresh nonce commitments for the session of a value that is first proposed in the next view.
    pub nonces: Vec<NonceCommitments>,
}

impl Standing {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self.lock {
            None => out.push(0),
            Some(lock) => {
                out.push(1);
                out.extend_from_slice(&lock.view.0.to_be_bytes());
                out.extend_from_slice(&lock.value.0);
            }
        }
        write_nonces(&self.nonces, out);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let lock = match reader.u8("locked")? {
            0 => None,
            1 => Some(Lock {
                view: View(reader.u32("lock view")?),
                value: Digest(reader.array("lock value")?),
            }),
            _ => return Err(invalid("locked", "must be 0 or 1")),
        };
        let nonces = read_nonces(reader)?;
        Ok(Self { lock, nonces })
    }

    fn hash(&self) -> Digest {
        let mut body = Vec::new();
        self.write(&mut body);
        sha256(&[&body])
    }
}

/// Signatures of `n - f` members over the same vote: a quorum certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qc {
    /// The kind of vote: PREPARE or COMMIT in view 0, VOTE or ACK above.
    pub kind: MessageKind,
    /// The view of the votes.
    pub view: View,
    /// The instance that they are for.
    pub instance: u16,
    /// The value.
    pub value: Digest,
    /// Who signed.
    pub signers: MemberSet,
    /// Their signatures, in ascending order of member.
    pub signatures: Vec<MemberSignature>,
    /// Of COMMIT the hash of what each one brought beside the vote, in the same order; of others nothing.
    pub extras: Vec<Digest>,
}

impl Qc {
    /// The lock that this certificate justifies.
    pub fn lock(&self) -> Lock {
        Lock {
            view: self.view,
            value: self.value,
        }
    }

    /// Whether kind and view fit each other and the signers are at least `quorum` members of the committee.
    pub fn well_formed(&self, committee: Committee, quorum: usize) -> bool {
        let fits = match self.kind {
            MessageKind::Prepare | MessageKind::Commit => {
                self.view == View(0) && self.instance == 0
            }
            MessageKind::Vote | MessageKind::Ack => {
                self.view > View(0) && self.instance < committee.n()
            }
            _ => false,
        };
        fits && self.signers.within(committee)
            && self.signers.len() >= quorum
            && self.signers.len() == self.signatures.len()
            && self.extras.len() == self.extras_needed()
    }

    /// The headers that the signatures are over, with the signatures.
    pub fn signed(
        &self,
        tag: Digest,
        round: Round,
    ) -> impl Iterator<Item = (Header, MemberSignature)> {
        let template = Header {
            tag,
            kind: self.kind,
            round,
            view: self.view,
            instance: self.instance,
            member: MemberId(0),
            body_hash: sha256(&[&self.value.0]),
        };
        let members = self.signers.iter().zip(&self.signatures).enumerate();
        members.map(move |(at, (member, signature))| {
            let body_hash = match self.extras.get(at) {
                Some(extra) => sha256(&[&self.value.0, &extra.0]),
                None => template.body_hash,
            };
            let header = Header {
                member,
                body_hash,
                ..template
            };
            (header, *signature)
        })
    }

    fn extras_needed(&self) -> usize {
        match self.kind {
            MessageKind::Commit => self.signers.len(),
            _ => 0,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind.byte());
        out.extend_from_slice(&self.view.0.to_be_bytes());
        out.extend_from_slice(&self.instance.to_be_bytes());
        out.extend_from_slice(&self.value.0);
        out.extend_from_slice(&self.signers.0.to_be_bytes());
        for signature in &self.signatures {
            out.extend_from_slice(&signature.0);
        }
        for extra in &self.extras {
            out.extend_from_slice(&extra.0);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = MessageKind::from_byte(reader.u8("certificate kind")?)
            .ok_or_else(|| invalid("certificate kind", "unknown"))?;
        let view = View(reader.u32("certificate view")?);
        let instance = reader.u16("certificate instance")?;
        let value = Digest(reader.array("certificate value")?);
        let signers = MemberSet(u128::from_be_bytes(reader.array("certificate signers")?));
        let mut signatures =
            Vec::with_capacity(signers.len().min(reader.remaining() / SIGNATURE_BYTES));
        for _ in 0..signers.len() {
            signatures.push(MemberSignature(reader.array("certificate signature")?));
        }
        let mut qc = Self {
            kind,
            view,
            instance,
            value,
            signers,
            signatures,
            extras: Vec::new(),
        };
        for _ in 0..qc.extras_needed() {
            qc.extras.push(Digest(reader.array("certificate extra")?));
        }
        Ok(qc)
    }
}

/// Why a lock is believed: the certificate and, above view 0, the coin that elected the certificate's instance. Without the
/// coin the certificate of a member that was not elected would pass for one that was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockProof {
    /// Votes or acknowledgements for the locked value.
    pub qc: Arc<Qc>,
    /// Shares that open the coin of the certificate's view.
    pub coin: Arc<[(MemberId, CoinShare)]>,
}

impl LockProof {
    /// The lock.
    pub fn lock(&self) -> Lock {
        self.qc.lock()
    }

    pub(crate) fn write_option(proof: Option<&Self>, out: &mut Vec<u8>) {
        write_option(proof.map(|p| &*p.qc), out);
        if let Some(proof) = proof {
            write_coin(&proof.coin, out);
        }
    }

    pub(crate) fn read_option(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let Some(qc) = read_option(reader)? else {
            return Ok(None);
        };
        let coin = read_coin(reader)?.into();
        Ok(Some(Self { qc, coin }))
    }
}

pub(crate) fn write_coin(shares: &[(MemberId, CoinShare)], out: &mut Vec<u8>) {
    let count = u16::try_from(shares.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for (member, share) in shares {
        out.extend_from_slice(&member.0.to_be_bytes());
        out.extend_from_slice(&share.to_bytes());
    }
}

pub(crate) fn read_coin(
    reader: &mut Reader<'_>,
) -> Result<Vec<(MemberId, CoinShare)>, DecodeError> {
    let count = usize::from(reader.u16("coin share count")?);
    let mut shares = Vec::with_capacity(count.min(reader.remaining() / COIN_SHARE_BYTES));
    for _ in 0..count {
        let member = MemberId(reader.u16("coin share member")?);
        shares.push((member, read_coin_share(reader)?));
    }
    Ok(shares)
}

pub(crate) fn read_coin_share(reader: &mut Reader<'_>) -> Result<CoinShare, DecodeError> {
    let bytes = reader.take(COIN_SHARE_BYTES, "coin share")?;
    CoinShare::from_bytes(bytes).ok_or_else(|| invalid("coin share", "must be a point and a proof"))
}

/// An optional certificate: one byte says whether it is there.
pub(crate) fn write_option(qc: Option<&Qc>, out: &mut Vec<u8>) {
    match qc {
        None => out.push(0),
        Some(qc) => {
            out.push(1);
            qc.write(out);
        }
    }
}

pub(crate) fn read_option(reader: &mut Reader<'_>) -> Result<Option<Arc<Qc>>, DecodeError> {
    match reader.u8("certificate present")? {
        0 => Ok(None),
        1 => Qc::read(reader).map(|qc| Some(Arc::new(qc))),
        _ => Err(invalid("certificate present", "must be 0 or 1")),
    }
}

/// How `n - f` members left a view, each in its own signed words: the right to enter the next view.
///
/// Only the certificate of the highest lock travels with it; lower locks need no proof, because nothing follows from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tc {
    /// The view that was left: 0 for TIMEOUT, above for STATUS.
    pub view: View,
    /// The statements in ascending order of member.
    pub standings: Vec<(MemberId, Standing, MemberSignature)>,
}

impl Tc {
    /// The highest lock among the statements.
    pub fn highest_lock(&self) -> Option<Lock> {
        self.standings.iter().filter_map(|(_, s, _)| s.lock).max()
    }

    /// Whether at least `quorum` distinct members of the committee speak, and no lock is from a later view than the one left.
    pub fn well_formed(&self, committee: Committee, quorum: usize) -> bool {
        let s = &self.standings;
        s.len() >= quorum
            && s.windows(2).all(|w| matches!(w, [a, b] if a.0 < b.0))
            && s.last().is_some_and(|(last, ..)| committee.contains(*last))
            && s.iter()
                .all(|(_, s, _)| s.lock.is_none_or(|l| l.view <= self.view))
    }

    /// The headers that the signatures are over, with the signatures.
    pub fn signed(
        &self,
        tag: Digest,
        round: Round,
    ) -> impl Iterator<Item = (Header, MemberSignature)> {
        let kind = if self.view == View(0) {
            MessageKind::Timeout
        } else {
            MessageKind::Status
        };
        self.standings
            .iter()
            .map(move |(member, standing, signature)| {
                let header = Header {
                    tag,
                    kind,
                    round,
                    view: self.view,
                    instance: 0,
                    member: *member,
                    body_hash: standing.hash(),
                };
                (header, *signature)
            })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.view.0.to_be_bytes());
        let count = u16::try_from(self.standings.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for (member, standing, signature) in &self.standings {
            out.extend_from_slice(&member.0.to_be_bytes());
            standing.write(out);
            out.extend_from_slice(&signature.0);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let view = View(reader.u32("statement view")?);
        let count = usize::from(reader.u16("statement count")?);
        let mut standings = Vec::with_capacity(count.min(reader.remaining() / SIGNATURE_BYTES));
        for _ in 0..count {
            let member = MemberId(reader.u16("statement member")?);
            let standing = Standing::read(reader)?;
            let signature = MemberSignature(reader.array("statement signature")?);
            standings.push((member, standing, signature));
        }
        Ok(Self { view, standings })
    }
}
