//! Tokens: asked for when needed, kept until five minutes before their end.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::credential::{Credential, proof};
use super::error::{MACHINE, TokenError};
use super::managed::{self, Endpoint};
use super::refusal::Refusal;
use crate::answer::{self, End};
use crate::time::Clock;

/// A token is renewed this long before it ends: a request takes its time, and clocks differ.
const EARLY: Duration = Duration::from_mins(5);
/// And never kept for longer, whatever the answer says of its life.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// What nobody mends by waiting is not asked for again within this.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Connecting to an endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A whole answer of an endpoint.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What may pass is asked for once more after this; then it is for the next pass.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(1);
/// An answer is some kilobytes; more is not read.
const ANSWER_AT_MOST: usize = 256 * 1024;

/// An application of the identity platform.
#[derive(Debug, Clone)]
pub struct Application {
    /// The tenant: its id or one of its domains.
    pub tenant: String,
    /// The application's own id; a managed identity may have none.
    pub client_id: Option<String>,
    /// The host of the identity platform.
    pub authority: String,
    /// How it proves who it is.
    pub credential: Credential,
}

/// The tokens of an application, by what they are for.
#[derive(Debug)]
pub struct Tokens {
    application: Application,
    http: OnceLock<reqwest::Client>,
    machine: Endpoint,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    tokens: HashMap<String, Token>,
    /// The last refusal that waiting does not mend.
    refused: Option<(Refusal, Instant)>,
}

#[derive(Debug, Clone)]
struct Token {
    value: SecretString,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    expires_in: Seconds,
}

/// A number, or the text of one: managed identities answer with a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn get(&self) -> Duration {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.parse().unwrap_or(0.0),
        };
        Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST_LIFE.as_secs_f64()))
            .unwrap_or_default()
    }
}

impl Tokens {
    /// The tokens of an application; nothing is asked for yet.
    #[must_use]
    pub fn new(application: Application) -> Self {
        Self {
            application,
            http: OnceLock::new(),
            machine: Endpoint::find(|name| std::env::var(name).ok()),
            kept: Mutex::default(),
        }
    }

    fn http(&self) -> Result<&reqwest::Client, TokenError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        // What identifies the machine goes to this machine only.
        let http = match self.application.credential {
            Credential::ManagedIdentity => http.no_proxy(),
            _ => http,
        };
        let http = http.build().map_err(TokenError::Setup)?;
        Ok(self.http.get_or_init(|| http))
    }

    /// A token for a resource, `https://graph.microsoft.com` for example.
    pub async fn get(&self, resource: &str) -> Result<SecretString, TokenError> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.tokens.get(resource)
            && Instant::now() < token.renew_at
        {
            return Ok(token.value.clone());
        }
        if let Some((refusal, at)) = &kept.refused
            && at.elapsed() < ASK_AGAIN_AFTER
        {
            return Err(TokenError::Refused(refusal.clone()));
        }
        match self.ask_twice(resource).await {
            Ok(token) => {
                kept.refused = None;
                let value = token.value.clone();
                kept.tokens.insert(resource.to_owned(), token);
                Ok(value)
            }
            Err(error) => {
                if let TokenError::Refused(refusal) = &error
                    && !error.may_pass()
                {
                    kept.refused = Some((refusal.clone(), Instant::now()));
                }
                Err(error)
            }
        }
    }

    /// Forgets a token that a service did not accept.
    pub async fn forget(&self, resource: &str) {
        self.kept.lock().await.tokens.remove(resource);
    }

    async fn ask_twice(&self, resource: &str) -> Result<Token, TokenError> {
        match self.ask(resource).await {
            Err(error) if error.may_pass() => {
                tokio::time::sleep(SECOND_TRY_AFTER).await;
                self.ask(resource).await
            }
            result => result,
        }
    }

    async fn ask(&self, resource: &str) -> Result<Token, TokenError> {
        let asked_at = Instant::now();
        tracing::debug!("asking for a token for {resource}");
        let (status, body, host) = match self.application.credential {
            Credential::ManagedIdentity => self.ask_the_machine(resource).await?,
            _ => self.ask_the_authority(resource).await?,
        };
        if let Ok(answer) = serde_json::from_slice::<Answer>(&body)
            && status.is_success()
        {
            let lifetime = answer.expires_in.get();
            let seconds = lifetime.as_secs();
            tracing::debug!("{host} gave a token for {resource}, good for {seconds} seconds");
            return Ok(Token {
                value: answer.access_token,
                // A token that ends sooner than in five minutes serves for half of its life.
                renew_at: asked_at + lifetime.saturating_sub(EARLY).max(lifetime / 2),
            });
        }
        if status.is_client_error() && status.as_u16() != 429 && body.starts_with(b"{") {
            return Err(TokenError::Refused(Refusal::read(&body)));
        }
        Err(TokenError::Unexpected {
            host,
            status: status.as_u16(),
        })
    }

    async fn ask_the_authority(
        &self,
        resource: &str,
    ) -> Result<(reqwest::StatusCode, Vec<u8>, String), TokenError> {
        let Application {
            tenant,
            client_id,
            authority,
            credential,
        } = &self.application;
        let authority = authority.trim_end_matches('/');
        let endpoint = format!("{authority}/{tenant}/oauth2/v2.0/token");
        let client_id = client_id.as_deref().unwrap_or_default();
        let scope = format!("{resource}/.default");
        let proof = proof(credential, client_id, &endpoint, Clock::system().host())?;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", scope.as_str()),
        ];
        form.extend(
            proof
                .iter()
                .map(|(name, value)| (*name, value.expose_secret())),
        );
        send(self.http()?.post(&endpoint).form(&form), authority).await
    }

    async fn ask_the_machine(
        &self,
        resource: &str,
    ) -> Result<(reqwest::StatusCode, Vec<u8>, String), TokenError> {
        let client_id = self.application.client_id.as_deref();
        let host = MACHINE;
        let http = self.http()?;
        let request = || self.machine.request(http, resource, client_id);
        let first = request()
            .send()
            .await
            .map_err(|source| unreachable(host, source))?;
        if first.status().as_u16() != 401 {
            return read(first, host).await;
        }
        match self.machine.challenge(first.headers())? {
            Some(key) => send(managed::answer(request(), &key), host).await,
            None => read(first, host).await,
        }
    }
}

async fn send(
    request: RequestBuilder,
    host: &str,
) -> Result<(reqwest::StatusCode, Vec<u8>, String), TokenError> {
    let response = request
        .send()
        .await
        .map_err(|source| unreachable(host, source))?;
    read(response, host).await
}

async fn read(
    response: reqwest::Response,
    host: &str,
) -> Result<(reqwest::StatusCode, Vec<u8>, String), TokenError> {
    let status = response.status();
    let answer = answer::read(response, ANSWER_AT_MOST).await;
    match answer.end {
        End::Broken(source) => Err(unreachable(host, source)),
        End::Whole | End::TooLong => Ok((status, answer.bytes, host.to_owned())),
    }
}

fn unreachable(host: &str, source: reqwest::Error) -> TokenError {
    TokenError::Unreachable {
        host: host.to_owned(),
        source: source.without_url(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse;
    use axum::{Router, routing};

    use super::*;

    /// Tokens of a machine of Azure Arc whose agent names this file.
    async fn arc(keys: &std::path::Path, named: std::path::PathBuf) -> Tokens {
        let agent = routing::get(|headers: HeaderMap| async move {
            match headers.get("authorization") {
                Some(key) if key == "Basic the-key" => {
                    r#"{"access_token":"t","expires_in":"86399"}"#.into_response()
                }
                _ => {
                    let realm = format!("Basic realm={}", named.display());
                    (StatusCode::UNAUTHORIZED, [("www-authenticate", realm)]).into_response()
                }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let app = Router::new().route("/token", agent);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let application = Application {
            tenant: "contoso.example".to_owned(),
            client_id: None,
            authority: String::new(),
            credential: Credential::ManagedIdentity,
        };
        Tokens {
            machine: Endpoint::Arc {
                url,
                keys: keys.to_owned(),
            },
            ..Tokens::new(application)
        }
    }

    #[test]
    fn a_life_of_any_length_is_one() {
        for (text, seconds) in [
            ("3599", 3_599),
            ("\"86399\"", 86_399),
            ("18446744073709551615", 86_400),
            ("1e300", 86_400),
            ("-1", 0),
            ("\"NaN\"", 0),
            ("\"soon\"", 0),
        ] {
            let read: Seconds = serde_json::from_str(text).unwrap();
            assert_eq!(read.get().as_secs(), seconds, "{text}");
        }
    }

    #[tokio::test]
    async fn a_machine_of_arc_answers_with_the_file_that_only_its_own_may_read() {
        let keys = tempfile::tempdir().unwrap();
        let key = keys.path().join("0d1a.key");
        let tokens = arc(keys.path(), key.clone()).await;
        let error = tokens.get("https://graph.microsoft.com").await.unwrap_err();
        assert!(matches!(error, TokenError::ArcKey(_)), "{error}");
        assert!(error.to_string().contains("group himds"), "{error}");
        std::fs::write(&key, "the-key").unwrap();
        let token = tokens.get("https://graph.microsoft.com").await.unwrap();
        assert_eq!(token.expose_secret(), "t");
        // A file of somebody else is not read, whoever names it.
        let elsewhere = tempfile::tempdir().unwrap();
        let foreign = elsewhere.path().join("0d1a.key");
        std::fs::write(&foreign, "the-key").unwrap();
        let tokens = arc(keys.path(), foreign).await;
        let error = tokens.get("https://graph.microsoft.com").await.unwrap_err();
        assert!(matches!(error, TokenError::ArcChallenge), "{error}");
    }
}
