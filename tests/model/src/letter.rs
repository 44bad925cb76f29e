//! Letters: messages with a sender, receivers and a name that people can read. Each distinct one exists once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use touchstone_consensus::{Content, Lock, Message, Qc, Reply, To, Value};
use touchstone_types::{Committee, Digest, MemberId, MemberSet, MessageKind, View};

use crate::symbols;

/// A letter's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LetterId(u32);

/// What sort of message a letter is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Signed(MessageKind),
    Decide,
    Fetch,
    Value,
    Want,
    Cert,
}

/// A message on its way.
pub(crate) struct Letter {
    pub(crate) from: MemberId,
    pub(crate) to: MemberSet,
    pub(crate) kind: Kind,
    pub(crate) view: View,
    pub(crate) instance: u16,
    /// The value that it is about.
    pub(crate) value: Option<Digest>,
    pub(crate) message: Message,
    pub(crate) name: String,
}

impl Letter {
    /// Whether it is a signed message of this kind and view.
    pub(crate) fn is(&self, kind: MessageKind, view: View) -> bool {
        self.kind == Kind::Signed(kind) && self.view == view
    }

    /// The lock that a statement reports.
    pub(crate) fn lock(&self) -> Option<Lock> {
        match &self.message {
            Message::Signed(signed) => match &signed.content {
                Content::Timeout { standing, .. } | Content::Status { standing, .. } => {
                    standing.lock
                }
                _ => None,
            },
            Message::Reply { .. } => None,
        }
    }

    /// The highest lock of the statements that a proposal rests on, if it is a proposal.
    pub(crate) fn right(&self) -> Option<Option<Lock>> {
        match &self.message {
            Message::Signed(signed) => match &signed.content {
                Content::Propose { tc, .. } => Some(tc.highest_lock()),
                _ => None,
            },
            Message::Reply { .. } => None,
        }
    }

    /// Whether it is a STATUS that brings the decision along.
    pub(crate) fn decides(&self) -> bool {
        let Message::Signed(signed) = &self.message else {
            return self.kind == Kind::Decide;
        };
        matches!(&signed.content, Content::Status { decided, .. } if decided.is_some())
    }
}

/// All letters, and the names of all values.
pub(crate) struct Post {
    committee: Committee,
    letters: Vec<Arc<Letter>>,
    ids: HashMap<(MemberId, MemberSet, Vec<u8>), LetterId>,
    values: BTreeMap<Digest, (String, Arc<Value>)>,
}

impl Post {
    pub(crate) fn new(committee: Committee) -> Self {
        Self {
            committee,
            letters: Vec::new(),
            ids: HashMap::new(),
            values: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, id: LetterId) -> Arc<Letter> {
        // Numbers are given out here only.
        Arc::clone(&self.letters[id.0 as usize])
    }

    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// A value's contributors and session.
    pub(crate) fn value(&self, value: Digest) -> Option<&Arc<Value>> {
        self.values.get(&value).map(|(_, list)| list)
    }

    /// All values.
    pub(crate) fn values(&self) -> impl Iterator<Item = Digest> + '_ {
        self.values.keys().copied()
    }

    /// What people call a value: its proposer and view, as in `v1.0` for the proposal of member 0 in view 1.
    pub(crate) fn name(&self, value: Digest) -> String {
        let known = self.values.get(&value);
        known.map_or_else(|| value.to_string(), |(name, _)| name.clone())
    }

    /// Names a value.
    pub(crate) fn call(&mut self, value: Digest, list: &Arc<Value>, name: &str) {
        let entry = || (name.to_owned(), Arc::clone(list));
        self.values.entry(value).or_insert_with(entry);
    }

    /// The letter with this message, which is new or was seen before.
    pub(crate) fn letter(&mut self, from: MemberId, to: To, message: Message) -> LetterId {
        let to = match to {
            To::All => self.committee.members().collect(),
            To::One(one) => [one].into_iter().collect(),
            To::Set(set) => set,
        };
        let bytes = match &message {
            Message::Signed(signed) => signed.to_bytes(),
            Message::Reply { reply, round, .. } => reply.to_bytes(*round),
        };
        let key = (from, to, bytes);
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let letter = self.describe(from, to, message);
        let id = LetterId(u32::try_from(self.letters.len()).unwrap_or(u32::MAX));
        self.letters.push(Arc::new(letter));
        self.ids.insert(key, id);
        id
    }

    fn describe(&mut self, from: MemberId, to: MemberSet, message: Message) -> Letter {
        let (kind, view, instance) = match &message {
            Message::Signed(s) => (
                Kind::Signed(s.header.kind),
                s.header.view,
                s.header.instance,
            ),
            Message::Reply { reply, .. } => (
                match reply {
                    Reply::Decide(_) => Kind::Decide,
                    Reply::Fetch { .. } => Kind::Fetch,
                    Reply::Value { .. } => Kind::Value,
                    Reply::Cert(_) => Kind::Cert,
                    Reply::Want => Kind::Want,
                },
                View(0),
                0,
            ),
        };
        let (value, what) = match &message {
            Message::Signed(s) => self.content(from, view, &s.content),
            Message::Reply { reply, .. } => self.reply(reply),
        };
        let label = match kind {
            Kind::Signed(kind) => format!("{kind:?}").to_uppercase(),
            other => format!("{other:?}").to_uppercase(),
        };
        let place = if view > View(0) {
            format!("@{view}")
        } else {
            String::new()
        };
        let to_whom = if to.len() < usize::from(self.committee.n()) {
            let to: Vec<_> = to.iter().map(|m| m.to_string()).collect();
            format!(" for {}", to.join(","))
        } else {
            String::new()
        };
        let signed = match &message {
            Message::Signed(s) if s.signature != symbols::sign(&s.header) => ", badly signed",
            _ => "",
        };
        Letter {
            name: format!("{label}{place}({what}) of {from}{to_whom}{signed}"),
            from,
            to,
            kind,
            view,
            instance,
            value,
            message,
        }
    }

    fn content(
        &mut self,
        from: MemberId,
        view: View,
        content: &Content,
    ) -> (Option<Digest>, String) {
        match content {
            Content::Propose0 { value, list } => {
                self.call(*value, list, &format!("v0.{from}"));
                (Some(*value), self.name(*value))
            }
            Content::Propose {
                value, list, tc, ..
            } => {
                let by: Vec<_> = tc.standings.iter().map(|(m, ..)| m.to_string()).collect();
                let by = by.join(",");
                if let Some(list) = list {
                    self.call(*value, list, &format!("v{view}.{from}"));
                }
                let what = format!("{} after {by}", self.name(*value));
                (Some(*value), what)
            }
            Content::Prepare(value) | Content::Vote(value) | Content::Ack(value) => {
                (Some(*value), self.name(*value))
            }
            Content::Commit { value, share, .. } => {
                let share = if share.is_some() { ", share" } else { "" };
                (Some(*value), format!("{}{share}", self.name(*value)))
            }
            Content::Lock(qc) | Content::Done(qc) => (Some(qc.value), self.certificate(qc)),
            Content::Timeout { standing, proof } => {
                let proof = proof.as_ref().map(|p| &*p.qc);
                (
                    standing.lock.map(|l| l.value),
                    self.standing(standing.lock, proof),
                )
            }
            Content::Status {
                standing,
                proof,
                decided,
                ..
            } => {
                let proof = proof.as_ref().map(|p| &*p.qc);
                let mut what = self.standing(standing.lock, proof);
                if let Some(qc) = decided {
                    what = format!("{what}, decided {}", self.certificate(qc));
                }
                (standing.lock.map(|l| l.value), what)
            }
            Content::Share(share) => (None, format!("session {}", short(share.session))),
            Content::SignReq { session, .. } => (None, format!("session {}", short(*session))),
            Content::Obs { body, .. } => {
                let hash = touchstone_types::sha256(&[body]);
                (None, short(hash))
            }
            Content::Coin(_) | Content::Ready(_) => (None, String::new()),
        }
    }

    fn reply(&self, reply: &Reply) -> (Option<Digest>, String) {
        match reply {
            Reply::Decide(decision) => (Some(decision.qc.value), self.certificate(&decision.qc)),
            Reply::Fetch { value, .. } => (Some(*value), self.name(*value)),
            Reply::Value { list, .. } => {
                let known = self.values.iter().find(|(_, (_, known))| known == list);
                let hash = known.map(|(hash, _)| *hash);
                (hash, hash.map_or_else(String::new, |h| self.name(h)))
            }
            Reply::Cert(attestation) => (None, short(attestation.statement.digest())),
            Reply::Want => (None, String::new()),
        }
    }

    fn certificate(&self, qc: &Qc) -> String {
        let by: Vec<_> = qc.signers.iter().map(|m| m.to_string()).collect();
        let kind = format!("{:?}", qc.kind).to_uppercase();
        format!("{}: {kind} of {}", self.name(qc.value), by.join(","))
    }

    fn standing(&self, lock: Option<Lock>, proof: Option<&Qc>) -> String {
        match lock {
            None => "no lock".into(),
            Some(lock) => {
                let proof = proof.map_or_else(String::new, |qc| self.certificate(qc));
                format!("locked in {}: {proof}", lock.view)
            }
        }
    }
}

fn short(digest: Digest) -> String {
    digest.to_string().chars().take(8).collect()
}
