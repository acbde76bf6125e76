//! Assertions signed with a certificate: each is for this endpoint, for a short time, for once.

use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::CLIENT;

/// Microsoft's page asks for five to ten minutes.
const LONGEST_S: i64 = 600;

/// The certificate of the application, as it was uploaded, and the assertions that were used.
#[derive(Debug)]
pub struct Certificate {
    thumbprint: String,
    public_key: DecodingKey,
    used: HashSet<String>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    nbf: i64,
    exp: i64,
}

impl Certificate {
    /// The certificate as DER, and its public key as PEM.
    pub fn new(der: &[u8], public_key: &str) -> Self {
        Self {
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, der)),
            public_key: DecodingKey::from_rsa_pem(public_key.as_bytes()).unwrap(),
            used: HashSet::new(),
        }
    }

    pub fn verify(&mut self, assertion: &str, endpoint: &str) -> bool {
        let Ok(header) = jsonwebtoken::decode_header(assertion) else {
            return false;
        };
        let mut wanted = Validation::new(Algorithm::PS256);
        wanted.set_audience(&[endpoint]);
        wanted.set_issuer(&[CLIENT]);
        wanted.sub = Some(CLIENT.to_owned());
        wanted.validate_nbf = true;
        wanted.set_required_spec_claims(&["aud", "iss", "sub", "exp", "nbf"]);
        let Ok(read) = jsonwebtoken::decode::<Claims>(assertion, &self.public_key, &wanted) else {
            return false;
        };
        let Claims { jti, nbf, exp } = read.claims;
        header.x5t_s256.as_ref() == Some(&self.thumbprint)
            && exp - nbf <= LONGEST_S
            && self.used.insert(jti)
    }
}
