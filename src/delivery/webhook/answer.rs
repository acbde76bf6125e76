//! An answer, and what answers usually mean (rule 5.8).
//!
//! A format takes one of these, or reads what is its own and leaves the rest to one.

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::delivery::{Outcome, text};
use crate::time::retry_after;

/// What a server answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// As much of the body as was read, without what repeats our address.
    pub body: &'a [u8],
    /// Whether it did not break off.
    pub is_whole: bool,
    /// The real time.
    pub at: Timestamp,
}

/// What a program's answer means.
pub(super) fn of_program(answer: &Answer<'_>) -> Outcome {
    let text = answer.excerpt();
    let code = Some(answer.code());
    match answer.code() {
        code @ 200..300 => Outcome::Accepted { code },
        said @ 300..400 => {
            let text = format!("{said}: redirects are not followed; use the address it leads to");
            Outcome::Refused { code, text }
        }
        401 | 403 => Outcome::Unauthorized { code, text },
        410 => Outcome::Gone { code, text },
        408 | 425 | 429 | 500.. => Outcome::Deferred {
            code,
            text,
            retry_after: answer.wait(),
        },
        ..200 | 400..500 => Outcome::Refused { code, text },
    }
}

/// The same where the address is the password: what would be a wrong password elsewhere is the end
/// of such an endpoint.
pub(super) fn of_secret_address(answer: &Answer<'_>) -> Outcome {
    match answer.code() {
        code @ (403 | 404) => Outcome::Gone {
            code: Some(code),
            text: answer.excerpt(),
        },
        _ => of_program(answer),
    }
}

/// The same where a server also answers 200 to what it did not post, and its text tells.
pub(super) fn of_text(answer: &Answer<'_>, posted: &str) -> Outcome {
    if answer.code() != 200 {
        return of_secret_address(answer);
    }
    if !answer.is_whole {
        return Outcome::lost(
            "200, but the answer broke off, and only its text says whether it was posted",
        );
    }
    if answer.body.trim_ascii() == posted.as_bytes() {
        return Outcome::Accepted { code: 200 };
    }
    answer.refused()
}

impl Answer<'_> {
    /// The status.
    fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// Refused for good, with the server's words.
    fn refused(&self) -> Outcome {
        Outcome::refused(Some(self.code()), &self.excerpt())
    }

    /// The status and the server's first words, on one line.
    fn excerpt(&self) -> String {
        let words = text::clean_line(&String::from_utf8_lossy(self.body), text::MAX_REPLY);
        let code = self.code();
        match (words.is_empty(), self.status.canonical_reason()) {
            (false, _) => text::clean_line(&format!("{code}: {words}"), text::MAX_REPLY),
            (true, Some(reason)) => format!("{code} {reason}"),
            (true, None) => format!("{code}"),
        }
    }

    /// How long the server asks to wait.
    fn wait(&self) -> Option<SignedDuration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry_after::parse(value, self.at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Auth, DIALECTS, Dialect, dialect};
    use super::*;

    /// What a whole answer means to a format.
    pub(in super::super) fn meaning(dialect: &Dialect, code: u16, body: &str) -> Outcome {
        of(dialect, code, &[], body)
    }

    fn of(dialect: &Dialect, code: u16, headers: &[(&'static str, &str)], body: &str) -> Outcome {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        (dialect.means)(&Answer {
            status: StatusCode::from_u16(code).unwrap(),
            headers: &headers,
            body: body.as_bytes(),
            is_whole: true,
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
        })
    }

    fn standard() -> &'static Dialect {
        dialect("standard").unwrap()
    }

    #[test]
    fn what_a_status_means_in_every_format() {
        let refused = [
            100, 101, 199, 300, 301, 302, 303, 304, 307, 308, 399, 400, 402, 405, 406, 409, 411,
            413, 415, 418, 422, 451, 499,
        ];
        let deferred = [408, 425, 429, 500, 501, 502, 503, 504, 507, 520, 599, 999];
        for dialect in DIALECTS {
            let (unauthorized, unknown, gone): (&[u16], &[u16], &[u16]) = match dialect.auth {
                Auth::Signature => (&[401, 403], &[404], &[410]),
                Auth::Address => (&[401], &[], &[403, 404, 410]),
            };
            for (codes, expected) in [
                (refused.as_slice(), "refused"),
                (unknown, "refused"),
                (&deferred, "deferred"),
                (unauthorized, "unauthorized"),
                (gone, "gone"),
            ] {
                for code in codes {
                    let word = meaning(dialect, *code, "").word();
                    assert_eq!(word, expected, "{dialect:?} {code}");
                }
            }
        }
    }

    #[test]
    fn a_program_has_taken_it_by_any_2xx() {
        for code in [200, 201, 202, 204, 299] {
            assert_eq!(meaning(standard(), code, ""), Outcome::Accepted { code });
        }
    }

    #[test]
    fn case_53_the_server_says_how_long_to_wait() {
        for dialect in DIALECTS {
            let wait = |code, headers: &[(&'static str, &str)]| match of(dialect, code, headers, "")
            {
                Outcome::Deferred { retry_after, .. } => retry_after.map(|wait| wait.as_secs_f64()),
                other => panic!("{other:?}"),
            };
            assert_eq!(wait(429, &[("retry-after", "120")]), Some(120.0));
            assert_eq!(wait(429, &[("retry-after", "2.128")]), Some(2.128));
            let date = "Sun, 01 Mar 2026 12:05:00 GMT";
            assert_eq!(wait(503, &[("retry-after", date)]), Some(300.0));
            assert_eq!(wait(500, &[("retry-after", "999999999")]), Some(86_400.0));
            assert_eq!(wait(429, &[("retry-after", "soon")]), None);
            assert_eq!(wait(429, &[]), None);
        }
    }

    #[test]
    fn the_servers_words_are_cleaned_and_cut() {
        let body = format!("\u{1b}[31mno\r\nsuch {}", "x".repeat(100_000));
        let Outcome::Refused {
            code: Some(400),
            text,
        } = meaning(standard(), 400, &body)
        else {
            panic!("not refused");
        };
        assert!(text.starts_with("400: [31mno such xxx"), "{text}");
        assert_eq!(text.chars().count(), text::MAX_REPLY);
        let silent = Outcome::refused(Some(400), "400 Bad Request");
        assert_eq!(meaning(standard(), 400, " \n"), silent);
    }
}
