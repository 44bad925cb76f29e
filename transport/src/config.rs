//! What a member's transport is told, and the ranges that it is held to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use touchstone_types::MemberId;

use crate::frame::FrameLimits;
use crate::identity::{PublicKey, TlsIdentity};
use crate::observer::ObserverConfig;

/// One member as the manifest names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberEndpoint {
    /// Its index.
    pub id: MemberId,
    /// Its identity key: the only key that is accepted as this member.
    pub key: PublicKey,
    /// Where it listens; [`crate::Mesh::set_address`] changes it later.
    pub address: SocketAddr,
}

/// Everything that [`crate::Mesh::bind`] needs.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// This member.
    pub me: MemberId,
    /// This member's key.
    pub identity: Arc<TlsIdentity>,
    /// All members, this one among them (its address is not used).
    pub members: Vec<MemberEndpoint>,
    /// The UDP address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The kinds of frame and their sizes.
    pub frames: FrameLimits,
    /// Bounds of memory and of connections.
    pub limits: MeshLimits,
    /// Timeouts and back-off.
    pub timing: LinkTiming,
    /// The attestation stream for observers, where one is served.
    pub observers: Option<ObserverConfig>,
}

/// Bounds of memory and of connections.
///
/// What one peer can make this member hold is at most `inbox_bytes_max` of frames that wait for the consumer, plus
/// 32 streams of one frame each of the largest kind, plus `window_bytes` that nobody has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MeshLimits {
    /// Frames kept for one peer (16 to 1,048,576; default 16,384).
    pub outbox_frames_max: u32,
    /// Bytes kept for one peer (from the largest frame to 1 GiB; default 64 MiB). A broadcast's bytes are shared.
    pub outbox_bytes_max: u32,
    /// Frames of one peer that wait for the consumer (1 to 65,536; default 256).
    pub inbox_frames_max: u32,
    /// Bytes of one peer's frames that wait for the consumer (from the largest frame to 256 MiB; default 8 MiB).
    pub inbox_bytes_max: u32,
    /// Flow-control window of one connection in bytes, both directions (65,536 to 64 MiB; default 2 MiB).
    pub window_bytes: u32,
    /// Connections in their handshake at once, all addresses together (1 to 65,536; default 256). Members' addresses
    /// do not count here, so that strangers cannot keep members out.
    pub handshakes_max: u32,
    /// Connections in their handshake at once from one IPv4 address or IPv6 /64 network (1 to 65,536; default 64).
    pub handshakes_per_address_max: u32,
    /// How long a peer that broke a rule is not listened to (0 to 3,600 s; default 30 s).
    pub mute: Duration,
}

impl Default for MeshLimits {
    fn default() -> Self {
        Self {
            outbox_frames_max: 16_384,
            outbox_bytes_max: 64 << 20,
            inbox_frames_max: 256,
            inbox_bytes_max: 8 << 20,
            window_bytes: 2 << 20,
            handshakes_max: 256,
            handshakes_per_address_max: 64,
            mute: Duration::from_secs(30),
        }
    }
}

/// Timeouts and back-off of one end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkTiming {
    /// How often a quiet connection is kept alive (50 ms to 60 s; default 1 s).
    pub keep_alive: Duration,
    /// After how much silence a connection is lost (at least twice `keep_alive`, to 600 s; default 6 s).
    pub idle_timeout: Duration,
    /// How long handshake and greeting may take together (100 ms to 60 s; default 5 s).
    pub handshake_timeout: Duration,
    /// First bound of the wait between two attempts to connect (1 ms to 60 s; default 50 ms).
    pub backoff_min: Duration,
    /// Last bound of that wait (`backoff_min` to 600 s; default 3 s).
    pub backoff_max: Duration,
}

impl Default for LinkTiming {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(6),
            handshake_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(3),
        }
    }
}

/// Why a configuration is refused; names the value and what it may be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConfigError {
    /// A number outside its range.
    #[error("{name} ({value}) must be from {min} to {max}")]
    OutOfRange {
        /// The key, with its unit where it has one.
        name: &'static str,
        /// The refused value.
        value: u64,
        /// The least allowed value.
        min: u64,
        /// The greatest allowed value.
        max: u64,
    },
    /// No kind of frame is listed.
    #[error("frame_limits lists no frame kind, at least 1 is needed")]
    NoKinds,
    /// A kind of frame is listed twice.
    #[error("frame_limits lists kind {kind} twice")]
    DuplicateKind {
        /// The kind.
        kind: u8,
    },
    /// Two members share an index.
    #[error("members lists member {0} twice")]
    DuplicateMember(MemberId),
    /// Two members share a key.
    #[error("members {0} and {1} have the same key {2}")]
    DuplicateKey(MemberId, MemberId, PublicKey),
    /// This member is not among the members.
    #[error("me ({0}) is not in members")]
    NotAMember(MemberId),
    /// The identity is not the one that the member list has for this member.
    #[error("the identity key {identity} is not member {me}'s key {expected}")]
    WrongIdentity {
        /// This member.
        me: MemberId,
        /// The key of the given identity.
        identity: PublicKey,
        /// The key in the member list.
        expected: PublicKey,
    },
}

impl ConfigError {
    pub(crate) fn check_range(
        name: &'static str,
        value: u64,
        min: u64,
        max: u64,
    ) -> Result<(), Self> {
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(Self::OutOfRange {
            name,
            value,
            min,
            max,
        })
    }

    pub(crate) fn check_ms(
        name: &'static str,
        value: Duration,
        min: Duration,
        max: Duration,
    ) -> Result<(), Self> {
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Self::check_range(name, ms(value), ms(min), ms(max))
    }
}

impl MeshConfig {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range, or a member list that contradicts itself.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_members()?;
        self.limits.validate(&self.frames)?;
        self.timing.validate()?;
        self.observers
            .as_ref()
            .map_or(Ok(()), |observers| observers.limits.validate())
    }

    fn check_members(&self) -> Result<(), ConfigError> {
        let mut by_id = BTreeMap::new();
        let mut by_key = BTreeMap::new();
        for member in &self.members {
            if by_id.insert(member.id, member.key).is_some() {
                return Err(ConfigError::DuplicateMember(member.id));
            }
            if let Some(other) = by_key.insert(member.key, member.id) {
                return Err(ConfigError::DuplicateKey(other, member.id, member.key));
            }
        }
        let expected = *by_id
            .get(&self.me)
            .ok_or(ConfigError::NotAMember(self.me))?;
        let identity = self.identity.public();
        if expected != identity {
            return Err(ConfigError::WrongIdentity {
                me: self.me,
                identity,
                expected,
            });
        }
        Ok(())
    }
}

impl MeshLimits {
    fn validate(&self, frames: &FrameLimits) -> Result<(), ConfigError> {
        let check = |name, value: u32, min: u32, max: u32| {
            ConfigError::check_range(name, value.into(), min.into(), max.into())
        };
        let largest = frames.largest();
        check("outbox_frames_max", self.outbox_frames_max, 16, 1 << 20)?;
        check("outbox_bytes_max", self.outbox_bytes_max, largest, 1 << 30)?;
        check("inbox_frames_max", self.inbox_frames_max, 1, 1 << 16)?;
        check("inbox_bytes_max", self.inbox_bytes_max, largest, 1 << 28)?;
        check("window_bytes", self.window_bytes, 1 << 16, 1 << 26)?;
        check("handshakes_max", self.handshakes_max, 1, 1 << 16)?;
        check(
            "handshakes_per_address_max",
            self.handshakes_per_address_max,
            1,
            1 << 16,
        )?;
        let hour = Duration::from_secs(3600);
        ConfigError::check_ms("mute_ms", self.mute, Duration::ZERO, hour)
    }
}

impl LinkTiming {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let ms = Duration::from_millis;
        let s = Duration::from_secs;
        let check = ConfigError::check_ms;
        check("keep_alive_ms", self.keep_alive, ms(50), s(60))?;
        let twice = self.keep_alive.saturating_mul(2);
        check("idle_timeout_ms", self.idle_timeout, twice, s(600))?;
        check(
            "handshake_timeout_ms",
            self.handshake_timeout,
            ms(100),
            s(60),
        )?;
        check("backoff_min_ms", self.backoff_min, ms(1), s(60))?;
        check("backoff_max_ms", self.backoff_max, self.backoff_min, s(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameKind;

    fn config() -> MeshConfig {
        let identity = Arc::new(TlsIdentity::ephemeral().unwrap());
        let member = |id, key| MemberEndpoint {
            id: MemberId(id),
            key,
            address: ([127, 0, 0, 1], 1).into(),
        };
        MeshConfig {
            me: MemberId(0),
            members: vec![member(0, identity.public()), member(1, PublicKey([1; 32]))],
            identity,
            listen: ([127, 0, 0, 1], 0).into(),
            frames: FrameLimits::new([(FrameKind(0), 100_000)]).unwrap(),
            limits: MeshLimits::default(),
            timing: LinkTiming::default(),
            observers: None,
        }
    }

    fn error(change: impl FnOnce(&mut MeshConfig)) -> String {
        let mut config = config();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_in_range() {
        config().validate().unwrap();
    }

    #[test]
    fn refusals_name_value_and_range() {
        let s = Duration::from_secs;
        assert_eq!(
            error(|c| c.limits.inbox_bytes_max = 99_999),
            "inbox_bytes_max (99999) must be from 100000 to 268435456"
        );
        assert_eq!(
            error(|c| c.timing.idle_timeout = s(1)),
            "idle_timeout_ms (1000) must be from 2000 to 600000"
        );
        assert_eq!(
            error(|c| c.limits.mute = s(4000)),
            "mute_ms (4000000) must be from 0 to 3600000"
        );
        assert_eq!(
            error(|c| c.limits.handshakes_max = 0),
            "handshakes_max (0) must be from 1 to 65536"
        );
    }

    #[test]
    fn contradictory_members_are_refused() {
        assert_eq!(error(|c| c.me = MemberId(7)), "me (7) is not in members");
        assert_eq!(
            error(|c| c.members[1].id = MemberId(0)),
            "members lists member 0 twice"
        );
        assert!(
            error(|c| c.members[1].key = c.members[0].key)
                .starts_with("members 0 and 1 have the same key")
        );
        assert!(error(|c| c.me = MemberId(1)).contains("is not member 1's key 0101"));
    }
}
