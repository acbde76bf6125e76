//! Certificates that end: ours, with which the application proves who it is, and those that servers show.

use jiff::{SignedDuration, Timestamp};

use super::{Check, Verdict};
use crate::entra::Certificate;
use crate::time::format_duration;

/// Early enough to make a new one, have it uploaded, and go on holiday meanwhile.
const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The certificate of the application.
pub(super) fn ours(certificate: &Certificate, now: Timestamp) -> Option<Check> {
    let ends_at = certificate.ends_at()?;
    let day = ends_at.strftime("%Y-%m-%d");
    let left = ends_at.duration_since(now);
    let renew = "make a new one, upload it to the app registration, then name it in directory.graph.certificate_file; docs/graph.md has the commands";
    let (verdict, text) = if left <= SignedDuration::ZERO {
        let text = format!("it ended on {day}: {renew}");
        (Verdict::Bad, text)
    } else if left < AHEAD {
        let left = format_duration(left);
        (
            Verdict::Warning,
            format!("it ends on {day}, in {left}: {renew}"),
        )
    } else {
        (Verdict::Good, format!("good until {day}"))
    };
    Some(Check::of("Graph: certificate", verdict, text))
}

/// The certificate that a server showed: whoever runs it has to renew it.
pub(super) fn shown(part: &str, ends_at: Option<Timestamp>, now: Timestamp) -> Option<Check> {
    let ends_at = ends_at.filter(|ends_at| ends_at.duration_since(now) < AHEAD)?;
    let text = format!(
        "the server's certificate ends on {}, in {}: whoever runs the server has to renew it",
        ends_at.strftime("%Y-%m-%d"),
        format_duration(ends_at.duration_since(now).max(SignedDuration::ZERO)),
    );
    Some(Check::of(
        format!("{part}: certificate"),
        Verdict::Warning,
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_whose_certificate_ends_within_thirty_days_is_named() {
        let now = Timestamp::UNIX_EPOCH;
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        assert_eq!(shown("mail", None, now), None);
        assert_eq!(shown("mail", Some(days(31)), now), None);
        let check = shown("mail", Some(days(3)), now).unwrap();
        assert_eq!(
            (check.part.as_str(), check.verdict),
            ("mail: certificate", Verdict::Warning)
        );
        assert!(
            check.text.contains("ends on 1970-01-04, in 3 days"),
            "{}",
            check.text
        );
    }
}
