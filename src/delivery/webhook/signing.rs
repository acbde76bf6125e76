//! Signatures as in Standard Webhooks 1.0: HMAC-SHA256 over the id, the second of
//! the attempt and the bytes of the body.
//!
//! We sign ourselves, as the crate takes no bytes that are not text, and keeps its key in the
//! open; it is the oracle of our tests.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;

const PREFIX: &str = "whsec_";

/// 24 bytes are the least that the specification allows, and 64 the most.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The one in use, and the one before or after it while receivers change over.
const MOST: usize = 2;

/// Receivers' tools hand secrets out with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a text holds no signing secrets. No variant repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// Nothing, or blank lines only.
    #[error("the signing secret is empty")]
    Empty,
    /// What follows `whsec_` is no Base64.
    #[error("the signing secret in line {0} is not `whsec_` and Base64")]
    NotBase64(usize),
    /// Too short to be safe, or longer than receivers take.
    #[error(
        "the signing secret in line {line} has {length} bytes; Standard Webhooks asks for 24 to 64"
    )]
    Length {
        /// In which line of the text.
        line: usize,
        /// How many bytes it decodes to.
        length: usize,
    },
    /// More than two.
    #[error("{0} signing secrets; there can be two, the newer first, while receivers change over")]
    TooMany(usize),
}

impl SecretFault {
    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::TooMany(_) => "keep the secret in use and the one before it, each in a line",
            Self::Empty | Self::NotBase64(_) | Self::Length { .. } => {
                "write one into the file, with: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\""
            }
        }
    }
}

/// A key that the endpoint knows too.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// The secrets of a file, one in a line; the first signs first.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, SecretFault> {
        let secrets = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
            .map(|(line, secret)| Self::parse(line, secret))
            .collect::<Result<Vec<_>, _>>()?;
        match secrets.len() {
            0 => Err(SecretFault::Empty),
            1..=MOST => Ok(secrets),
            many => Err(SecretFault::TooMany(many)),
        }
    }

    fn parse(line: usize, secret: &str) -> Result<Self, SecretFault> {
        let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
        let key = BASE64
            .decode(encoded)
            .map_err(|_| SecretFault::NotBase64(line))?;
        let length = key.len();
        if !LENGTHS.contains(&length) {
            return Err(SecretFault::Length { line, length });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

/// The value of `webhook-signature`: one signature for each secret.
pub(super) fn signature(secrets: &[SigningSecret], id: &str, at: Timestamp, body: &[u8]) -> String {
    let start = format!("{id}.{}.", at.as_second());
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let mut context = hmac::Context::with_key(&secret.0);
            context.update(start.as_bytes());
            context.update(body);
            format!("v1,{}", BASE64.encode(context.sign()))
        })
        .collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification() {
        for (secret, id, at, body, expected) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secrets = SigningSecret::parse_file(secret).unwrap();
            let at = Timestamp::from_second(at).unwrap();
            assert_eq!(signature(&secrets, id, at, body.as_bytes()), expected);
        }
    }

    #[test]
    fn each_secret_of_a_rotation_signs_and_the_official_library_accepts_either() {
        let (newer, older) = (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        );
        let secrets = SigningSecret::parse_file(&format!("\n{newer}\r\n\n {older} \n")).unwrap();
        let at = Timestamp::from_second(1_649_367_553).unwrap();
        let body = "{\"name\":\"Zoë 山田\"}";
        let theirs = |secret| {
            let webhook = standardwebhooks::Webhook::new(secret).unwrap();
            webhook.sign("e1", at.as_second(), body.as_bytes()).unwrap()
        };
        assert_eq!(
            signature(&secrets, "e1", at, body.as_bytes()),
            format!("{} {}", theirs(newer), theirs(older))
        );
    }

    #[test]
    fn padding_does_not_matter() {
        let body = b"x";
        let at = Timestamp::from_second(1).unwrap();
        let sign =
            |secret: &str| signature(&SigningSecret::parse_file(secret).unwrap(), "e", at, body);
        let padded = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(sign(padded), sign(padded.trim_end_matches('=')));
        assert_eq!(sign(padded), sign(padded.trim_start_matches(PREFIX)));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        use SecretFault::{Empty, Length, NotBase64, TooMany};
        let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let long = format!("whsec_{}", "A".repeat(88));
        for (text, expected) in [
            (String::new(), Empty),
            (" \n\r\n".to_owned(), Empty),
            ("whsec_".to_owned(), Length { line: 1, length: 0 }),
            ("whsec_c2hvcnQ=".to_owned(), Length { line: 1, length: 5 }),
            (
                long,
                Length {
                    line: 1,
                    length: 66,
                },
            ),
            (format!("{good}\nwhsec_not base64"), NotBase64(2)),
            (
                "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
                NotBase64(1),
            ),
            (format!("{good}\n{good}\n{good}"), TooMany(3)),
        ] {
            let fault = SigningSecret::parse_file(&text).unwrap_err();
            assert_eq!(fault, expected, "{text:?}");
            assert!(!fault.to_string().contains("MfKQ"));
        }
        let secrets = SigningSecret::parse_file(good).unwrap();
        assert_eq!(format!("{secrets:?}"), "[SigningSecret(***)]");
    }
}
