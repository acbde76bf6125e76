//! What became of a request, from the server's answer (delivery A5, A6).
//!
//! A chat's address is its password, so what would be a wrong password elsewhere is the end of a
//! chat's endpoint. The trap: Slack also answers 200 to what it did not post.

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::Format;
use crate::delivery::text;
use crate::time::retry_after;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it. A workflow of Teams has then not posted it yet.
    Accepted {
        /// Its status.
        code: u16,
    },
    /// Not now; nothing was taken.
    Deferred {
        /// Its status.
        code: u16,
        /// Why.
        text: String,
        /// How long the server asks to wait, with everything for this endpoint.
        retry_after: Option<SignedDuration>,
    },
    /// Nothing was sent: the name, the connection or TLS failed, or the address is forbidden.
    Unreachable {
        /// Why.
        text: String,
    },
    /// Something may have been sent, and no answer came.
    Lost {
        /// Why.
        text: String,
    },
    /// Never: this message.
    Refused {
        /// Its status.
        code: u16,
        /// Why.
        text: String,
    },
    /// Our secret or address is not accepted: the endpoint pauses, and its rows stay.
    Unauthorized {
        /// Its status.
        code: u16,
        /// Why.
        text: String,
    },
    /// The endpoint is no more.
    Gone {
        /// Its status.
        code: u16,
        /// Why.
        text: String,
    },
}

/// What an answer means; `body_start` is as much of its body as was read, `now` the real time.
#[must_use]
pub fn outcome(
    format: Format,
    status: StatusCode,
    headers: &HeaderMap,
    body_start: &[u8],
    now: Timestamp,
) -> Outcome {
    let code = status.as_u16();
    let text = excerpt(status, body_start);
    match (format, code) {
        (Format::Slack, 200) if body_start.trim_ascii() != b"ok" => Outcome::Refused { code, text },
        (_, 200..300) => Outcome::Accepted { code },
        (_, 300..400) => {
            let text = format!("{code}: redirects are not followed; use the address it leads to");
            Outcome::Refused { code, text }
        }
        (_, 410) | (Format::Slack | Format::Teams, 403 | 404) => Outcome::Gone { code, text },
        (Format::Standard, 401 | 403) | (Format::Slack | Format::Teams, 401) => {
            Outcome::Unauthorized { code, text }
        }
        (_, 408 | 425 | 429 | 500..) => Outcome::Deferred {
            code,
            text,
            retry_after: wait(headers, now),
        },
        (_, ..200 | 400..500) => Outcome::Refused { code, text },
    }
}

fn wait(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(value, now)
}

/// The status and the server's first words, on one line.
fn excerpt(status: StatusCode, body: &[u8]) -> String {
    let words = text::clean_line(&String::from_utf8_lossy(body), text::MAX_REPLY);
    let code = status.as_u16();
    match (words.is_empty(), status.canonical_reason()) {
        (false, _) => text::clean_line(&format!("{code}: {words}"), text::MAX_REPLY),
        (true, Some(reason)) => format!("{code} {reason}"),
        (true, None) => format!("{code}"),
    }
}
