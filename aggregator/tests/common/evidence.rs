//! Evidence against the members of the made-up network, with their own keys.

use touchstone_types::{
    Digest, Epoch, Evidence, Header, MemberId, MessageKind, NonceCommitments, Round, SessionShare,
    SessionSigner, SignedHeader, SigningSession, Statement, Suite, View, sha256,
};

use super::Fabricated;

impl Fabricated {
    pub(crate) fn signed(
        &self,
        member: u16,
        kind: MessageKind,
        round: u64,
        body: &[u8],
    ) -> SignedHeader {
        let header = Header {
            tag: Header::tag(self.network.id(), Epoch(0)),
            kind,
            round: Round(round),
            view: View(1),
            instance: 2,
            member: MemberId(member),
            body_hash: sha256(&[body]),
        };
        let key = &self.members[usize::from(member)];
        SignedHeader {
            header,
            signature: key.sign_header(&header),
        }
    }

    /// Two votes for one slot.
    pub(crate) fn contradiction(&self, member: u16, round: u64) -> Evidence {
        Evidence::Contradiction {
            first: self.signed(member, MessageKind::Vote, round, b"yes"),
            second: self.signed(member, MessageKind::Vote, round, b"no"),
        }
    }

    /// A share that is wrong in its session of members 0, 1 and 2.
    pub(crate) fn bad_share(&self, member: u16, round: u64) -> Evidence {
        let points = [1, 2].map(|i: usize| *self.members[i].public().as_bytes());
        let signer = |member| SessionSigner {
            member: MemberId(member),
            nonces: vec![NonceCommitments {
                suite: Suite::Ed25519,
                bytes: points.concat(),
            }],
        };
        let session = SigningSession {
            statement: Statement {
                network: self.network.id(),
                epoch: Epoch(0),
                round: Round(round),
                timestamp_ms: 1,
                feed_count: 1,
                feeds_root: Digest([1; 32]),
                observations_root: Digest([1; 32]),
            },
            signers: (0..3).map(signer).collect(),
        };
        let share = SessionShare {
            session: session.digest(),
            shares: vec![(Suite::Ed25519, vec![1; 32])],
        };
        let mut body = Vec::new();
        SessionShare::write_option(Some(&share), &mut body);
        Evidence::BadShare {
            share: self.signed(member, MessageKind::Share, round, &body),
            body,
            session,
        }
    }
}
