//! What the three other members say: every kind of message, made of what is known, right in most parts and wrong in some.

use std::{collections::BTreeMap, sync::Arc};

use touchstone_consensus::{
    Content, Decision, Lock, LockProof, Message, NO_COORDINATOR, Qc, Reply, Signed, Signer,
    Standing, Tc, Value, ValueSession,
};
use touchstone_types::{
    Attestation, Contribution, Digest, FeedObservation, Header, MemberId, MemberSet, MessageKind,
    NonceCommitments, Observation, Report, Round, SessionShare, SessionSigner, SignedObservation,
    SigningSession, Status, Terms, View, sha256,
};

use super::{
    N,
    scheme::{coin_share, commitments, group, shares, signature},
};
use crate::source::Source;

/// How many things of each sort are remembered.
const POOL: usize = 24;
/// How many kinds of message [`Others::speak`] knows.
pub(super) const KINDS: usize = 21;

/// A value with what follows from it.
#[derive(Clone)]
struct Known {
    round: Round,
    hash: Digest,
    list: Arc<Value>,
    report: Option<Report>,
    session: Option<SigningSession>,
}

/// All that the others know.
#[derive(Default)]
pub(super) struct Others {
    observations: BTreeMap<(Round, MemberId), Vec<SignedObservation>>,
    values: Vec<Known>,
    /// Nonces that the member under test offered, by round and slot; 0 for those of its COMMIT.
    offers: Vec<(Round, u32, Vec<NonceCommitments>)>,
    /// Sessions that it asked shares in.
    asked: Vec<(Round, View, Digest)>,
    serial: u64,
}

/// Where in a round a message stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) from: MemberId,
    pub(super) me: MemberId,
    pub(super) round: Round,
    pub(super) view: View,
}

fn keep<T>(pool: &mut Vec<T>, item: T) {
    if pool.len() == POOL {
        pool.remove(0);
    }
    pool.push(item);
}

impl Others {
    /// Takes note of what the member under test said.
    pub(super) fn hear(&mut self, terms: &Terms, signed: &Signed) {
        let round = signed.header.round;
        match &signed.content {
            Content::Obs { .. } => {
                let seen = self
                    .observations
                    .entry((round, signed.header.member))
                    .or_default();
                seen.extend(signed.observation());
            }
            Content::Propose0 { list, .. }
            | Content::Propose {
                list: Some(list), ..
            } => {
                self.learn(terms, signed.header.tag, round, list);
            }
            Content::Commit { nonces, .. } => keep(&mut self.offers, (round, 0, nonces.clone())),
            Content::Ready(nonces) => keep(
                &mut self.offers,
                (round, signed.header.view.0, nonces.clone()),
            ),
            Content::SignReq { session, .. } => {
                keep(&mut self.asked, (round, signed.header.view, *session));
            }
            _ => {}
        }
    }

    /// What is remembered of rounds that are long gone is dropped.
    pub(super) fn forget_before(&mut self, round: Round) {
        self.observations.retain(|(r, _), _| *r >= round);
    }

    fn learn(&mut self, terms: &Terms, tag: Digest, round: Round, list: &Arc<Value>) {
        let report = self.report(terms, round, list);
        keep(
            &mut self.values,
            Known {
                round,
                hash: list.hash(tag, round),
                list: Arc::clone(list),
                report,
                session: None,
            },
        );
    }

    fn find(&self, round: Round, member: MemberId, hash: Digest) -> Option<&SignedObservation> {
        let seen = self.observations.get(&(round, member))?;
        seen.iter().find(|o| o.header.body_hash == hash)
    }

    fn report(&self, terms: &Terms, round: Round, list: &Value) -> Option<Report> {
        let held = list
            .contributors
            .iter()
            .map(|(m, h)| self.find(round, *m, *h));
        let held: Vec<_> = held.collect::<Option<_>>()?;
        let decoded: Vec<_> = held
            .iter()
            .map(|o| Observation::from_bytes(&o.body))
            .collect::<Result<_, _>>()
            .ok()?;
        let contributions: Vec<_> = held
            .iter()
            .zip(&decoded)
            .map(|(o, observation)| Contribution {
                header: &o.header,
                body: &o.body,
                observation,
            })
            .collect();
        Report::compute(terms, round, &contributions).ok()
    }

    /// A message of this kind, and of no other.
    pub(super) fn speak(
        &mut self,
        source: &mut Source<'_>,
        terms: &Terms,
        tag: Digest,
        kind: usize,
        at: Place,
    ) -> Option<Message> {
        let (view0, own) = (View(0), at.from.0);
        let above = View(at.view.0.max(1));
        let (view, instance, content) = match kind {
            0 => (view0, 0, self.obs(source, at)),
            1 => (view0, 0, self.propose_0(source, terms, tag, at)?),
            2 => (view0, 0, Content::Prepare(self.value(source, at.round))),
            3 => (view0, 0, self.commit(source, at)),
            4 => {
                let (standing, proof) = self.standing(source, at, view0);
                (view0, 0, Content::Timeout { standing, proof })
            }
            5 => (above, own, self.propose(source, terms, tag, at, above)?),
            6 => (above, at.me.0, Content::Vote(self.value(source, at.round))),
            7 => (
                above,
                own,
                Content::Lock(self.qc(source, MessageKind::Vote, at.round, above, own)),
            ),
            8 => (above, at.me.0, Content::Ack(self.value(source, at.round))),
            9 => (
                above,
                own,
                Content::Done(self.qc(source, MessageKind::Ack, at.round, above, own)),
            ),
            10 => (above, 0, Content::Coin(coin_share(!source.chance(16)))),
            11 => (above, 0, self.status(source, at, above)),
            12 => {
                let slot = View(1 + u32::from(source.byte() % 4));
                (slot, at.me.0, Content::Ready(vec![self.nonces(source)]))
            }
            13 => (
                View(u32::from(source.byte() % 4)),
                own,
                self.request(source, at)?,
            ),
            14 => (
                self.value_view(at),
                NO_COORDINATOR,
                self.share(source, at.round),
            ),
            15 => return self.answer(source, tag, at),
            _ => {
                let reply = self.reply(source, kind, at)?;
                return Some(Message::Reply {
                    from: at.from,
                    round: at.round,
                    reply,
                });
            }
        };
        Some(seal(tag, at, view, instance, content, source))
    }

    fn nonces(&mut self, source: &mut Source<'_>) -> NonceCommitments {
        self.serial += 1;
        commitments(!source.chance(16), self.serial)
    }

    fn obs(&mut self, source: &mut Source<'_>, at: Place) -> Content {
        let feed = |feed_index: u16, price: u8| FeedObservation {
            feed_index,
            status: Status::OK,
            mantissa: 1_000 + i128::from(price),
            trade_time_ms: 1,
        };
        let mut feeds = vec![feed(0, source.byte() % 4)];
        if !source.chance(64) {
            feeds.push(feed(1, source.byte()));
        }
        let observation = Observation {
            timestamp_ms: 1_790_000_000_000,
            feeds,
            nonces: vec![self.nonces(source)],
        };
        // Said again, or another one.
        let known = self
            .observations
            .get(&(at.round, at.from))
            .and_then(|seen| seen.first());
        let body: Arc<[u8]> = match known {
            Some(known) if !source.chance(48) => known.body.as_slice().into(),
            _ => observation.to_bytes().into(),
        };
        match Observation::from_bytes(&body) {
            Ok(observation) => Content::Obs {
                body,
                observation: observation.into(),
            },
            Err(_) => Content::Prepare(Digest::default()),
        }
    }

    /// The newest value of the round, or sometimes another one.
    fn value(&self, source: &mut Source<'_>, round: Round) -> Digest {
        if source.chance(16) {
            return source
                .pick(&self.values)
                .map_or(Digest([source.byte(); 32]), |v| v.hash);
        }
        self.known(round).map_or(Digest([1; 32]), |v| v.hash)
    }

    fn known(&self, round: Round) -> Option<&Known> {
        self.values.iter().rev().find(|v| v.round == round)
    }

    fn value_view(&self, at: Place) -> View {
        let session = self.known(at.round).and_then(|v| v.list.session);
        session.map_or(at.view, |s| s.view)
    }

    /// A value of observations that were made, with the session that belongs to it in most cases.
    fn new_value(
        &mut self,
        source: &mut Source<'_>,
        terms: &Terms,
        tag: Digest,
        at: Place,
        view: View,
        nonces: &BTreeMap<MemberId, Vec<NonceCommitments>>,
    ) -> Option<Arc<Value>> {
        let left_out = source
            .chance(128)
            .then(|| MemberId(u16::from(source.byte()) % N));
        let members = (0..N).map(MemberId).filter(|m| Some(*m) != left_out);
        let mut contributors: Vec<(MemberId, Digest)> = Vec::new();
        for member in members {
            if let Some(o) = self
                .observations
                .get(&(at.round, member))
                .and_then(|seen| source.pick(seen))
            {
                contributors.push((member, o.header.body_hash));
            } else if source.chance(8) {
                contributors.push((member, Digest([source.byte(); 32])));
            }
        }
        let mut list = Value {
            contributors,
            session: None,
        };
        let report = self.report(terms, at.round, &list);
        let signers = nonces.iter().take(terms.committee.signing_threshold());
        let signers: Vec<_> = signers
            .map(|(m, n)| SessionSigner {
                member: *m,
                nonces: n.clone(),
            })
            .collect();
        let session = report.as_ref().map(|r| SigningSession {
            statement: r.statement,
            signers,
        });
        if let Some(session) = &session
            && !source.chance(24)
        {
            let wrong = source.chance(16);
            list.session = Some(ValueSession {
                view,
                signers: session.signers.iter().map(|s| s.member).collect(),
                digest: if wrong {
                    Digest([9; 32])
                } else {
                    session.digest()
                },
            });
        }
        let list = Arc::new(list);
        let hash = list.hash(tag, at.round);
        keep(
            &mut self.values,
            Known {
                round: at.round,
                hash,
                list: Arc::clone(&list),
                report,
                session,
            },
        );
        Some(list)
    }

    fn propose_0(
        &mut self,
        source: &mut Source<'_>,
        terms: &Terms,
        tag: Digest,
        at: Place,
    ) -> Option<Content> {
        let seen = self
            .observations
            .range((at.round, MemberId(0))..=(at.round, MemberId(N)));
        let nonces = seen.filter_map(|((_, m), o)| {
            Some((*m, Observation::from_bytes(&o.first()?.body).ok()?.nonces))
        });
        let nonces = nonces.collect();
        let list = self.new_value(source, terms, tag, at, View(0), &nonces)?;
        Some(Content::Propose0 {
            value: list.hash(tag, at.round),
            list,
        })
    }

    fn commit(&mut self, source: &mut Source<'_>, at: Place) -> Content {
        let value = self.value(source, at.round);
        let Content::Share(share) = self.share(source, at.round) else {
            return Content::Prepare(value);
        };
        Content::Commit {
            value,
            nonces: vec![self.nonces(source)],
            share: (!source.chance(64)).then_some(share),
        }
    }

    fn share(&self, source: &mut Source<'_>, round: Round) -> Content {
        let session = self.known(round).and_then(|v| v.session.as_ref());
        Content::Share(SessionShare {
            session: session.map_or(Digest([2; 32]), SigningSession::digest),
            shares: shares(!source.chance(16)),
        })
    }

    /// A share for the member under test, in a session that it asked for.
    fn answer(&self, source: &mut Source<'_>, tag: Digest, at: Place) -> Option<Message> {
        let (round, view, session) = *source.pick(&self.asked)?;
        let content = Content::Share(SessionShare {
            session,
            shares: shares(!source.chance(32)),
        });
        Some(seal(
            tag,
            Place { round, ..at },
            view,
            at.me.0,
            content,
            source,
        ))
    }

    fn request(&mut self, source: &mut Source<'_>, at: Place) -> Option<Content> {
        let known = self.known(at.round)?;
        let statement = known.report.as_ref()?.statement;
        let mine = self.offers.iter().rev().filter(|(r, ..)| *r == at.round);
        let mine: Vec<_> = mine.cloned().collect();
        let (_, slot, nonces) = source.pick(&mine)?.clone();
        let signers = (0..N - 1).map(|m| (MemberId(m), m == at.me.0));
        let signers: Vec<_> = signers
            .map(|(member, me)| Signer {
                member,
                slot: if me { slot } else { 1 },
                nonces: if me {
                    nonces.clone()
                } else {
                    vec![commitments(true, 3)]
                },
            })
            .collect();
        let session = SigningSession {
            statement,
            signers: signers
                .iter()
                .map(|s| SessionSigner {
                    member: s.member,
                    nonces: s.nonces.clone(),
                })
                .collect(),
        };
        let session = if source.chance(16) {
            Digest([3; 32])
        } else {
            session.digest()
        };
        Some(Content::SignReq { session, signers })
    }

    /// A certificate of three members.
    fn qc(
        &self,
        source: &mut Source<'_>,
        kind: MessageKind,
        round: Round,
        view: View,
        instance: u16,
    ) -> Arc<Qc> {
        let left_out = MemberId(u16::from(source.byte()) % N);
        let signers: MemberSet = (0..N).map(MemberId).filter(|m| *m != left_out).collect();
        let right = !source.chance(16);
        let extras = if kind == MessageKind::Commit {
            signers.len()
        } else {
            0
        };
        Arc::new(Qc {
            kind,
            view,
            instance,
            value: self.value(source, round),
            signers,
            signatures: vec![signature(right); signers.len()],
            extras: vec![Digest([4; 32]); extras],
        })
    }

    fn coin() -> Vec<(MemberId, touchstone_crypto::CoinShare)> {
        vec![
            (MemberId(1), coin_share(true)),
            (MemberId(2), coin_share(true)),
        ]
    }

    /// A lock of a view up to `last`, or none.
    fn locked(&self, source: &mut Source<'_>, at: Place, last: View) -> Option<LockProof> {
        if source.chance(128) {
            return None;
        }
        let view = View(u32::from(source.byte()).min(last.0));
        let (kind, instance, coin) = if view == View(0) {
            (MessageKind::Prepare, 0, Vec::new())
        } else {
            (MessageKind::Ack, u16::from(source.byte()) % N, Self::coin())
        };
        Some(LockProof {
            qc: self.qc(source, kind, at.round, view, instance),
            coin: coin.into(),
        })
    }

    fn standing(
        &mut self,
        source: &mut Source<'_>,
        at: Place,
        last: View,
    ) -> (Standing, Option<LockProof>) {
        let proof = self.locked(source, at, last);
        let standing = Standing {
            lock: proof.as_ref().map(LockProof::lock),
            nonces: vec![self.nonces(source)],
        };
        (standing, proof)
    }

    fn status(&mut self, source: &mut Source<'_>, at: Place, view: View) -> Content {
        let (standing, proof) = self.standing(source, at, view);
        let decided = source.chance(32).then(|| {
            let instance = u16::from(source.byte()) % N;
            self.qc(source, MessageKind::Ack, at.round, view, instance)
        });
        Content::Status {
            standing,
            proof,
            decided,
            coin: Self::coin(),
        }
    }

    fn propose(
        &mut self,
        source: &mut Source<'_>,
        terms: &Terms,
        tag: Digest,
        at: Place,
        view: View,
    ) -> Option<Content> {
        let before = View(view.0 - 1);
        let proof = self.locked(source, at, before);
        let lock: Option<Lock> = proof.as_ref().map(LockProof::lock);
        let left_out = MemberId(u16::from(source.byte()) % N);
        let right = !source.chance(8);
        let standings: Vec<_> = (0..N)
            .map(MemberId)
            .filter(|m| *m != left_out)
            .map(|m| {
                (
                    m,
                    Standing {
                        lock,
                        nonces: vec![self.nonces(source)],
                    },
                    signature(right),
                )
            })
            .collect();
        let nonces: BTreeMap<_, _> = standings
            .iter()
            .map(|(m, s, _)| (*m, s.nonces.clone()))
            .collect();
        let tc = Arc::new(Tc {
            view: before,
            standings,
        });
        let list = match lock {
            Some(_) => None,
            None => Some(self.new_value(source, terms, tag, at, view, &nonces)?),
        };
        let value = list
            .as_ref()
            .map(|l| l.hash(tag, at.round))
            .or(lock.map(|l| l.value))?;
        Some(Content::Propose {
            value,
            list,
            tc,
            proof,
        })
    }

    fn reply(&self, source: &mut Source<'_>, kind: usize, at: Place) -> Option<Reply> {
        Some(match kind {
            16 => {
                let early = at.view == View(0);
                let (kind, instance) = if early {
                    (MessageKind::Commit, 0)
                } else {
                    (MessageKind::Ack, u16::from(source.byte()) % N)
                };
                let coin = if early { Vec::new() } else { Self::coin() };
                Reply::Decide(Decision {
                    qc: self.qc(source, kind, at.round, at.view, instance),
                    coin,
                })
            }
            17 => Reply::Fetch {
                value: self.value(source, at.round),
                have: MemberSet(u128::from(source.byte() % 16)),
            },
            18 => {
                let known = self.known(at.round)?;
                let held = known
                    .list
                    .contributors
                    .iter()
                    .filter_map(|(m, h)| self.find(at.round, *m, *h));
                Reply::Value {
                    list: Arc::clone(&known.list),
                    observations: held.cloned().collect(),
                }
            }
            19 => {
                let known = source.pick(&self.values)?;
                let report = known.report.as_ref()?;
                Reply::Cert(Arc::new(Attestation {
                    statement: report.statement,
                    signatures: group(!source.chance(64)),
                    leaves: report.leaves.clone(),
                    observations: Vec::new(),
                }))
            }
            _ => Reply::Want,
        })
    }
}

/// Signs in somebody's name, wrongly now and then.
fn seal(
    tag: Digest,
    at: Place,
    view: View,
    instance: u16,
    content: Content,
    source: &mut Source<'_>,
) -> Message {
    let header = Header {
        tag,
        kind: content.kind(),
        round: at.round,
        view,
        instance,
        member: at.from,
        body_hash: sha256(&[&content.body()]),
    };
    Message::Signed(Signed {
        header,
        signature: signature(!source.chance(8)),
        content,
    })
}

impl Others {
    /// Takes note of an observation that was sent to the member under test.
    pub(super) fn sent(&mut self, message: &Message) {
        if let Message::Signed(signed) = message
            && let Some(observation) = signed.observation()
        {
            let seen = self
                .observations
                .entry((signed.header.round, signed.header.member))
                .or_default();
            if seen.len() < 4 && !seen.contains(&observation) {
                seen.push(observation);
            }
        }
    }
}
