//! TLS 1.3 with pinned Ed25519 keys at both ends: no certificate authority, no names, no 0-RTT, no resumption.

use std::collections::BTreeSet;
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};

use crate::identity::{PublicKey, TlsIdentity, certificate_key};

/// ALPN of the links between members.
pub const MEMBER_ALPN: &[u8] = b"touchstone/member/1";
/// ALPN of the attestation stream for observers.
pub const OBSERVER_ALPN: &[u8] = b"touchstone/observer/1";

/// Which keys pass the handshake at the accepting end.
#[derive(Clone, Debug)]
pub(crate) enum AcceptedKeys {
    /// These, and no other: the handshake itself fails.
    Only(BTreeSet<PublicKey>),
    /// Any key whose holder proves it: for an endpoint that serves observers too, where the admission behind the
    /// handshake asks a member's key of whoever chose [`MEMBER_ALPN`].
    Any,
}

/// The one check of both directions: is the key pinned, and does the other end hold it?
#[derive(Debug)]
struct KeyVerifier {
    accepted: AcceptedKeys,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KeyVerifier {
    fn new(accepted: AcceptedKeys, provider: &CryptoProvider) -> Arc<Self> {
        Arc::new(Self {
            accepted,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn check_key(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let key = certificate_key(certificate)?;
        match &self.accepted {
            AcceptedKeys::Only(keys) if !keys.contains(&key) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            AcceptedKeys::Only(_) | AcceptedKeys::Any => Ok(()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for KeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check_key(end_entity)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for KeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check_key(end_entity)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The TLS side of an accepting endpoint.
pub(crate) fn server_config(
    identity: &TlsIdentity,
    accepted: AcceptedKeys,
    alpns: &[&[u8]],
) -> Result<Arc<QuicServerConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = KeyVerifier::new(accepted, &provider);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = alpns.iter().map(|alpn| alpn.to_vec()).collect();
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    quic(QuicServerConfig::try_from(config))
}

/// The TLS side of a dialling endpoint that expects exactly `server`.
pub(crate) fn client_config(
    identity: &TlsIdentity,
    server: PublicKey,
    alpn: &[u8],
) -> Result<Arc<QuicClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = KeyVerifier::new(AcceptedKeys::Only(BTreeSet::from([server])), &provider);
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.enable_sni = false;
    config.enable_early_data = false;
    config.resumption = Resumption::disabled();
    quic(QuicClientConfig::try_from(config))
}

fn quic<C, E: std::fmt::Display>(config: Result<C, E>) -> Result<Arc<C>, Error> {
    config
        .map(Arc::new)
        .map_err(|error| Error::General(error.to_string()))
}

/// What an accepted connection has proved: its key and the protocol that it chose.
pub(crate) struct Credentials {
    pub(crate) key: PublicKey,
    pub(crate) alpn: Vec<u8>,
}

/// Reads the proved key and the chosen protocol of a connection whose handshake is complete.
pub(crate) fn credentials(connection: &quinn::Connection) -> Option<Credentials> {
    let chain = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    let handshake = connection
        .handshake_data()?
        .downcast::<quinn::crypto::rustls::HandshakeData>()
        .ok()?;
    Some(Credentials {
        key: certificate_key(chain.first()?).ok()?,
        alpn: handshake.protocol?,
    })
}
