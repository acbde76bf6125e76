//! Moments as people read them: in the zone of the configuration, with the weekday, to the minute, and
//! how far off they are.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::desk::DeskError;

/// The zone and the present of the reader.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    zone: TimeZone,
    now: Timestamp,
}

impl Times {
    /// In the zone of the configuration; `now` is the present, of a rehearsal its newest pass.
    pub(crate) fn new(config: &Config, now: Timestamp) -> Self {
        Self {
            zone: config.zone.clone(),
            now,
        }
    }

    /// `Wed 2026-01-21 08:36`.
    pub(crate) fn at(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone())
            .strftime("%a %Y-%m-%d %H:%M")
            .to_string()
    }

    /// `Wed 2026-01-21 08:36 CET`, where nothing beside it names the zone.
    pub(crate) fn zoned(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        format!("{} {}", self.at(at), local.strftime("%Z"))
    }

    /// The same as [`Self::at`], or nothing.
    pub(crate) fn maybe(&self, at: Option<Timestamp>) -> String {
        at.map(|at| self.at(at)).unwrap_or_default()
    }

    /// `in 3 days`, `2 hours ago`, `now`: what is begun does not count.
    pub(crate) fn how_far(&self, at: Timestamp) -> String {
        let off = at.duration_since(self.now);
        match length(off) {
            None => "now".to_owned(),
            Some(length) if off.is_negative() => format!("{length} ago"),
            Some(length) => format!("in {length}"),
        }
    }

    /// Whether a moment is over.
    pub(crate) fn is_past(&self, at: Timestamp) -> bool {
        at <= self.now
    }

    /// `Wed 2026-01-21 08:36, in 3 days`.
    pub(crate) fn told(&self, at: Timestamp) -> String {
        format!("{}, {}", self.at(at), self.how_far(at))
    }

    /// The name of the zone.
    pub(crate) fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// A refusal whose moments are local.
    pub(crate) fn refused(&self, error: DeskError) -> DeskError {
        match error {
            DeskError::Refused(text) => DeskError::Refused(self.localised(&text)),
            other => other,
        }
    }

    /// A text whose moments are as programs read them, for people: reasons and holds carry theirs in UTC.
    pub(crate) fn localised(&self, text: &str) -> String {
        let mut words = text.split_inclusive(' ');
        let mut local = String::with_capacity(text.len());
        for word in &mut words {
            let core = word
                .trim_start_matches('(')
                .trim_end_matches([' ', ',', ';', ':', '.', ')']);
            match core.parse::<Timestamp>() {
                Ok(at) if core.ends_with('Z') => local.push_str(&word.replace(core, &self.at(at))),
                _ => local.push_str(word),
            }
        }
        local
    }
}

/// The largest unit that is full; none of less than a minute.
fn length(off: SignedDuration) -> Option<String> {
    let seconds = off.as_secs().unsigned_abs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds >= *unit)?;
    let count = seconds / unit;
    let plural = if count == 1 { "" } else { "s" };
    Some(format!("{count} {name}{plural}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            now: "2026-01-18T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn moments_are_local_with_the_weekday_and_how_far_off_they_are() {
        for (at, told) in [
            ("2026-01-21T07:36:59.9Z", "Wed 2026-01-21 08:36, in 2 days"),
            ("2026-01-19T08:00:00Z", "Mon 2026-01-19 09:00, in 1 day"),
            ("2026-01-18T08:00:59Z", "Sun 2026-01-18 09:00, now"),
            ("2026-01-18T05:30:00Z", "Sun 2026-01-18 06:30, 2 hours ago"),
            ("2026-07-18T22:30:00Z", "Sun 2026-07-19 00:30, in 181 days"),
        ] {
            assert_eq!(times().told(at.parse().unwrap()), told);
        }
    }

    #[test]
    fn moments_within_a_text_are_local_and_the_rest_stays() {
        assert_eq!(
            times().localised("the deadline is 2026-01-21T07:36:00Z: told (as of 2026-01-20T00:00:00.123456Z), and 2026-01-21 stays, and so  does Z"),
            "the deadline is Wed 2026-01-21 08:36: told (as of Tue 2026-01-20 01:00), and 2026-01-21 stays, and so  does Z"
        );
    }
}
