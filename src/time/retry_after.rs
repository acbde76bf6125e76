//! `Retry-After` as servers really write it (RFC 9110, 10.2.3): whole seconds, fractions of a
//! second (Graph sends `2.128`), or a date.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

/// Nobody is waited for longer; what asks for more is tried again after this.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// How long the server asks to wait, as of `now`; none where the text says nothing.
#[must_use]
pub fn parse(text: &str, now: Timestamp) -> Option<SignedDuration> {
    let text = text.trim();
    let wait = if text.starts_with(|first: char| first.is_ascii_digit()) {
        let seconds: f64 = text.parse().ok()?;
        SignedDuration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
    } else {
        http_date(text)?.duration_since(now)
    };
    Some(wait.clamp(SignedDuration::ZERO, LONGEST))
}

/// A date as HTTP writes it, in each of its three forms.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    let since_epoch = httpdate::parse_http_date(text)
        .ok()?
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Timestamp::from_second(i64::try_from(since_epoch.as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_53_every_form_of_retry_after_is_understood() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let seconds = |text| parse(text, now).map(|wait| wait.as_secs_f64());
        for (text, expected) in [
            ("120", Some(120.0)),
            (" 7 ", Some(7.0)),
            ("0", Some(0.0)),
            ("2.128", Some(2.128)),
            ("Sun, 01 Mar 2026 12:05:00 GMT", Some(300.0)),
            ("Sunday, 01-Mar-26 12:05:00 GMT", Some(300.0)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(0.0)),
            ("Tue, 01 Mar 2050 11:00:00 GMT", Some(86_400.0)),
            ("99999999999999999999999", Some(86_400.0)),
            ("-5", None),
            ("soon", None),
            ("1e", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
