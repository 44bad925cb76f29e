//! The signing path against frost-core's, interleaved in one run so that the ratio is that of one machine in one state.

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use ed25519_zebra::{Signature, VerificationKey, VerificationKeyBytes, batch};
use frost_core::{CheaterDetection, SigningPackage, aggregate_custom, round1, round2};
use frost_ed25519::{
    Ed25519Sha512 as C, Identifier,
    keys::{IdentifierList, KeyPackage, PublicKeyPackage, generate_with_dealer},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::OsRng;
use touchstone_crypto::{
    IdentityKey, IdentityPublic, NonceStore, Nonces, PreparedSession, Roster, SignTarget,
    SignatureShare, SignerSet, SigningPublic, SigningShare,
};
use touchstone_types::{Committee, Header, MemberId, MemberSignature, Statement, Suite, SuiteKeys};

/// `(t, n)` of committees with as many faults as they tolerate.
const SIZES: [(usize, usize); 6] = [(3, 4), (5, 7), (11, 16), (21, 31), (43, 64), (67, 100)];
const SAMPLES: u32 = 15;

struct Setup {
    public: SigningPublic,
    shares: Vec<SigningShare>,
    reference: PublicKeyPackage,
    packages: Vec<KeyPackage>,
}

fn deal(n: usize) -> Setup {
    let committee = Committee::new(n, Committee::max_faults(u16::try_from(n).unwrap())).unwrap();
    let threshold = u16::try_from(committee.signing_threshold()).unwrap();
    let (secrets, reference) =
        generate_with_dealer(committee.n(), threshold, IdentifierList::Default, OsRng).unwrap();
    let packages: Vec<KeyPackage> = secrets
        .into_values()
        .map(|s| s.try_into().unwrap())
        .collect();
    let verifying = packages
        .iter()
        .map(|p| p.verifying_share().serialize().unwrap());
    let keys = SuiteKeys {
        suite: Suite::Ed25519,
        group_key: reference.verifying_key().serialize().unwrap(),
        verifying_shares: verifying.collect(),
    };
    let public = SigningPublic::new(committee, &keys).unwrap();
    let load = |(member, package): (MemberId, &KeyPackage)| {
        let secret = package.signing_share().serialize();
        SigningShare::from_secret_bytes(&secret, member, &public).unwrap()
    };
    Setup {
        shares: committee.members().zip(&packages).map(load).collect(),
        public,
        reference,
        packages,
    }
}

fn commitments(
    entries: &[(MemberId, Vec<u8>)],
) -> BTreeMap<Identifier, round1::SigningCommitments<C>> {
    let decode = |bytes| round1::NonceCommitment::deserialize(bytes).unwrap();
    let each = entries.iter().map(|(member, bytes)| {
        let (hiding, binding) = bytes.split_at(32);
        let pair = round1::SigningCommitments::new(decode(hiding), decode(binding));
        (identifier(*member), pair)
    });
    each.collect()
}

fn identifier(member: MemberId) -> Identifier {
    Identifier::try_from(member.0 + 1).unwrap()
}

/// The fastest of all samples of one operation, on both sides.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    old: Duration,
    new: Duration,
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark measures time"
)]
fn time<T>(operation: impl FnOnce() -> T) -> (Duration, T) {
    let start = std::time::Instant::now();
    let out = black_box(operation());
    (start.elapsed(), out)
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            old: Duration::MAX,
            new: Duration::MAX,
        }
    }

    fn sample<A, B>(&mut self, old: impl FnOnce() -> A, new: impl FnOnce() -> B) -> (A, B) {
        let (took, a) = time(old);
        self.old = self.old.min(took);
        let (took, b) = time(new);
        self.new = self.new.min(took);
        (a, b)
    }

    fn print(&self, size: &str) {
        let us = |d: Duration| d.as_secs_f64() * 1e6;
        let (old, new) = (us(self.old), us(self.new));
        let ratio = old / new;
        println!(
            "| {size} | {} | {old:.0} | {new:.1} | {ratio:.1} |",
            self.name
        );
    }
}

/// One session of exactly a quorum, with the same nonces on both sides.
struct Session {
    entries: Vec<(MemberId, Vec<u8>)>,
    nonces: Vec<(round1::SigningNonces<C>, Nonces)>,
}

fn open(setup: &Setup, t: usize, rng: &mut ChaCha20Rng, commit: &mut Row) -> Session {
    let mut entries = Vec::new();
    let mut nonces = Vec::new();
    for (share, package) in setup.shares.iter().zip(&setup.packages).take(t) {
        let mut store = NonceStore::new(rng);
        let mut twin = rng.clone();
        let ((reference, _), (id, commitments)) = commit.sample(
            || round1::commit(package.signing_share(), &mut twin),
            || store.fresh(share, rng),
        );
        entries.push((share.member(), commitments.bytes));
        nonces.push((reference, store.take(id).unwrap()));
    }
    Session { entries, nonces }
}

/// Runs one session on both sides. The last row is what a node that signs and aggregates pays in all.
fn sample(
    setup: &Setup,
    Session { entries, nonces }: Session,
    statement: &Statement,
    [decode, prepare, sign, verify, aggregate]: &mut [Row; 5],
) {
    let target = SignTarget::Statement(statement);
    let message = statement.digest().0;
    let (package, _) = decode.sample(
        || SigningPackage::new(commitments(&entries), &message),
        || SignerSet::decode(Suite::Ed25519, &entries).unwrap(),
    );
    // frost-core can only decode beforehand; it does the rest within every operation.
    let (_, session) = prepare.sample(
        || SigningPackage::new(commitments(&entries), &message),
        || PreparedSession::new(&setup.public, &entries, &target).unwrap(),
    );
    let keys = setup.shares.iter().zip(&setup.packages);
    let shares: Vec<(MemberId, round2::SignatureShare<C>, SignatureShare)> = keys
        .zip(nonces)
        .map(|((share, key), (reference, nonces))| {
            let (old, new) = sign.sample(
                || round2::sign(&package, &reference, key).unwrap(),
                || session.sign(share, nonces).unwrap(),
            );
            assert_eq!(old.serialize(), new.0);
            (share.member(), old, new)
        })
        .collect();
    let public = &setup.reference;
    for (member, old, new) in &shares {
        let id = identifier(*member);
        let (key, group) = (&public.verifying_shares()[&id], public.verifying_key());
        verify.sample(
            || frost_core::verify_signature_share(id, key, old, &package, group).unwrap(),
            || session.verify_share(*member, new).unwrap(),
        );
    }
    let old: BTreeMap<_, _> = shares
        .iter()
        .map(|(m, old, _)| (identifier(*m), *old))
        .collect();
    let new: Vec<_> = shares.iter().map(|(m, _, new)| (*m, *new)).collect();
    let (old, new) = aggregate.sample(
        || aggregate_custom(&package, &old, public, CheaterDetection::AllCheaters).unwrap(),
        || session.aggregate(&new).unwrap(),
    );
    assert_eq!(old.serialize().unwrap(), new.as_bytes());
}

/// Prints one row for each committee and operation. The last is what a node pays in a round that signs and aggregates once.
pub(crate) fn signing(statement: &Statement) {
    println!("\n| t/n | operation | frost-core, us | here, us | ratio |\n|---|---|---|---|---|");
    for (t, n) in SIZES {
        let setup = deal(n);
        let mut rng = ChaCha20Rng::from_rng(OsRng).unwrap();
        let mut commit = Row::new("commit");
        let mut rows = [
            "decode commitments",
            "decode and prepare",
            "sign",
            "verify a share",
            "aggregate",
        ]
        .map(Row::new);
        for _ in 0..SAMPLES {
            let session = open(&setup, t, &mut rng, &mut commit);
            sample(&setup, session, statement, &mut rows);
        }
        let size = format!("{t}/{n}");
        commit.print(&size);
        for row in &rows {
            row.print(&size);
        }
        let [_, prepare, sign, _, aggregate] = rows;
        Row {
            name: "signer and aggregator in all",
            old: prepare.old + sign.old + aggregate.old,
            new: prepare.new + sign.new + aggregate.new,
        }
        .print(&size);
    }
}

/// The same for members' signatures, against ed25519-zebra: a batch, and a batch with one wrong signature.
pub(crate) fn members(header: impl Fn(MemberId) -> Header) {
    println!(
        "\n| signatures | operation | ed25519-zebra, us | here, us | ratio |\n|---|---|---|---|---|"
    );
    for n in [1, 4, 31, 67, 100] {
        let keys: Vec<_> = (0..n).map(|_| IdentityKey::generate(&mut OsRng)).collect();
        let good: Vec<_> = (0..n)
            .zip(&keys)
            .map(|(i, key)| {
                let header = header(MemberId(i));
                (key.public(), header, key.sign_header(&header))
            })
            .collect();
        let roster = Roster::new(good.iter().map(|(key, _, _)| *key));
        let mut bad = good.clone();
        let at = usize::from(n) * 2 / 3;
        bad[at].2.0[40] ^= 1;
        let (all_signed, one_wrong) = (signed(&good), signed(&bad));
        let [mut all, mut find] = ["all right", "one wrong"].map(Row::new);
        for _ in 0..SAMPLES * 10 {
            let (old, new) = all.sample(|| zebra(&good), || roster.verify_headers(&all_signed));
            assert!(old && new.iter().all(|right| *right));
            let (old, new) = find.sample(
                || zebra(&bad) || bad.iter().all(|entry| zebra(std::slice::from_ref(entry))),
                || roster.verify_headers(&one_wrong),
            );
            assert!(!old && !new[at]);
        }
        for row in [all, find] {
            row.print(&n.to_string());
        }
    }
}

fn signed(entries: &[(IdentityPublic, Header, MemberSignature)]) -> Vec<(Header, MemberSignature)> {
    entries.iter().map(|(_, h, s)| (*h, *s)).collect()
}

fn zebra(entries: &[(IdentityPublic, Header, MemberSignature)]) -> bool {
    if let [(key, header, signature)] = entries {
        let key = VerificationKey::try_from(*key.as_bytes()).unwrap();
        let signature = Signature::from_bytes(&signature.0);
        return key.verify(&signature, &header.to_bytes()).is_ok();
    }
    let mut batch = batch::Verifier::new();
    for (key, header, signature) in entries {
        let key = VerificationKeyBytes::from(*key.as_bytes());
        let signature = Signature::from_bytes(&signature.0);
        batch.queue((key, signature, &header.to_bytes()));
    }
    batch.verify(OsRng).is_ok()
}
