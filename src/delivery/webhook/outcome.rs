//! What became of a request, from the server's answer (delivery A5, A6).
//!
//! A chat's address is its password, so what would be a wrong password elsewhere is the end of a
//! chat's endpoint. The trap: Slack also answers 200 to what it did not post.

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::Format;
use crate::delivery::{Outcome, text};
use crate::time::retry_after;

/// What an answer means; `body_start` is as much of its body as was read, `now` the real time.
#[must_use]
pub fn outcome(
    format: Format,
    status: StatusCode,
    headers: &HeaderMap,
    body_start: &[u8],
    now: Timestamp,
) -> Outcome {
    let text = excerpt(status, body_start);
    let code = Some(status.as_u16());
    match (format, status.as_u16()) {
        (Format::Slack, 200) if body_start.trim_ascii() != b"ok" => Outcome::Refused { code, text },
        (_, code @ 200..300) => Outcome::Accepted { code },
        (_, said @ 300..400) => {
            let text = format!("{said}: redirects are not followed; use the address it leads to");
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

#[cfg(test)]
mod tests {
    use Format::{Slack, Standard, Teams};

    use super::*;

    const CHATS: [Format; 2] = [Slack, Teams];

    fn of(format: Format, code: u16, headers: &[(&'static str, &str)], body: &str) -> Outcome {
        let status = StatusCode::from_u16(code).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        outcome(format, status, &headers, body.as_bytes(), now)
    }

    #[test]
    fn what_a_status_means() {
        let all = [Standard, Slack, Teams].as_slice();
        let both = [Standard, Teams].as_slice();
        let program = [Standard].as_slice();
        let chats = CHATS.as_slice();
        for (codes, formats, expected) in [
            ([200, 200].as_slice(), both, "accepted"),
            (&[201, 202, 204, 299], all, "accepted"),
            (&[300, 301, 302, 303, 304, 307, 308, 399], all, "refused"),
            (
                &[400, 402, 405, 406, 409, 411, 413, 415, 418, 422, 451, 499],
                all,
                "refused",
            ),
            (&[401, 403], program, "unauthorized"),
            (&[401], chats, "unauthorized"),
            (&[404], program, "refused"),
            (&[403, 404], chats, "gone"),
            (&[410], all, "gone"),
            (
                &[408, 425, 429, 500, 501, 502, 503, 504, 507, 520, 599, 999],
                all,
                "deferred",
            ),
            (&[100, 101, 199], all, "refused"),
        ] {
            for (code, format) in codes
                .iter()
                .flat_map(|code| formats.iter().map(move |f| (*code, *f)))
            {
                assert_eq!(
                    of(format, code, &[], "").word(),
                    expected,
                    "{format:?} {code}"
                );
            }
        }
    }

    #[test]
    fn slack_says_ok_or_has_not_posted() {
        assert_eq!(of(Slack, 200, &[], "ok"), Outcome::Accepted { code: 200 });
        assert_eq!(of(Slack, 200, &[], "ok\n"), Outcome::Accepted { code: 200 });
        for body in ["", "OK!", "<html>Log in to the guest network</html>"] {
            assert!(
                matches!(of(Slack, 200, &[], body), Outcome::Refused { .. }),
                "{body:?}"
            );
        }
    }

    #[test]
    fn case_53_the_server_says_how_long_to_wait() {
        let wait = |code, headers: &[(&'static str, &str)]| match of(Standard, code, headers, "") {
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

    #[test]
    fn the_servers_words_are_cleaned_and_cut() {
        let body = format!("\u{1b}[31mno\r\nsuch {}", "x".repeat(100_000));
        let Outcome::Refused {
            code: Some(400),
            text,
        } = of(Standard, 400, &[], &body)
        else {
            panic!("not refused");
        };
        assert!(text.starts_with("400: [31mno such xxx"), "{text}");
        assert_eq!(text.chars().count(), text::MAX_REPLY);
        let silent = Outcome::Refused {
            code: Some(400),
            text: "400 Bad Request".to_owned(),
        };
        assert_eq!(of(Standard, 400, &[], " \n"), silent);
    }
}
