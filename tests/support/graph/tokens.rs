//! The token endpoint, and the endpoints of managed identities.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::serve::Answer;
use super::{CLIENT, FakeGraph, State, TENANT};

/// The certificate of the application, as it was uploaded.
pub(super) struct Certificate {
    thumbprint: String,
    key: DecodingKey,
}

impl FakeGraph {
    /// Tokens are good for so long.
    pub fn set_token_lifetime(&self, seconds: u64) {
        self.state().token_lifetime_s = seconds;
    }

    /// Every token that was given so far is over.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    /// The endpoint refuses with this code, until it does not.
    pub fn refuse_tokens(&self, code: Option<u32>) {
        self.state().token_refusal = code;
    }

    /// How many tokens were given.
    pub fn tokens_given(&self) -> u32 {
        self.state().given
    }

    /// Uploads a certificate: its DER and its public key as PEM.
    pub fn upload_certificate(&self, der: &[u8], public_key: &str) {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        self.state().certificate = Some(Certificate {
            thumbprint: URL_SAFE_NO_PAD.encode(digest),
            key: DecodingKey::from_rsa_pem(public_key.as_bytes()).unwrap(),
        });
    }

    /// A federated credential of the application accepts this token.
    pub fn federate(&self, token: &str) {
        self.state().federated.insert(token.to_owned());
    }
}

impl State {
    pub(super) fn token(&mut self, tenant: &str, body: &str) -> Answer {
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if let Some(code) = self.token_refusal {
            return refused(code);
        }
        if tenant != TENANT {
            return refused(90_002);
        }
        if field("client_id") != CLIENT {
            return refused(700_016);
        }
        if field("grant_type") != "client_credentials" {
            return refused(70_003);
        }
        let proven = match (form.get("client_secret"), form.get("client_assertion")) {
            (Some(secret), None) if *secret == self.secret => Ok(()),
            (Some(_), None) => Err(7_000_215),
            (None, Some(assertion)) => {
                assert_eq!(
                    field("client_assertion_type"),
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                );
                self.assertion(assertion)
            }
            _ => Err(7_000_216),
        };
        if let Err(code) = proven {
            return refused(code);
        }
        let known = [self.url.as_str(), "https://outlook.office365.com"];
        let Some(resource) = field("scope")
            .strip_suffix("/.default")
            .filter(|scope| known.contains(scope))
        else {
            return refused(70_011);
        };
        let resource = resource.to_owned();
        let token = self.give(&resource);
        Answer::json(
            json!({ "token_type": "Bearer", "expires_in": self.token_lifetime_s, "ext_expires_in": self.token_lifetime_s, "access_token": token }),
        )
    }

    /// The endpoint of Azure's instance metadata.
    pub(super) fn metadata(&mut self, resource: &str, metadata: bool) -> Answer {
        if !metadata {
            return Answer::raw(
                400,
                json!({ "error": "invalid_request", "error_description": "Required metadata header not specified" }),
            );
        }
        let token = self.give(resource);
        // Managed identities write numbers as text.
        Answer::json(
            json!({ "access_token": token, "expires_in": self.token_lifetime_s.to_string(), "token_type": "Bearer", "resource": resource }),
        )
    }

    fn give(&mut self, resource: &str) -> String {
        self.given += 1;
        let token = format!("token-{}-of-{}", self.given, resource.len());
        let until = Instant::now() + Duration::from_secs(self.token_lifetime_s);
        self.tokens
            .insert(token.clone(), (resource.to_owned(), until));
        token
    }

    /// Whether a request to Graph bears a good token.
    pub(super) fn accepts(&self, authorization: Option<&str>) -> bool {
        let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
        token
            .and_then(|token| self.tokens.get(token))
            .is_some_and(|(resource, until)| *resource == self.url && Instant::now() < *until)
    }

    /// A signed assertion (PS256, the certificate's SHA-256 thumbprint, each used once), or a
    /// federated token.
    fn assertion(&mut self, assertion: &str) -> Result<(), u32> {
        if self.federated.contains(assertion) {
            return Ok(());
        }
        let certificate = self.certificate.as_ref().ok_or(700_027_u32)?;
        let header = jsonwebtoken::decode_header(assertion).map_err(|_| 700_027_u32)?;
        if header.alg != Algorithm::PS256
            || header.x5t_s256.as_deref() != Some(&certificate.thumbprint)
        {
            return Err(700_027);
        }
        let mut validation = Validation::new(Algorithm::PS256);
        validation.set_audience(&[format!("{}/{TENANT}/oauth2/v2.0/token", self.url)]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub", "nbf"]);
        validation.validate_nbf = true;
        let claims = jsonwebtoken::decode::<Value>(assertion, &certificate.key, &validation)
            .map_err(|_| 700_027_u32)?
            .claims;
        let same = claims["iss"] == CLIENT && claims["sub"] == CLIENT;
        let short = claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap() <= 600;
        if same && short && self.used_assertions.insert(claims["jti"].to_string()) {
            Ok(())
        } else {
            Err(700_027)
        }
    }
}

fn refused(code: u32) -> Answer {
    let status = if code == 90_002 || code == 700_016 || code == 70_011 {
        400
    } else {
        401
    };
    Answer::raw(
        status,
        json!({
            "error": if status == 401 { "invalid_client" } else { "invalid_request" },
            "error_description": format!("AADSTS{code}: (text varies)\r\nTrace ID: 0000aaaa-11bb-cccc-dd33-eeeeee333333\r\nTimestamp: 2016-01-09 02:02:12Z"),
            "error_codes": [code],
            "timestamp": "2016-01-09 02:02:12Z",
            "trace_id": "0000aaaa-11bb-cccc-dd33-eeeeee333333",
            "correlation_id": "aaaa0000-bb11-2222-33cc-444444dddddd",
        }),
    )
}
