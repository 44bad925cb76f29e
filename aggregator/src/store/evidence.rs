//! Proofs of misbehaviour.

use touchstone_crypto::Guilt;
use touchstone_transport::EVIDENCE_RECORDS_MAX;
use touchstone_types::{Digest, Evidence, Header, MemberId, Round};

use super::{Store, StoreError, key, on, time, unsigned};

/// A record to store.
#[derive(Clone, Debug)]
pub struct EvidenceEntry<'a> {
    /// The evidence.
    pub evidence: &'a Evidence,
    /// What it proves.
    pub guilt: Guilt,
    /// Who handed it over.
    pub source: &'a str,
    /// When, in Unix milliseconds.
    pub received_at_ms: u64,
}

/// A stored record.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct EvidenceRow {
    number: i64,
    id: String,
    epoch: i64,
    member: i64,
    kind: String,
    offence: String,
    evidence: Vec<u8>,
    received_at_ms: i64,
}

/// A stretch of the records, newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvidenceQuery {
    /// Only against this member.
    pub member: Option<MemberId>,
    /// Only about this round.
    pub round: Option<Round>,
    /// Only records whose number is below this one; none for the first page.
    pub below: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

const PUT: &str = "INSERT INTO evidence \
     (number, id, slot, epoch, member, round, kind, offence, evidence, source, received_at_ms) \
     VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM evidence), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     ON CONFLICT DO NOTHING";
const HAS_SLOT: &str = "SELECT COUNT(*) FROM evidence WHERE slot = $1";
const COUNT: &str = "SELECT COUNT(*) FROM evidence WHERE epoch = $1 AND member = $2 AND kind = $3";
const BY_ID: &str = "SELECT number, id, epoch, member, kind, offence, evidence, received_at_ms \
     FROM evidence WHERE id = $1";
const PAGE: &str = "SELECT number, id, epoch, member, kind, offence, evidence, received_at_ms \
     FROM evidence WHERE number < $1 AND ($2 < 0 OR member = $2) AND ($3 < 0 OR round = $3) \
     ORDER BY number DESC LIMIT $4";

impl EvidenceRow {
    /// Its place in the order in which records came.
    pub fn number(&self) -> u64 {
        unsigned(self.number)
    }

    /// Its name, 64 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        unsigned(self.epoch)
    }

    /// The accused.
    pub fn member(&self) -> u64 {
        unsigned(self.member)
    }

    /// `contradiction` or `bad_share`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the member did, in words.
    pub fn offence(&self) -> &str {
        &self.offence
    }

    /// The canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.evidence
    }

    /// When it came, in Unix milliseconds.
    pub fn received_at_ms(&self) -> u64 {
        unsigned(self.received_at_ms)
    }
}

impl Store {
    /// Whether there is room for a record: none of its kind is stored for its slot, and fewer than
    /// [`EVIDENCE_RECORDS_MAX`] against its member in this epoch.
    ///
    /// # Errors
    /// What the database says; so too for all others below.
    pub async fn has_room_for(
        &self,
        evidence: &Evidence,
        epoch: touchstone_types::Epoch,
    ) -> Result<bool, StoreError> {
        let (held, taken): ((i64,), (i64,)) = on!(self, pool => (
            sqlx::query_as(HAS_SLOT).bind(slot(evidence)).fetch_one(pool).await?,
            sqlx::query_as(COUNT).bind(i64::from(epoch.0)).bind(i64::from(evidence.member().0))
                .bind(evidence.kind()).fetch_one(pool).await?,
        ));
        let max = u64::try_from(EVIDENCE_RECORDS_MAX).unwrap_or(u64::MAX);
        Ok(held.0 == 0 && unsigned(taken.0) < max)
    }

    /// Stores a record; false if there is one of its kind for its slot.
    ///
    /// # Errors
    /// See [`Store::has_room_for`].
    pub async fn put_evidence(&self, entry: &EvidenceEntry<'_>) -> Result<bool, StoreError> {
        let EvidenceEntry {
            evidence, guilt, ..
        } = entry;
        let written = on!(self, pool => sqlx::query(PUT)
            .bind(evidence.id().to_string())
            .bind(slot(evidence))
            .bind(i64::from(guilt.epoch.0))
            .bind(i64::from(guilt.member.0))
            .bind(key(guilt.round))
            .bind(evidence.kind())
            .bind(guilt.offence.to_string())
            .bind(evidence.to_bytes())
            .bind(entry.source.to_owned())
            .bind(time(entry.received_at_ms))
            .execute(pool).await?.rows_affected());
        Ok(written == 1)
    }

    /// A record by its name.
    ///
    /// # Errors
    /// See [`Store::has_room_for`].
    pub async fn evidence_by_id(&self, id: Digest) -> Result<Option<EvidenceRow>, StoreError> {
        Ok(
            on!(self, pool => sqlx::query_as(BY_ID).bind(id.to_string()).fetch_optional(pool).await?),
        )
    }

    /// A page of records, newest first.
    ///
    /// # Errors
    /// See [`Store::has_room_for`].
    pub async fn evidence(&self, query: EvidenceQuery) -> Result<Vec<EvidenceRow>, StoreError> {
        let below = query.below.map_or(i64::MAX, time);
        let member = query.member.map_or(-1, |m| i64::from(m.0));
        let round = query.round.map_or(-1, key);
        Ok(on!(self, pool => sqlx::query_as(PAGE)
            .bind(below).bind(member).bind(round).bind(i64::from(query.limit))
            .fetch_all(pool).await?))
    }
}

/// The kind, and the header of the accused without its body's hash.
fn slot(evidence: &Evidence) -> String {
    let header = Header {
        body_hash: Digest([0; 32]),
        ..*evidence.header()
    };
    format!("{}:{}", evidence.kind(), hex::encode(header.to_bytes()))
}
