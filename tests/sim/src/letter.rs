//! What travels: a message with what a scheduler may see of it.

use std::{fmt, sync::Arc};

use touchstone_consensus::{Content, Message, Reply, Signed};
use touchstone_types::{Digest, MemberId, MessageKind, Round, View};

/// The kind of a message, signed or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Signed(MessageKind),
    Decide,
    Fetch,
    Value,
    Cert,
    Want,
    Garbage,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Signed(kind) => format!("{kind:?}").to_uppercase(),
            Self::Decide => "DECIDE".into(),
            Self::Fetch => "FETCH".into(),
            Self::Value => "VALUE".into(),
            Self::Cert => "CERT".into(),
            Self::Want => "WANT".into(),
            Self::Garbage => "GARBAGE".into(),
        };
        f.pad(&name)
    }
}

/// How a message is carried: as the bytes of a link, or, to save time, as it is.
#[derive(Clone)]
pub(super) enum Wire {
    Bytes(Arc<[u8]>),
    Plain(Arc<Message>),
}

/// A message on its way to anybody.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) kind: Kind,
    pub(super) round: Round,
    pub(super) view: View,
    pub(super) wire: Wire,
}

impl Letter {
    pub(super) fn new(message: Message, encode: bool) -> Self {
        let (kind, view) = describe(&message);
        let round = message.round();
        let wire = if encode {
            Wire::Bytes(match &message {
                Message::Signed(signed) => signed.to_bytes().into(),
                Message::Reply { reply, .. } => reply.to_bytes(round).into(),
            })
        } else {
            Wire::Plain(Arc::new(message))
        };
        Self {
            kind,
            round,
            view,
            wire,
        }
    }

    pub(super) fn signed(signed: Signed, encode: bool) -> Self {
        Self::new(Message::Signed(signed), encode)
    }

    pub(super) fn garbage(round: Round, bytes: Vec<u8>) -> Self {
        Self {
            kind: Kind::Garbage,
            round,
            view: View(0),
            wire: Wire::Bytes(bytes.into()),
        }
    }
}

fn describe(message: &Message) -> (Kind, View) {
    match message {
        Message::Signed(s) => (Kind::Signed(s.header.kind), s.header.view),
        Message::Reply { reply, .. } => match reply {
            Reply::Decide(d) => (Kind::Decide, d.qc.view),
            Reply::Fetch { .. } => (Kind::Fetch, View(0)),
            Reply::Value { .. } => (Kind::Value, View(0)),
            Reply::Cert(_) => (Kind::Cert, View(0)),
            Reply::Want => (Kind::Want, View(0)),
        },
    }
}

/// What a message is about, for a trace.
pub(super) fn gist(message: &Message) -> String {
    let short = |digest: &Digest| digest.to_string()[..6].to_owned();
    let lock = |lock: Option<touchstone_consensus::Lock>| {
        lock.map_or("no lock".to_owned(), |l| {
            format!("lock {} of view {}", short(&l.value), l.view)
        })
    };
    match message {
        Message::Signed(s) => match &s.content {
            Content::Obs { .. } => short(&s.header.body_hash),
            Content::Propose0 { value, list } => {
                let signers = list.session.map(|s| s.signers);
                let signers: Vec<_> = signers.iter().flat_map(|s| s.iter()).map(|m| m.0).collect();
                format!(
                    "{} {} observations, signers {signers:?}",
                    short(value),
                    list.contributors.len()
                )
            }
            Content::Prepare(value) => short(value),
            Content::Commit { value, share, .. } => {
                let share = if share.is_some() { " with share" } else { "" };
                format!("{}{share}", short(value))
            }
            Content::Timeout { standing, .. } => lock(standing.lock),
            Content::Propose {
                value, list, tc, ..
            } => {
                let list = list.as_ref().map_or("locked".to_owned(), |l| {
                    format!("{} observations", l.contributors.len())
                });
                format!("{} {list}, {}", short(value), lock(tc.highest_lock()))
            }
            Content::Vote(value) | Content::Ack(value) => short(value),
            Content::Lock(qc) | Content::Done(qc) => short(&qc.value),
            Content::Coin(_) | Content::Ready(_) => String::new(),
            Content::Status {
                standing, decided, ..
            } => {
                format!(
                    "{}{}",
                    lock(standing.lock),
                    if decided.is_some() { ", decided" } else { "" }
                )
            }
            Content::SignReq { signers, .. } => {
                let signers = signers.iter().map(|s| format!(" {}:{}", s.member, s.slot));
                format!("signers{}", signers.collect::<String>())
            }
            Content::Share(share) => format!("for {}", short(&share.session)),
        },
        Message::Reply { reply, .. } => match reply {
            Reply::Decide(decision) => short(&decision.qc.value),
            Reply::Fetch { value, have } => format!("{} but {have:?}", short(value)),
            Reply::Value { list, observations } => {
                let from = observations.iter().map(|o| o.header.member.0);
                format!(
                    "{} contributors, {:?}",
                    list.contributors.len(),
                    from.collect::<Vec<_>>()
                )
            }
            Reply::Cert(attestation) => short(&attestation.statement.digest()),
            Reply::Want => String::new(),
        },
    }
}

/// A letter between two members.
#[derive(Clone)]
pub(super) struct Posted {
    pub(super) from: MemberId,
    pub(super) to: MemberId,
    pub(super) letter: Letter,
    /// How often the link had been broken when the letter went out.
    pub(super) breaks: u32,
}
