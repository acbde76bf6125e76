//! Assertions signed with a certificate: each is for this endpoint, for a short time, for once.

use std::cell::RefCell;
use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::CLIENT;

/// Microsoft's page asks for five to ten minutes.
const LONGEST_S: i64 = 600;

/// The assertions that were used.
#[derive(Debug, Default)]
pub struct Registered {
    used: RefCell<HashSet<String>>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    nbf: i64,
    exp: i64,
}

impl Registered {
    pub fn verify(
        &self,
        assertion: &str,
        certificate: &str,
        public_key: &str,
        endpoint: &str,
    ) -> bool {
        let Ok(header) = jsonwebtoken::decode_header(assertion) else {
            return false;
        };
        let key = DecodingKey::from_rsa_pem(public_key.as_bytes()).unwrap();
        let mut wanted = Validation::new(Algorithm::PS256);
        wanted.set_audience(&[endpoint]);
        wanted.set_issuer(&[CLIENT]);
        wanted.sub = Some(CLIENT.to_owned());
        wanted.validate_nbf = true;
        wanted.set_required_spec_claims(&["aud", "iss", "sub", "exp", "nbf"]);
        let Ok(read) = jsonwebtoken::decode::<Claims>(assertion, &key, &wanted) else {
            return false;
        };
        let Claims { jti, nbf, exp } = read.claims;
        header.x5t_s256 == Some(thumbprint(certificate))
            && exp - nbf <= LONGEST_S
            && self.used.borrow_mut().insert(jti)
    }
}

fn thumbprint(certificate: &str) -> String {
    let inner: String = certificate
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD.decode(inner.trim()).unwrap();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &der))
}
