//! Key generation among all members of a manifest, up to the point where every member holds the whole signed epoch record.
//!
//! A sans-IO state machine around [`Dkg`]; [`driver`] connects it to the mesh and to the disk. All members take part:
//!
//! 1. **Hello**: each process draws a random number. The session's id is the hash of the manifest and all members' numbers,
//!    so a process that starts again never meets its own former session, in which it would contradict itself.
//! 2. The key generation, which compares transcripts.
//! 3. **Endorse**: each member signs the epoch record with its identity and brings fresh nonce commitments.
//! 4. **Sign**: the first `n - f` members make the group's first signature, the one on the epoch record.
//! 5. **Staged**: each member checks the whole pin, writes it and its shares to the disk under provisional names, and says
//!    which pin it holds. When all say the same, everybody gives the files their names.
//! 6. **Done**: a member has finished and goes when all have.

pub(crate) mod driver;
mod message;
mod record;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use rand_core::CryptoRngCore;
use thiserror::Error;
use touchstone_crypto::{
    AggregateError, CoinSecretShare, Dkg, DkgEnvelope, DkgError, DkgOutput, DkgSetup, IdentityKey,
    IdentityPublic, KeyError, Nonces, SignError, SignatureShare, SigningShare,
};
use touchstone_types::{
    Committee, CommitteeError, Digest, EpochRecord, Manifest, MemberId, MemberSignature,
    NonceCommitments, Pin, sha256,
};

use crate::network::{self, Network, NetworkError};
pub(crate) use message::{FRAME_BYTES_MAX, Said};

const SESSION_TAG: &[u8] = b"touchstone/dkg/session/1";
/// Messages of one member that are kept for a session which has not begun here.
const EARLY_MAX: usize = 8;

/// Why there will be no keys.
#[derive(Debug, Error)]
pub(crate) enum CeremonyError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    #[error(transparent)]
    Setup(#[from] touchstone_crypto::dkg::DkgSetupError),
    #[error(transparent)]
    Dkg(#[from] DkgError),
    #[error("the new keys do not fit together: {0}")]
    Keys(#[from] KeyError),
    #[error("signing the epoch record: {0}")]
    Sign(#[from] SignError),
    #[error("signing the epoch record: {0}")]
    Aggregate(#[from] AggregateError),
    #[error("member {member}: {problem}")]
    Member {
        member: MemberId,
        problem: &'static str,
    },
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send to one member, or to all others.
    Send(Option<MemberId>, Said),
    /// A session begins: whatever was sent in an earlier one is void.
    Begin,
    /// Write pin and shares to the disk under provisional names, then call [`Ceremony::staged`].
    Stage,
    /// Everybody holds the same: give the files their names.
    Commit,
    /// Everybody has finished.
    Leave,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Hello,
    Keys,
    Endorse,
    Sign,
    Staging,
    Done,
}

impl Stage {
    /// What a person reads.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Hello => "gathering the members",
            Self::Keys => "generating the keys",
            Self::Endorse => "collecting every member's signature on the epoch record",
            Self::Sign => "making the group's first signature",
            Self::Staging => "comparing the results",
            Self::Done => "finished, waiting for the others",
        }
    }
}

/// One session.
struct Session {
    id: Digest,
    dkg: Dkg,
    output: Option<DkgOutput>,
    record: Option<EpochRecord>,
    nonces: Vec<Nonces>,
    endorsements: BTreeMap<MemberId, (MemberSignature, Vec<NonceCommitments>)>,
    endorsed: bool,
    shares: BTreeMap<MemberId, Vec<SignatureShare>>,
    network: Option<Network>,
    staged: BTreeMap<MemberId, Digest>,
}

/// One member's part.
pub(crate) struct Ceremony<G: CryptoRngCore> {
    manifest: Manifest,
    committee: Committee,
    identities: Vec<IdentityPublic>,
    me: MemberId,
    identity: Arc<IdentityKey>,
    rng: G,
    hellos: BTreeMap<MemberId, [u8; 32]>,
    /// Sessions of this process; none is entered twice.
    entered: Vec<Digest>,
    session: Option<Session>,
    early: BTreeMap<MemberId, VecDeque<Said>>,
    committed: bool,
    done: BTreeMap<MemberId, ()>,
}

impl<G: CryptoRngCore> Ceremony<G> {
    /// The part of the member that has this identity.
    pub(crate) fn new(
        manifest: Manifest,
        identity: Arc<IdentityKey>,
        mut rng: G,
    ) -> Result<Self, CeremonyError> {
        let me = network::member_of(&manifest, identity.public())?;
        let mut number = [0; 32];
        rng.fill_bytes(&mut number);
        Ok(Self {
            committee: manifest.committee()?,
            identities: network::identities(&manifest)?,
            manifest,
            me,
            identity,
            rng,
            hellos: BTreeMap::from([(me, number)]),
            entered: Vec::new(),
            session: None,
            early: BTreeMap::new(),
            committed: false,
            done: BTreeMap::new(),
        })
    }

    /// What to say first, and again after every [`Action::Begin`].
    pub(crate) fn hello(&self) -> Said {
        Said::Hello {
            manifest: self.manifest.hash(),
            number: self.hellos.get(&self.me).copied().unwrap_or_default(),
        }
    }

    /// The member's index.
    pub(crate) fn me(&self) -> MemberId {
        self.me
    }

    /// How far it is.
    pub(crate) fn stage(&self) -> Stage {
        match &self.session {
            _ if self.committed => Stage::Done,
            None => Stage::Hello,
            Some(s) if s.output.is_none() => Stage::Keys,
            Some(s) if !s.endorsed => Stage::Endorse,
            Some(s) if s.network.is_none() => Stage::Sign,
            Some(_) => Stage::Staging,
        }
    }

    /// Who is waited for.
    pub(crate) fn waiting_for(&self) -> Vec<MemberId> {
        let signers = self.committee.signing_threshold();
        let missing = |m: &MemberId| match (&self.session, self.stage()) {
            (_, Stage::Done) => !self.done.contains_key(m),
            (Some(s), Stage::Endorse) => !s.endorsements.contains_key(m),
            (Some(s), Stage::Sign) => m.index() < signers && !s.shares.contains_key(m),
            (Some(s), Stage::Staging) => !s.staged.contains_key(m),
            _ => !self.hellos.contains_key(m),
        };
        match (&self.session, self.stage()) {
            (Some(s), Stage::Keys) => s.dkg.waiting_for(),
            _ => self
                .committee
                .members()
                .filter(|m| *m != self.me)
                .filter(missing)
                .collect(),
        }
    }

    /// The result, once it is there: the network and the member's secrets.
    pub(crate) fn result(&self) -> Option<(&Network, &[SigningShare], &CoinSecretShare)> {
        let session = self.session.as_ref()?;
        let output = session.output.as_ref()?;
        Some((session.network.as_ref()?, &output.keys, &output.coin))
    }

    /// Takes what a member said on its own link.
    pub(crate) fn handle(
        &mut self,
        from: MemberId,
        said: Said,
    ) -> Result<Vec<Action>, CeremonyError> {
        if from == self.me || !self.committee.contains(from) {
            return Ok(Vec::new());
        }
        match said {
            Said::Hello { manifest, number } => self.on_hello(from, manifest, number),
            Said::Done => {
                self.done.insert(from, ());
                Ok(self.leave())
            }
            said if self.session.as_ref().map(|s| s.id) == said.session() => {
                self.on_said(from, said)
            }
            said => {
                let early = self.early.entry(from).or_default();
                if early.len() >= EARLY_MAX {
                    early.pop_front();
                }
                early.push_back(said);
                Ok(Vec::new())
            }
        }
    }

    /// Whether this member has said that its files are complete: the others may have finished because of that.
    pub(crate) fn has_staged(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|s| s.staged.contains_key(&self.me))
    }

    /// The files lie on the disk under provisional names.
    pub(crate) fn staged(&mut self) -> Result<Vec<Action>, CeremonyError> {
        let me = self.me;
        let Some((session, pin)) = self.session.as_mut().and_then(|s| {
            let pin = pin_digest(s.network.as_ref()?.pin());
            Some((s, pin))
        }) else {
            return Ok(Vec::new());
        };
        session.staged.insert(me, pin);
        let mut actions = vec![Action::Send(
            None,
            Said::Staged {
                session: session.id,
                pin,
            },
        )];
        actions.extend(self.compare()?);
        Ok(actions)
    }

    /// The files have their names.
    pub(crate) fn committed(&mut self) -> Vec<Action> {
        self.committed = true;
        let mut actions = vec![Action::Send(None, Said::Done)];
        actions.extend(self.leave());
        actions
    }

    fn leave(&self) -> Vec<Action> {
        let all = self.done.len().saturating_add(1) >= usize::from(self.committee.n());
        if self.committed && all {
            vec![Action::Leave]
        } else {
            Vec::new()
        }
    }

    fn on_hello(
        &mut self,
        from: MemberId,
        manifest: Digest,
        number: [u8; 32],
    ) -> Result<Vec<Action>, CeremonyError> {
        if manifest != self.manifest.hash() {
            let problem = "it was started with another manifest";
            return Err(CeremonyError::Member {
                member: from,
                problem,
            });
        }
        if self.committed || self.hellos.get(&from) == Some(&number) {
            return Ok(Vec::new());
        }
        if self.hellos.insert(from, number).is_some() {
            tracing::warn!(member = %from, "the member has started again; so does the key generation");
        }
        self.session = None;
        if self.hellos.len() < usize::from(self.committee.n()) {
            return Ok(vec![Action::Begin]);
        }
        let mut actions = vec![Action::Begin];
        actions.extend(self.begin(from)?);
        Ok(actions)
    }

    fn begin(&mut self, last: MemberId) -> Result<Vec<Action>, CeremonyError> {
        let manifest = self.manifest.hash();
        let numbers: Vec<u8> = self.hellos.values().flatten().copied().collect();
        let id = sha256(&[SESSION_TAG, &manifest.0, &numbers]);
        if self.entered.contains(&id) {
            let problem = "it fell back to a number that it had given up";
            return Err(CeremonyError::Member {
                member: last,
                problem,
            });
        }
        self.entered.push(id);
        let setup = DkgSetup {
            session: id,
            me: self.me,
            committee: self.committee,
            members: self.identities.clone(),
            suites: self.manifest.suites.clone(),
        };
        let (dkg, envelopes) = Dkg::new(setup, Arc::clone(&self.identity), &mut self.rng)?;
        self.session = Some(Session {
            id,
            dkg,
            output: None,
            record: None,
            nonces: Vec::new(),
            endorsements: BTreeMap::new(),
            endorsed: false,
            shares: BTreeMap::new(),
            network: None,
            staged: BTreeMap::new(),
        });
        let mut actions = send_envelopes(envelopes);
        for (from, kept) in std::mem::take(&mut self.early) {
            for said in kept {
                if said.session() == Some(id) {
                    actions.extend(self.on_said(from, said)?);
                }
            }
        }
        Ok(actions)
    }

    fn on_said(&mut self, from: MemberId, said: Said) -> Result<Vec<Action>, CeremonyError> {
        let Some(session) = self.session.as_mut() else {
            return Ok(Vec::new());
        };
        match said {
            Said::Envelope(envelope) => {
                if envelope.from != from {
                    let problem = "it passed on the envelope of another member";
                    return Err(CeremonyError::Member {
                        member: from,
                        problem,
                    });
                }
                let mut actions = send_envelopes(session.dkg.handle(envelope)?);
                if let Some(output) = session.dkg.take_output() {
                    actions.extend(self.endorse(output)?);
                }
                return Ok(actions);
            }
            Said::Endorse {
                signature, nonces, ..
            } => {
                session
                    .endorsements
                    .entry(from)
                    .or_insert((signature, nonces));
            }
            Said::Shares { shares, .. } => {
                session.shares.entry(from).or_insert(shares);
            }
            Said::Staged { pin, .. } => {
                session.staged.entry(from).or_insert(pin);
                return self.compare();
            }
            Said::Hello { .. } | Said::Done => {}
        }
        let mut actions = self.sign()?;
        actions.extend(self.assemble()?);
        Ok(actions)
    }

    /// Whether everybody holds the same pin.
    fn compare(&self) -> Result<Vec<Action>, CeremonyError> {
        let n = usize::from(self.committee.n());
        let Some(session) = self
            .session
            .as_ref()
            .filter(|s| s.staged.len() == n && !self.committed)
        else {
            return Ok(Vec::new());
        };
        let mine = session.staged.get(&self.me);
        match session.staged.iter().find(|(_, pin)| Some(*pin) != mine) {
            None => Ok(vec![Action::Commit]),
            Some((member, _)) => {
                let problem = "it ended with another network.json than ours";
                Err(CeremonyError::Member {
                    member: *member,
                    problem,
                })
            }
        }
    }
}

/// The bytes of `network.json`.
pub(crate) fn pin_bytes(pin: &Pin) -> Vec<u8> {
    // Text, integers and lists: it always has a form.
    let mut bytes = serde_json::to_vec_pretty(pin).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn pin_digest(pin: &Pin) -> Digest {
    sha256(&[&pin_bytes(pin)])
}

fn send_envelopes(envelopes: Vec<DkgEnvelope>) -> Vec<Action> {
    let send = |e: DkgEnvelope| Action::Send(e.to, Said::Envelope(e));
    envelopes.into_iter().map(send).collect()
}

#[cfg(test)]
mod tests;
