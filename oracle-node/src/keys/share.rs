//! `share.key`: a member's shares of the group key in every suite, and of the coin key, sealed together in one file so that
//! they come into being together.
//!
//! The sealed content is `suites u8 | suites x (suite u8 | length u16 | share) | coin share (32)`; the readable header is
//! [`ShareHeader`] as JSON.

use std::path::Path;

use rand_core::OsRng;
use serde::{Deserialize, Serialize};
use touchstone_crypto::{
    CoinPublic, CoinSecretShare, KeyKind, SealedFile, SigningPublic, SigningShare,
};
use touchstone_types::{
    Committee, DecodeError, Digest, Epoch, EpochRecord, MemberId, NetworkId, Reader, Suite,
};
use zeroize::Zeroizing;

use super::{KeysError, NodePassword, read_sealed, sealed};

/// What a share file says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareHeader {
    pub(crate) network_id: NetworkId,
    pub(crate) epoch: Epoch,
    pub(crate) member: MemberId,
    /// Digest of the epoch record whose keys these are shares of.
    pub(crate) record: Digest,
}

/// The bytes of a share file.
pub(crate) fn seal_shares(
    path: &Path,
    header: &ShareHeader,
    shares: &[SigningShare],
    coin: &CoinSecretShare,
    password: &NodePassword,
) -> Result<Vec<u8>, KeysError> {
    let content = |problem: String| KeysError::Content {
        path: path.display().to_string(),
        problem,
    };
    let header = serde_json::to_vec(header).map_err(|e| content(e.to_string()))?;
    let mut secret = Zeroizing::new(Vec::with_capacity(512));
    secret.push(u8::try_from(shares.len()).unwrap_or(u8::MAX));
    for share in shares {
        let bytes = share.to_secret_bytes();
        secret.push(share.suite().byte());
        secret.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        secret.extend_from_slice(&bytes);
    }
    secret.extend_from_slice(&coin.to_secret_bytes());
    SealedFile::seal(
        KeyKind::SigningShare,
        &header,
        &secret,
        password.as_crypto(),
        &mut OsRng,
    )
    .map_err(sealed(path))
}

/// Opens a share file and checks that it is this member's of this epoch and that every share fits its verifying share.
pub(crate) fn open_shares(
    path: &Path,
    must: &ShareHeader,
    committee: Committee,
    record: &EpochRecord,
    password: &NodePassword,
) -> Result<(Vec<SigningShare>, CoinSecretShare), KeysError> {
    let name = || path.display().to_string();
    let content = |problem: String| KeysError::Content {
        path: name(),
        problem,
    };
    let file = read_sealed(path)?;
    let secret = file
        .open(KeyKind::SigningShare, password.as_crypto())
        .map_err(sealed(path))?;
    let header: ShareHeader =
        serde_json::from_slice(file.header()).map_err(|e| content(e.to_string()))?;
    if header != *must {
        return Err(content(format!(
            "it holds shares of member {} in epoch {} of network {}, must be member {} in epoch {} of network {} with the \
             keys of its record",
            header.member,
            header.epoch,
            header.network_id,
            must.member,
            must.epoch,
            must.network_id
        )));
    }
    let (suites, coin) = split(&secret).map_err(|e| content(e.to_string()))?;
    if !suites
        .iter()
        .map(|(s, _)| *s)
        .eq(record.keys.iter().map(|k| k.suite))
    {
        return Err(content(
            "its suites are not those of the network".to_owned(),
        ));
    }
    let share = |(keys, (_, bytes)): (_, &(Suite, &[u8]))| {
        let public = SigningPublic::new(committee, keys)?;
        SigningShare::from_secret_bytes(bytes, must.member, &public)
    };
    let shares = record
        .keys
        .iter()
        .zip(&suites)
        .map(share)
        .collect::<Result<_, _>>();
    let shares = shares.map_err(|error| KeysError::Share {
        path: name(),
        error,
    })?;
    let coin = CoinPublic::from_record(committee, record)
        .and_then(|public| CoinSecretShare::from_secret_bytes(coin, must.member, &public))
        .map_err(|error| KeysError::Coin {
            path: name(),
            error,
        })?;
    Ok((shares, coin))
}

type Parts<'a> = (Vec<(Suite, &'a [u8])>, &'a [u8]);

fn split(secret: &[u8]) -> Result<Parts<'_>, DecodeError> {
    let mut reader = Reader::new(secret);
    let mut suites = Vec::new();
    for _ in 0..reader.u8("suites")? {
        let suite = Suite::from_byte(reader.u8("suite")?).ok_or(DecodeError::Invalid {
            field: "suite",
            reason: "unknown",
        })?;
        let length = usize::from(reader.u16("share length")?);
        suites.push((suite, reader.take(length, "share")?));
    }
    let coin = reader.take(32, "coin share")?;
    reader.finish()?;
    Ok((suites, coin))
}
