//! What the token endpoint says when it gives no token, and what mends it.

use serde::Deserialize;

/// An answer without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The number after `AADSTS`; none where the answer names none.
    pub code: Option<u32>,
    /// The short name, `invalid_client` for example.
    pub error: String,
}

/// What mends a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Somebody must act; asking again changes nothing.
    Act(&'static str),
    /// It may pass by itself.
    Wait,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    error_description: String,
}

impl Refusal {
    /// Reads the body of an answer; the description is not kept, since it may repeat what was
    /// sent.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return Self {
                code: None,
                error: "no OAuth answer".to_owned(),
            };
        };
        let code = body
            .error_codes
            .first()
            .copied()
            .or_else(|| code_in(&body.error_description));
        Self {
            code,
            error: name(&body.error),
        }
    }

    /// What mends it, by Microsoft's list of error codes.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        Remedy::Act(match self.code {
            Some(7_000_215) => {
                "the client secret is wrong: copy its value (not its id) from the app registration into the secret file"
            }
            Some(7_000_222) => {
                "the client secret has expired: add a new one to the app registration and write its value into the secret file"
            }
            Some(700_027) => {
                "the certificate is not that of the app registration: upload it there, or name the right certificate_file and private_key_file"
            }
            Some(700_016) => {
                "the app registration is not in this tenant: check directory.graph.client_id and tenant_id"
            }
            Some(90_002 | 900_023) => {
                "there is no such tenant: check directory.graph.tenant_id and cloud"
            }
            Some(7_000_112) => {
                "the application is disabled: enable its service principal in Enterprise applications"
            }
            Some(700_024) => {
                "the clock of this machine is wrong, or the federated token has expired"
            }
            Some(700_211..=700_213 | 700_223) => {
                "no federated credential of the app registration matches the token: check its issuer, subject and audience"
            }
            Some(70_011 | 500_011) => {
                "the tenant does not know the service that a token was asked for: check directory.graph.cloud"
            }
            Some(53_003 | 530_035) => {
                "Conditional Access for workload identities blocks the application: allow it from this address"
            }
            _ => return Remedy::Wait,
        })
    }
}

/// The number that a description begins with: some answers have it nowhere else.
fn code_in(description: &str) -> Option<u32> {
    let rest = description.split_once("AADSTS")?.1;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A short name, and nothing else that somebody may have put there.
fn name(error: &str) -> String {
    let name: String = error
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(40)
        .collect();
    if name.is_empty() {
        "no name".to_owned()
    } else {
        name
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => write!(f, "AADSTS{code} ({})", self.error)?,
            None => f.write_str(&self.error)?,
        }
        match self.remedy() {
            Remedy::Act(remedy) => write!(f, ": {remedy}"),
            Remedy::Wait => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_64_refusals_name_what_mends_them() {
        for (code, begins) in [
            (7_000_222, "the client secret has expired"),
            (7_000_215, "the client secret is wrong"),
            (700_027, "the certificate is not"),
            (700_016, "the app registration is not in this tenant"),
            (90_002, "there is no such tenant"),
            (7_000_112, "the application is disabled"),
        ] {
            let body = format!(
                r#"{{"error":"invalid_client","error_codes":[{code}],"error_description":"AADSTS{code}: …"}}"#
            );
            let refusal = Refusal::read(body.as_bytes());
            let Remedy::Act(remedy) = refusal.remedy() else {
                panic!("{code} does not pass by itself");
            };
            assert!(remedy.starts_with(begins), "{remedy}");
        }
    }

    #[test]
    fn an_answer_says_nothing_but_a_number_and_a_name() {
        for (body, expected) in [
            (
                r#"{"error":"invalid_scope","error_description":"AADSTS70011: The provided value …","error_codes":[70011]}"#,
                "AADSTS70011 (invalid_scope): the tenant does not know",
            ),
            (
                r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: try later"}"#,
                "AADSTS90033 (temporarily_unavailable)",
            ),
            (
                r#"{"error":"\u001b[31m secret=hunter2"}"#,
                "31msecrethunter2",
            ),
            ("<html>", "no OAuth answer"),
            ("{}", "no name"),
        ] {
            let text = Refusal::read(body.as_bytes()).to_string();
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
