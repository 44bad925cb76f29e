//! The bytes of messages on a link; see [`crate::message`] for what they mean.

use std::sync::Arc;

use touchstone_types::{
    Attestation, AttestationError, DecodeError, Digest, HEADER_BYTES, Header, MemberId, MemberSet,
    MemberSignature, MessageKind, NonceCommitments, Observation, Reader, Round, SessionShare,
    SignedObservation, View, commit_body, read_nonces, sha256, write_nonces,
};

use crate::{
    message::{Content, Decision, Message, Reply, Signed, Signer},
    proof::{
        LockProof, Qc, Standing, Tc, Value, read_coin, read_coin_share, read_option, write_coin,
        write_option,
    },
};

const DECIDE: u8 = 128;
const FETCH: u8 = 129;
const VALUE: u8 = 130;
const CERT: u8 = 131;
const WANT: u8 = 132;

impl Content {
    /// The bytes whose hash the header holds.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Obs { body, .. } => out.extend_from_slice(body),
            Self::Timeout { standing, .. } | Self::Status { standing, .. } => {
                standing.write(&mut out);
            }
            Self::Propose0 { value, .. }
            | Self::Propose { value, .. }
            | Self::Prepare(value)
            | Self::Vote(value)
            | Self::Ack(value) => {
                out.extend_from_slice(&value.0);
            }
            Self::Lock(qc) | Self::Done(qc) => out.extend_from_slice(&qc.value.0),
            Self::Coin(share) => out.extend_from_slice(&share.value),
            Self::Ready(nonces) => write_nonces(nonces, &mut out),
            Self::Commit {
                value,
                nonces,
                share,
            } => {
                let extra = commit_extra(share.as_ref(), nonces);
                out.extend_from_slice(&commit_body(value, &extra));
            }
            Self::SignReq { session, signers } => {
                out.extend_from_slice(&session.0);
                write_count(signers.len(), &mut out);
                for signer in signers {
                    out.extend_from_slice(&signer.member.0.to_be_bytes());
                    out.extend_from_slice(&signer.slot.to_be_bytes());
                    write_nonces(&signer.nonces, &mut out);
                }
            }
            Self::Share(share) => SessionShare::write_option(Some(share), &mut out),
        }
        out
    }

    fn proof(&self, out: &mut Vec<u8>) {
        match self {
            Self::Propose0 { list, .. } => list.write(out),
            Self::Commit { nonces, share, .. } => {
                write_bytes(&commit_extra(share.as_ref(), nonces), out);
            }
            Self::Timeout { proof, .. } => LockProof::write_option(proof.as_ref(), out),
            Self::Propose {
                list, tc, proof, ..
            } => {
                write_list(list.as_deref(), out);
                tc.write(out);
                LockProof::write_option(proof.as_ref(), out);
            }
            Self::Lock(qc) | Self::Done(qc) => qc.write(out),
            Self::Coin(share) => out.extend_from_slice(&share.to_bytes()),
            Self::Status {
                proof,
                decided,
                coin,
                ..
            } => {
                LockProof::write_option(proof.as_ref(), out);
                write_option(decided.as_deref(), out);
                write_coin(coin, out);
            }
            Self::Obs { .. }
            | Self::Prepare(_)
            | Self::Vote(_)
            | Self::Ack(_)
            | Self::Ready(_)
            | Self::SignReq { .. }
            | Self::Share(_) => {}
        }
    }

    fn read(kind: MessageKind, body: &[u8], reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut b = Reader::new(body);
        let content = match kind {
            MessageKind::Obs => {
                let observation = Arc::new(Observation::from_bytes(body)?);
                let body = b.take(body.len(), "observation")?.into();
                Self::Obs { body, observation }
            }
            MessageKind::Timeout => Self::Timeout {
                standing: Standing::read(&mut b)?,
                proof: LockProof::read_option(reader)?,
            },
            MessageKind::Propose => Self::Propose {
                value: Digest(b.array("value")?),
                list: read_list(reader)?,
                tc: Arc::new(Tc::read(reader)?),
                proof: LockProof::read_option(reader)?,
            },
            MessageKind::Vote => Self::Vote(Digest(b.array("value")?)),
            MessageKind::Ack => Self::Ack(Digest(b.array("value")?)),
            MessageKind::Lock | MessageKind::Done => {
                let value = Digest(b.array("value")?);
                let qc = Arc::new(Qc::read(reader)?);
                if qc.value != value {
                    return Err(DecodeError::Invalid {
                        field: "certificate value",
                        reason: "must be the value of the message",
                    });
                }
                match kind {
                    MessageKind::Lock => Self::Lock(qc),
                    _ => Self::Done(qc),
                }
            }
            MessageKind::Coin => {
                let share = read_coin_share(reader)?;
                if b.array("coin share")? != share.value {
                    return Err(DecodeError::Invalid {
                        field: "coin share",
                        reason: "must be the share that the proof is for",
                    });
                }
                Self::Coin(share)
            }
            MessageKind::Status => Self::Status {
                standing: Standing::read(&mut b)?,
                proof: LockProof::read_option(reader)?,
                decided: read_option(reader)?,
                coin: read_coin(reader)?,
            },
            MessageKind::Ready => Self::Ready(read_nonces(&mut b)?),
            MessageKind::SignReq => Self::SignReq {
                session: Digest(b.array("request session")?),
                signers: read_signers(&mut b)?,
            },
            MessageKind::Share => Self::Share(SessionShare::read_option(&mut b)?.ok_or(
                DecodeError::Invalid {
                    field: "share present",
                    reason: "must be 1",
                },
            )?),
            MessageKind::Propose0 => Self::Propose0 {
                value: Digest(b.array("value")?),
                list: Arc::new(Value::read(reader)?),
            },
            MessageKind::Prepare => Self::Prepare(Digest(b.array("value")?)),
            MessageKind::Commit => read_commit(&mut b, reader)?,
        };
        b.finish()?;
        Ok(content)
    }
}

impl Signed {
    /// The bytes on a link.
    pub fn to_bytes(&self) -> Vec<u8> {
        let h = &self.header;
        let body = self.content.body();
        let mut out = Vec::with_capacity(body.len().saturating_add(HEADER_BYTES + 64));
        out.push(h.kind.byte());
        out.extend_from_slice(&h.round.0.to_be_bytes());
        out.extend_from_slice(&h.view.0.to_be_bytes());
        out.extend_from_slice(&h.instance.to_be_bytes());
        out.extend_from_slice(&h.member.0.to_be_bytes());
        out.extend_from_slice(&self.signature.0);
        write_bytes(&body, &mut out);
        self.content.proof(&mut out);
        out
    }
}

impl Message {
    /// Reads a message of the network and epoch of `tag` that came on the link of `from`.
    ///
    /// # Errors
    /// Bytes that are no message, or a signed message of somebody else than `from`.
    pub fn from_bytes(tag: Digest, from: MemberId, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("kind")?;
        let round = Round(reader.u64("round")?);
        let message = match MessageKind::from_byte(kind) {
            Some(kind) => Self::Signed(read_signed(tag, kind, round, &mut reader)?),
            None => Self::Reply {
                from,
                round,
                reply: read_reply(tag, kind, round, &mut reader)?,
            },
        };
        reader.finish()?;
        if message.from() != from {
            return Err(DecodeError::Invalid {
                field: "member",
                reason: "must be the member on whose link it came",
            });
        }
        Ok(message)
    }
}

impl Reply {
    /// The bytes on a link.
    pub fn to_bytes(&self, round: Round) -> Vec<u8> {
        let kind = match self {
            Self::Decide(_) => DECIDE,
            Self::Fetch { .. } => FETCH,
            Self::Value { .. } => VALUE,
            Self::Cert(_) => CERT,
            Self::Want => WANT,
        };
        let mut out = Vec::from([kind]);
        out.extend_from_slice(&round.0.to_be_bytes());
        match self {
            Self::Decide(decision) => {
                decision.qc.write(&mut out);
                write_coin(&decision.coin, &mut out);
            }
            Self::Fetch { value, have } => {
                out.extend_from_slice(&value.0);
                out.extend_from_slice(&have.0.to_be_bytes());
            }
            Self::Value { list, observations } => {
                write_list(Some(list), &mut out);
                write_count(observations.len(), &mut out);
                for o in observations {
                    out.extend_from_slice(&o.header.member.0.to_be_bytes());
                    out.extend_from_slice(&o.signature.0);
                    write_bytes(&o.body, &mut out);
                }
            }
            Self::Cert(attestation) => out.extend_from_slice(&attestation.to_bytes()),
            Self::Want => {}
        }
        out
    }
}

/// What COMMIT brings beside its vote; the signed body holds its hash.
pub(crate) fn commit_extra(share: Option<&SessionShare>, nonces: &[NonceCommitments]) -> Vec<u8> {
    let mut extra = Vec::new();
    SessionShare::write_option(share, &mut extra);
    write_nonces(nonces, &mut extra);
    extra
}

fn read_commit(body: &mut Reader<'_>, rest: &mut Reader<'_>) -> Result<Content, DecodeError> {
    let value = Digest(body.array("value")?);
    let named = Digest(body.array("commit extra hash")?);
    let extra = read_bytes(rest)?;
    if sha256(&[extra]) != named {
        return Err(DecodeError::Invalid {
            field: "commit extra",
            reason: "must be what the signed body holds the hash of",
        });
    }
    let mut extra = Reader::new(extra);
    let content = Content::Commit {
        share: SessionShare::read_option(&mut extra)?,
        value,
        nonces: read_nonces(&mut extra)?,
    };
    extra.finish()?;
    Ok(content)
}

fn read_signed(
    tag: Digest,
    kind: MessageKind,
    round: Round,
    reader: &mut Reader<'_>,
) -> Result<Signed, DecodeError> {
    let view = View(reader.u32("view")?);
    let instance = reader.u16("instance")?;
    let member = MemberId(reader.u16("member")?);
    let signature = MemberSignature(reader.array("signature")?);
    let body = read_bytes(reader)?;
    let header = Header {
        tag,
        kind,
        round,
        view,
        instance,
        member,
        body_hash: sha256(&[body]),
    };
    Ok(Signed {
        header,
        signature,
        content: Content::read(kind, body, reader)?,
    })
}

fn read_reply(
    tag: Digest,
    kind: u8,
    round: Round,
    reader: &mut Reader<'_>,
) -> Result<Reply, DecodeError> {
    Ok(match kind {
        DECIDE => Reply::Decide(Decision {
            qc: Arc::new(Qc::read(reader)?),
            coin: read_coin(reader)?,
        }),
        FETCH => Reply::Fetch {
            value: Digest(reader.array("value")?),
            have: MemberSet(u128::from_be_bytes(reader.array("have")?)),
        },
        VALUE => {
            let list = read_list(reader)?.ok_or(DecodeError::Invalid {
                field: "value",
                reason: "must be there",
            })?;
            let count = reader.u16("observation count")?;
            let mut observations = Vec::new();
            for _ in 0..count {
                observations.push(read_observation(tag, round, reader)?);
            }
            Reply::Value { list, observations }
        }
        CERT => {
            let bytes = reader.take(reader.remaining(), "attestation")?;
            let attestation = Attestation::from_bytes(bytes).map_err(|error| match error {
                AttestationError::Decode(error) => error,
                _ => DecodeError::Invalid {
                    field: "attestation",
                    reason: "its parts are not those that its statement commits to",
                },
            })?;
            Reply::Cert(Arc::new(attestation))
        }
        WANT => Reply::Want,
        _ => {
            return Err(DecodeError::Invalid {
                field: "kind",
                reason: "unknown",
            });
        }
    })
}

fn read_observation(
    tag: Digest,
    round: Round,
    reader: &mut Reader<'_>,
) -> Result<SignedObservation, DecodeError> {
    let member = MemberId(reader.u16("observation member")?);
    let signature = MemberSignature(reader.array("observation signature")?);
    let body = read_bytes(reader)?.to_vec();
    let header = Header {
        tag,
        kind: MessageKind::Obs,
        round,
        view: View(0),
        instance: 0,
        member,
        body_hash: sha256(&[&body]),
    };
    Ok(SignedObservation {
        header,
        signature,
        body,
    })
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn read_bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let len = usize::try_from(reader.u32("length")?).unwrap_or(usize::MAX);
    reader.take(len, "body")
}

fn write_list(list: Option<&Value>, out: &mut Vec<u8>) {
    match list {
        None => out.push(0),
        Some(list) => {
            out.push(1);
            list.write(out);
        }
    }
}

/// An optional value: one byte says whether it is there.
fn read_list(reader: &mut Reader<'_>) -> Result<Option<Arc<Value>>, DecodeError> {
    match reader.u8("value present")? {
        0 => Ok(None),
        1 => Value::read(reader).map(|value| Some(Arc::new(value))),
        _ => Err(DecodeError::Invalid {
            field: "value present",
            reason: "must be 0 or 1",
        }),
    }
}

fn read_signers(reader: &mut Reader<'_>) -> Result<Vec<Signer>, DecodeError> {
    let count = usize::from(reader.u16("signer count")?);
    let mut signers = Vec::with_capacity(count.min(reader.remaining() / 7));
    for _ in 0..count {
        signers.push(Signer {
            member: MemberId(reader.u16("signer")?),
            slot: reader.u32("signer slot")?,
            nonces: read_nonces(reader)?,
        });
    }
    Ok(signers)
}
