//! How much a member can be made to keep, by formula.

use touchstone_consensus::Params;

/// Views above the own one of which messages are kept (`FAR_VIEWS` of the core).
const FAR_VIEWS: u64 = 64;
/// Kinds of message that are kept of a far view.
const FAR_KINDS: u64 = 5;
/// Views above the own one of which shares for everybody are kept (`FAR_SHARES` of the core).
const FAR_SHARES: u64 = 64;
/// Messages beyond the horizon that are kept of each member (`BEYOND_KEPT` of the core).
const BEYOND_KEPT: u64 = 32;

/// How many rounds can be alive at once: those whose life is not over, and those up to the horizon.
///
/// Of the rounds up to the newest one, those with exactly `z` trailing zero bits live `W 2^z` rounds and are every `2^(z+1)`-th:
/// `W/2` of them for each `z < Z`, and `W` for all `z >= Z`. In a network that signs, a round is also over `W` rounds after a newer
/// certificate, which leaves `W` of them.
pub fn living_rounds(params: &Params, signs: bool) -> u64 {
    let (life, doublings) = (params.life_rounds, u64::from(params.life_doublings));
    let past = if signs {
        life
    } else {
        life + doublings * life.div_ceil(2)
    };
    past + 1 + params.skew_rounds
}

/// Messages that one member `m` can place in one round, that other members' words do not bring about:
///
/// | part | count |
/// |---|---|
/// | OBS, PROPOSE0, PREPARE, COMMIT, TIMEOUT | 5 slots, and 4 of them kept again where they are used |
/// | the current view: PROPOSE, VOTE, LOCK, ACK, DONE, COIN, STATUS | 7 slots |
/// | READY, SIGNREQ and SHARE to a coordinator | `f + 1` slots each |
/// | SHARE for everybody | one for each view up to 64 above the own one |
/// | far views | `5 x 64` if whole quorums work for it, `64` COINs if they do not |
/// | the signing: the share, the offer, the answers | `1 + 1 + (f + 1)` |
pub fn slots_of_member(f: u16, view: u64) -> u64 {
    let sessions = u64::from(f) + 1;
    let slots = 5 + 7 + 3 * sessions + (view + FAR_SHARES + 1);
    slots + 4 + FAR_VIEWS * FAR_KINDS + 2 + sessions
}

/// The most that one round in this view can hold (`RoundState::kept`): what `n` members can place, `4n` values, the observations
/// that these name, and what was served of the values of each view.
pub fn round(n: u16, f: u16, view: u64) -> u64 {
    let members = u64::from(n);
    let values_ever = members * (view + 2) + 1;
    let others = 4 * members * members + 1;
    members * slots_of_member(f, view) + 4 * members + others + members * values_ever
}

/// The most that a whole core can hold ([`touchstone_consensus::Core::kept`]); `views` are those of its living rounds.
pub fn core(n: u16, f: u16, params: &Params, views: impl Iterator<Item = u64>) -> u64 {
    let rounds: u64 = views.map(|view| round(n, f, view)).sum();
    let certificates = u64::try_from(params.certificates_kept).unwrap_or(u64::MAX);
    rounds + BEYOND_KEPT * u64::from(n) + certificates
}

/// The most memory in bytes that one faulty member can pin in an honest one, with messages that need nobody's help.
///
/// For each living round `160 KiB + 1 KiB (f + 1) + 96 F + 64 n + 256 t` for `F` feeds and `t` signers: 65 shares for everybody and
/// 64 coins of far views are most of the first term (their slots, the messages, and room in lists), then come READYs, an
/// observation as it was signed and as it is read, a proposal, and one request for a share. Beside the rounds, 32 messages beyond
/// the horizon, of which an observation or a request is the largest. The factors are those of the structures in memory on 64
/// bits; `tests/flood.rs` holds the formula against what is measured.
pub fn flooder_bytes(n: u16, f: u16, feeds: u16, params: &Params, signs: bool) -> u64 {
    let (members, sessions, signers) = (u64::from(n), u64::from(f) + 1, u64::from(n - f));
    let (observation, request) = (1_024 + 96 * u64::from(feeds), 1_024 + 256 * signers);
    let round = (160 << 10) + 1_024 * sessions + observation + 64 * members + request;
    living_rounds(params, signs) * round + BEYOND_KEPT * observation.max(request)
}
