//! How the application proves who it is.

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::error::TokenError;
use crate::certificate;
use crate::time::HostTime;

/// An assertion is used at once; this covers clocks that differ.
const ASSERTION_LIFETIME_S: i64 = 300;

/// How the application proves who it is.
#[derive(Clone)]
pub enum Credential {
    /// By a secret.
    Secret(SecretString),
    /// By a certificate.
    Certificate(Certificate),
    /// By the identity of the machine it runs on.
    ManagedIdentity,
    /// By a token that somebody else issues, read anew each time (workload identity federation).
    FederatedToken(PathBuf),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Certificate(_) => "Certificate",
            Self::ManagedIdentity => "ManagedIdentity",
            Self::FederatedToken(_) => "FederatedToken",
        })
    }
}

/// The fields of a token request that prove who asks.
pub(super) fn proof(
    credential: &Credential,
    client_id: &str,
    endpoint: &str,
    now: HostTime,
) -> Result<Vec<(&'static str, SecretString)>, TokenError> {
    let assertion = match credential {
        Credential::Secret(secret) => return Ok(vec![("client_secret", secret.clone())]),
        Credential::Certificate(certificate) => certificate.assertion(client_id, endpoint, now)?,
        Credential::FederatedToken(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|source| TokenError::FederatedToken {
                    path: path.clone(),
                    source,
                })?;
            SecretString::from(text.trim().to_owned())
        }
        Credential::ManagedIdentity => return Ok(Vec::new()),
    };
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    Ok(vec![
        ("client_assertion_type", SecretString::from(kind)),
        ("client_assertion", assertion),
    ])
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Certificate {
    thumbprint: String,
    ends_at: Option<Timestamp>,
    key: EncodingKey,
}

/// Why a certificate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificate {
    /// The file has no certificate in PEM form.
    #[error("certificate_file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The key is no RSA key in PEM form.
    #[error(
        "private_key_file holds no unencrypted RSA private key of at least 2048 bits in PEM form (-----BEGIN PRIVATE KEY-----)"
    )]
    NoKey,
    /// The key is that of another certificate.
    #[error("the private key is not that of the certificate")]
    AnotherKey,
}

impl Certificate {
    /// A certificate and its private key, both as PEM.
    pub fn new(certificate: &str, key: &SecretString) -> Result<Self, InvalidCertificate> {
        let der = first_certificate(certificate).ok_or(InvalidCertificate::NoCertificate)?;
        let pem = key.expose_secret().as_bytes();
        // A certificate bears the public key byte for byte.
        let public = public_key(pem).ok_or(InvalidCertificate::NoKey)?;
        if !der.windows(public.len()).any(|bytes| bytes == public) {
            return Err(InvalidCertificate::AnotherKey);
        }
        let key = EncodingKey::from_rsa_pem(pem).map_err(|_| InvalidCertificate::NoKey)?;
        Ok(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            ends_at: certificate::ends_at(&der),
            key,
        })
    }

    /// Until when the identity platform takes it; none where it does not say.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// A signed statement of who we are, for one use: PS256 with the certificate's SHA-256
    /// thumbprint, as Microsoft's page on certificate credentials wants it.
    fn assertion(
        &self,
        client_id: &str,
        endpoint: &str,
        now: HostTime,
    ) -> Result<SecretString, TokenError> {
        let issued = now.wall.as_second();
        let claims = Claims {
            aud: endpoint,
            iss: client_id,
            sub: client_id,
            jti: uuid::Uuid::new_v4().to_string(),
            nbf: issued,
            iat: issued,
            exp: issued + ASSERTION_LIFETIME_S,
        };
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(self.thumbprint.clone());
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map(SecretString::from)
            .map_err(|_| TokenError::Unsigned)
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// The public half of an RSA key in PEM form, in DER.
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    let pair = match PrivateKeyDer::from_pem_slice(pem).ok()? {
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return None,
    };
    Some(pair.ok()?.public_key().as_ref().to_vec())
}

/// The bytes of the first certificate of a PEM file: the others are of its issuers.
fn first_certificate(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok().filter(|der| !der.is_empty())
}
