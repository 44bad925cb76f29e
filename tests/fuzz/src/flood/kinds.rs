//! What a faulty member can send without anybody's help, each kind as costly as it can be made.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rand_chacha::ChaCha20Rng;
use touchstone_consensus::{
    Content, Decision, Lock, LockProof, NO_COORDINATOR, Qc, Reply, Signed, Signer, Standing, Tc,
    Value, Verifier,
    keys::{Keys as _, MemberKeys},
};
use touchstone_crypto::{CoinShare, IdentityKey};
use touchstone_types::{
    Attestation, Digest, Header, Leaf, MemberId, MemberSet, MemberSignature, MessageKind,
    NonceCommitments, Round, SessionShare, SignedObservation, Statement, Status, Suite, View,
    merkle, sha256,
};

use super::{
    committee::Network,
    victim::{ME, Victim, observe},
};

/// Makes the message with this number.
type Make = fn(&mut Flooder, u64) -> (MemberId, Vec<u8>);

/// A kind of flood.
pub(super) struct Flood {
    pub(super) name: &'static str,
    pub(super) make: Make,
}

/// Every kind. Names say what is sent; `bad` ones are refused, and are as large as an honest one can be.
pub(super) const KINDS: &[Flood] = &[
    Flood {
        name: "undecodable",
        make: undecodable,
    },
    Flood {
        name: "bad signature",
        make: |f, i| f.prepare(i, false),
    },
    Flood {
        name: "duplicate",
        make: |f, _| f.prepare(0, true),
    },
    Flood {
        name: "obs, other prices",
        make: |f, i| f.obs(f.round, i),
    },
    Flood {
        name: "obs, living rounds",
        make: |f, i| f.obs(Round(f.round.0 + 5 - i % 14), 0),
    },
    Flood {
        name: "obs, old rounds",
        make: |f, i| f.obs(Round(f.round.0.saturating_sub(i % 40_000)), 0),
    },
    Flood {
        name: "obs, far rounds",
        make: |f, i| f.obs(Round(f.round.0 + 6 + i), 0),
    },
    Flood {
        name: "propose0, other values",
        make: |f, i| f.propose_0(i),
    },
    Flood {
        name: "prepare, other values",
        make: |f, i| f.prepare(i, true),
    },
    Flood {
        name: "commit, other values",
        make: |f, i| f.commit(i),
    },
    Flood {
        name: "timeout, no lock",
        make: |f, i| f.timeout(i, false),
    },
    Flood {
        name: "timeout, bad lock",
        make: |f, i| f.timeout(i, true),
    },
    Flood {
        name: "propose, bad statements",
        make: |f, i| f.propose(i),
    },
    Flood {
        name: "lock, bad certificate",
        make: |f, i| f.lock(i, MessageKind::Lock),
    },
    Flood {
        name: "done, bad certificate",
        make: |f, i| f.lock(i, MessageKind::Done),
    },
    Flood {
        name: "coin, far views",
        make: |f, i| f.coin(i, true),
    },
    Flood {
        name: "coin, bad share",
        make: |f, i| f.coin(i, false),
    },
    Flood {
        name: "status, bad coin",
        make: |f, i| f.status(i, false),
    },
    Flood {
        name: "status, bad coin of f right shares",
        make: |f, i| f.status(i, true),
    },
    Flood {
        name: "vote, other values",
        make: |f, i| f.plain(i, View(1 + low(i)), ME.0, Content::Vote(digest(i))),
    },
    Flood {
        name: "ack, other values",
        make: |f, i| f.plain(i, View(1 + low(i)), ME.0, Content::Ack(digest(i))),
    },
    Flood {
        name: "ready, all slots",
        make: |f, i| f.plain(i, View(1 + low(i) % 64), ME.0, Content::Ready(nonces(i))),
    },
    Flood {
        name: "signreq, all slots",
        make: |f, i| f.request(i),
    },
    Flood {
        name: "share, all sessions",
        make: |f, i| f.plain(i, View(low(i) % 64), ME.0, share(i)),
    },
    Flood {
        name: "share for everybody, all views",
        make: |f, i| f.plain(i, View(low(i) % 128), NO_COORDINATOR, share(i)),
    },
    Flood {
        name: "decide, bad certificate",
        make: |f, i| f.decide(i),
    },
    Flood {
        name: "fetch, unknown value",
        make: |f, i| f.fetch(digest(i)),
    },
    Flood {
        name: "fetch, proposed value",
        make: |f, _| f.fetch(f.proposed),
    },
    Flood {
        name: "value, not asked for",
        make: |f, i| f.value(i, f.round, false),
    },
    Flood {
        name: "value, one observation often",
        make: |f, i| f.value(i, f.round, true),
    },
    Flood {
        name: "value, far rounds",
        make: |f, i| f.value(i, Round(f.round.0 + 6 + i), false),
    },
    Flood {
        name: "cert, bad signature",
        make: |f, i| f.cert(i),
    },
    Flood {
        name: "want",
        make: |f, _| f.reply(f.round, &Reply::Want),
    },
    Flood {
        name: "everything that is kept",
        make: Flooder::everything,
    },
];

/// Messages beyond the horizon that are tried.
const BEYOND: u64 = 40;

fn low(i: u64) -> u32 {
    u32::try_from(i % (1 << 31)).unwrap_or_default()
}

fn digest(i: u64) -> Digest {
    sha256(&[&i.to_be_bytes()])
}

fn nonces(i: u64) -> Vec<NonceCommitments> {
    let mut bytes = i.to_be_bytes().to_vec();
    bytes.resize(Suite::Ed25519.commitments_bytes(), 1);
    vec![NonceCommitments {
        suite: Suite::Ed25519,
        bytes,
    }]
}

fn session_share(i: u64) -> SessionShare {
    SessionShare {
        session: digest(i),
        shares: vec![(Suite::Ed25519, vec![1; 32])],
    }
}

fn share(i: u64) -> Content {
    Content::Share(session_share(i))
}

/// A kilobyte of noise.
fn undecodable(flooder: &mut Flooder, i: u64) -> (MemberId, Vec<u8>) {
    let noise = (0..32_u64)
        .flat_map(|block| digest(i * 32 + block).0)
        .collect();
    (flooder.me, noise)
}

/// The faulty member. It knows its own secrets; of the others it has signatures for its certificates, right but for the last.
pub(super) struct Flooder {
    me: MemberId,
    keys: MemberKeys<ChaCha20Rng>,
    identities: Vec<Arc<IdentityKey>>,
    /// Keys of `f` members, for coin shares.
    faulty: Vec<(MemberId, MemberKeys<ChaCha20Rng>)>,
    verifier: Verifier,
    round: Round,
    proposed: Digest,
    /// The rounds that are alive.
    living: Vec<Round>,
    /// Everybody's observation, as it may be fetched.
    observations: Vec<SignedObservation>,
}

impl Flooder {
    pub(super) fn new(network: &Network, victim: &Victim) -> Result<Self> {
        let committee = network.terms.committee;
        let me = MemberId(committee.n() - 1);
        // Caches of its own: what it makes is no part of what the victim remembers.
        let suite = network.suite()?;
        let verifier = network.verifier(&suite);
        let faulty = committee.members().skip(1).take(usize::from(committee.f()));
        let faulty = faulty
            .map(|m| Ok((m, network.keys(&suite, m)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut observations = Vec::new();
        for member in committee.members() {
            let feeds = u16::try_from(network.terms.feeds.len())?;
            let mut keys = network.keys(&suite, member)?;
            let signed = observe(&mut keys, member, &verifier, victim.round, feeds, 0);
            observations.push(signed.observation().context("an observation")?);
        }
        Ok(Self {
            me,
            keys: network.keys(&suite, me)?,
            identities: network.identities.clone(),
            faulty,
            verifier,
            round: victim.round,
            proposed: victim.proposed,
            living: victim.living(),
            observations,
        })
    }

    fn n(&self) -> u16 {
        self.verifier.terms().committee.n()
    }

    fn feeds(&self) -> u16 {
        u16::try_from(self.verifier.terms().feeds.len()).unwrap_or(u16::MAX)
    }

    fn header(&self, round: Round, view: View, instance: u16, content: &Content) -> Header {
        Header {
            tag: self.verifier.tag(),
            kind: content.kind(),
            round,
            view,
            instance,
            member: self.me,
            body_hash: sha256(&[&content.body()]),
        }
    }

    fn say(
        &mut self,
        round: Round,
        view: View,
        instance: u16,
        content: Content,
    ) -> (MemberId, Vec<u8>) {
        let header = self.header(round, view, instance, &content);
        let signature = self.keys.sign(&header);
        (
            self.me,
            Signed {
                header,
                signature,
                content,
            }
            .to_bytes(),
        )
    }

    fn plain(
        &mut self,
        _: u64,
        view: View,
        instance: u16,
        content: Content,
    ) -> (MemberId, Vec<u8>) {
        self.say(self.round, view, instance, content)
    }

    fn reply(&self, round: Round, reply: &Reply) -> (MemberId, Vec<u8>) {
        (self.me, reply.to_bytes(round))
    }

    fn obs(&mut self, round: Round, shift: u64) -> (MemberId, Vec<u8>) {
        let feeds = self.feeds();
        let signed = observe(&mut self.keys, self.me, &self.verifier, round, feeds, shift);
        // It would keep the nonces of every one; what is measured is the victim.
        self.keys.forget(round);
        (self.me, signed.to_bytes())
    }

    fn prepare(&mut self, i: u64, right: bool) -> (MemberId, Vec<u8>) {
        let content = Content::Prepare(digest(i));
        let (from, mut bytes) = self.say(self.round, View(0), 0, content);
        if !right {
            // Kind, round, view, instance and member are 17 bytes; then comes the signature.
            bytes[17 + 40] ^= 1;
        }
        (from, bytes)
    }

    /// A value that all members contribute to.
    fn list(&self, i: u64) -> Value {
        let contributor = |m: u16| (MemberId(m), sha256(&[&i.to_be_bytes(), &m.to_be_bytes()]));
        Value {
            contributors: (0..self.n()).map(contributor).collect(),
            session: None,
        }
    }

    fn propose_0(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        let list = Arc::new(self.list(i));
        let value = list.hash(self.verifier.tag(), self.round);
        self.say(self.round, View(0), 0, Content::Propose0 { value, list })
    }

    fn commit_content(i: u64) -> Content {
        Content::Commit {
            value: digest(i),
            nonces: nonces(i),
            share: Some(session_share(i)),
        }
    }

    fn commit(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        self.say(self.round, View(0), 0, Self::commit_content(i))
    }

    /// A certificate of everybody with right signatures but for the last one.
    fn qc(&self, kind: MessageKind, view: View, instance: u16, value: Digest) -> Qc {
        let signers: MemberSet = (0..self.n()).map(MemberId).collect();
        let extras = if kind == MessageKind::Commit {
            signers.len()
        } else {
            0
        };
        let mut qc = Qc {
            kind,
            view,
            instance,
            value,
            signers,
            signatures: vec![MemberSignature([0; 64]); signers.len()],
            extras: vec![digest(1); extras],
        };
        let headers: Vec<_> = qc
            .signed(self.verifier.tag(), self.round)
            .map(|(h, _)| h)
            .collect();
        qc.signatures = self.signatures(&headers);
        qc
    }

    fn signatures(&self, headers: &[Header]) -> Vec<MemberSignature> {
        let sign = |header: &Header| self.identities[header.member.index()].sign_header(header);
        let mut signatures: Vec<_> = headers.iter().map(sign).collect();
        if let Some(last) = signatures.last_mut() {
            last.0[40] ^= 1;
        }
        signatures
    }

    fn timeout(&mut self, i: u64, locked: bool) -> (MemberId, Vec<u8>) {
        let value = digest(i);
        let proof = locked.then(|| LockProof {
            qc: Arc::new(self.qc(MessageKind::Prepare, View(0), 0, value)),
            coin: Vec::new().into(),
        });
        let standing = Standing {
            lock: proof.as_ref().map(LockProof::lock),
            nonces: nonces(i),
        };
        self.say(self.round, View(0), 0, Content::Timeout { standing, proof })
    }

    fn propose(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        let lock = Lock {
            view: View(0),
            value: digest(i),
        };
        let members = (0..self.n()).map(MemberId);
        let standing = Standing {
            lock: Some(lock),
            nonces: nonces(i),
        };
        let standings = members
            .map(|m| (m, standing.clone(), MemberSignature([0; 64])))
            .collect();
        let mut tc = Tc {
            view: View(0),
            standings,
        };
        let headers: Vec<_> = tc
            .signed(self.verifier.tag(), self.round)
            .map(|(h, _)| h)
            .collect();
        for (entry, signature) in tc.standings.iter_mut().zip(self.signatures(&headers)) {
            entry.2 = signature;
        }
        let qc = Arc::new(self.qc(MessageKind::Prepare, View(0), 0, lock.value));
        let content = Content::Propose {
            value: lock.value,
            list: None,
            tc: Arc::new(tc),
            proof: Some(LockProof {
                qc,
                coin: Vec::new().into(),
            }),
        };
        self.say(self.round, View(1), self.me.0, content)
    }

    fn lock(&mut self, i: u64, kind: MessageKind) -> (MemberId, Vec<u8>) {
        let votes = if kind == MessageKind::Lock {
            MessageKind::Vote
        } else {
            MessageKind::Ack
        };
        let qc = Arc::new(self.qc(votes, View(1), self.me.0, digest(i)));
        let content = if kind == MessageKind::Lock {
            Content::Lock(qc)
        } else {
            Content::Done(qc)
        };
        self.say(self.round, View(1), self.me.0, content)
    }

    fn coin(&mut self, i: u64, right: bool) -> (MemberId, Vec<u8>) {
        let view = View(1 + low(i));
        let mut share = self.keys.coin_share(self.round, view);
        if !right {
            share.proof[40] ^= 1;
        }
        self.say(self.round, view, 0, Content::Coin(share))
    }

    /// A coin of everybody's shares: none is right, or those of the `f` faulty members that come first.
    fn status(&mut self, i: u64, some_right: bool) -> (MemberId, Vec<u8>) {
        let view = View(1 + low(i));
        let mut coin: Vec<(MemberId, CoinShare)> = Vec::new();
        if some_right {
            let round = self.round;
            coin.extend(
                self.faulty
                    .iter_mut()
                    .map(|(m, keys)| (*m, keys.coin_share(round, view))),
            );
        }
        let mut wrong = self.keys.coin_share(self.round, view);
        wrong.proof[40] ^= 1;
        let rest = usize::from(self.n()) - coin.len();
        coin.extend(std::iter::repeat_n((MemberId(0), wrong), rest));
        let standing = Standing {
            lock: None,
            nonces: nonces(i),
        };
        let content = Content::Status {
            standing,
            proof: None,
            decided: None,
            coin,
        };
        self.say(self.round, view, 0, content)
    }

    fn request_content(&self, i: u64) -> Content {
        let threshold = self.verifier.terms().committee.signing_threshold();
        let members = (0..self.n()).map(MemberId).take(threshold);
        let signers = members
            .map(|member| Signer {
                member,
                slot: 1,
                nonces: nonces(i),
            })
            .collect();
        Content::SignReq {
            session: digest(i),
            signers,
        }
    }

    fn request(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        let content = self.request_content(i);
        self.say(self.round, View(low(i) % 64), self.me.0, content)
    }

    fn decide(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        let qc = Arc::new(self.qc(MessageKind::Commit, View(0), 0, digest(i)));
        self.reply(
            self.round,
            &Reply::Decide(Decision {
                qc,
                coin: Vec::new(),
            }),
        )
    }

    fn fetch(&mut self, value: Digest) -> (MemberId, Vec<u8>) {
        self.reply(
            self.round,
            &Reply::Fetch {
                value,
                have: MemberSet::default(),
            },
        )
    }

    /// Observations that nobody asked for, each of another member or as many of one as there are members.
    fn value(&mut self, i: u64, round: Round, one: bool) -> (MemberId, Vec<u8>) {
        let tag = self.verifier.tag();
        let mut observations = self.observations.clone();
        if one && let Some(first) = observations.first().cloned() {
            observations.fill(first);
        }
        for o in &mut observations {
            if round != self.round {
                o.header = Header {
                    round,
                    tag,
                    ..o.header
                };
                o.signature = self.identities[o.header.member.index()].sign_header(&o.header);
            }
        }
        let hashes = self
            .observations
            .iter()
            .map(|o| (o.header.member, o.header.body_hash));
        let mut list = Value {
            contributors: hashes.collect(),
            session: None,
        };
        if !one && i % 2 == 1 {
            // Not the same value again, without touching the observations' number much.
            list.contributors.pop();
            observations.pop();
        }
        self.reply(
            round,
            &Reply::Value {
                list: Arc::new(list),
                observations,
            },
        )
    }

    fn cert(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        let terms = Arc::clone(self.verifier.terms());
        let leaf =
            |(feed, exponent): &(_, _)| Leaf::unavailable(*feed, *exponent, Status::UNAVAILABLE, 0);
        let leaves: Vec<_> = terms.feeds.iter().map(leaf).collect();
        let hashes: Vec<_> = leaves
            .iter()
            .map(|l| merkle::leaf_hash(&l.to_bytes()))
            .collect();
        let statement = Statement {
            network: terms.network,
            epoch: terms.epoch,
            round: self.round,
            timestamp_ms: i,
            feed_count: self.feeds(),
            feeds_root: merkle::root(&hashes),
            observations_root: digest(i),
        };
        let mut signature = self
            .keys
            .sign(&self.header(self.round, View(0), 0, &Content::Prepare(digest(i))))
            .0
            .to_vec();
        signature[40] ^= 1;
        let attestation = Attestation {
            statement,
            signatures: vec![(Suite::Ed25519, signature)],
            leaves,
            observations: Vec::new(),
        };
        self.reply(self.round, &Reply::Cert(Arc::new(attestation)))
    }

    /// All that finds a place: beyond the horizon, and in every round that is alive.
    fn everything(&mut self, i: u64) -> (MemberId, Vec<u8>) {
        let Some(i) = i.checked_sub(BEYOND) else {
            return self.obs(Round(self.round.0 + 6 + i), 0);
        };
        let sessions = u64::from(self.verifier.terms().committee.f()) + 1;
        let in_one_round = 5 + 3 * sessions + 65 + 64;
        let living = self.living.len() as u64;
        let round = usize::try_from(i / in_one_round % living).unwrap_or_default();
        let round = self.living.get(round).copied().unwrap_or(self.round);
        self.in_round(round, i % in_one_round)
    }

    fn in_round(&mut self, round: Round, what: u64) -> (MemberId, Vec<u8>) {
        let sessions = u64::from(self.verifier.terms().committee.f()) + 1;
        let view = |v: u64| View(low(v));
        if what == 0 {
            return self.obs(round, 0);
        }
        let requests = 5 + sessions;
        let (view, instance, content) = match what {
            1 => {
                let list = Arc::new(self.list(what));
                (
                    View(0),
                    0,
                    Content::Propose0 {
                        value: list.hash(self.verifier.tag(), round),
                        list,
                    },
                )
            }
            2 => (View(0), 0, Content::Prepare(digest(what))),
            3 => (View(0), 0, Self::commit_content(what)),
            4 => {
                let standing = Standing {
                    lock: None,
                    nonces: nonces(what),
                };
                (
                    View(0),
                    0,
                    Content::Timeout {
                        standing,
                        proof: None,
                    },
                )
            }
            _ if what < requests => (view(what - 5), self.me.0, self.request_content(what)),
            _ if what < requests + sessions => (
                view(what - requests + 1),
                ME.0,
                Content::Ready(nonces(what)),
            ),
            _ if what < requests + 2 * sessions => {
                (view(what - requests - sessions), ME.0, share(what))
            }
            _ if what < requests + 2 * sessions + 65 => (
                view(what - requests - 2 * sessions),
                NO_COORDINATOR,
                share(what),
            ),
            _ => {
                let view = view((what - requests - 2 * sessions - 65) % 64 + 1);
                (view, 0, Content::Coin(self.keys.coin_share(round, view)))
            }
        };
        self.say(round, view, instance, content)
    }
}
