//! The languages that mails are written in, with what grammar needs: dates, zones and plurals.
//!
//! A new language is a variant here, its files in `templates/mail`, and its words in [`super::news`]
//! and in the table of result codes.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A language with templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    English,
    /// German, in the polite form.
    German,
}

/// A text of the configuration: one for everybody, or one for each language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wording {
    common: Option<String>,
    each: BTreeMap<Language, String>,
}

impl Wording {
    /// The same in every language.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            common: Some(text.into()),
            each: BTreeMap::new(),
        }
    }

    /// What it is in one language.
    #[must_use]
    pub fn with(mut self, language: Language, text: impl Into<String>) -> Self {
        self.each.insert(language, text.into());
        self
    }

    /// Whether whoever reads that language reads a text that was not written for it.
    #[must_use]
    pub fn lacks(&self, language: Language) -> bool {
        !self.each.contains_key(&language)
    }

    /// In that language; where it has none, whom to ask is better read in another one than not at all.
    #[must_use]
    pub fn told_in(&self, language: Language) -> &str {
        let own = self.each.get(&language).or(self.common.as_ref());
        own.or_else(|| self.each.values().next())
            .map_or("", String::as_str)
    }
}

/// How somebody is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// In which language.
    pub language: Language,
    /// In whose time.
    pub zone: TimeZone,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            language: Language::English,
            zone: TimeZone::UTC,
        }
    }
}

impl Manner {
    /// A moment, as [`Language::moment`] tells it.
    #[must_use]
    pub fn moment(&self, at: Timestamp) -> String {
        self.language.moment(at, &self.zone)
    }
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The first of the person's and the configured language that has templates, else English;
    /// `de-AT` finds German.
    pub fn choose(preferred: Option<&str>, configured: &str) -> Self {
        preferred
            .and_then(Self::of_preference)
            .or_else(|| Self::of_tag(configured))
            .unwrap_or(Self::English)
    }

    /// The language of what a directory says of somebody: a tag, or the first of a list as browsers send it,
    /// `de-DE, en;q=0.8`.
    #[must_use]
    pub fn of_preference(text: &str) -> Option<Self> {
        Self::of_tag(text.split([',', ';']).next().unwrap_or_default())
    }

    /// The language of a tag, if it has templates.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// The language of exactly that code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// The codes of all, for who wrote another one.
    #[must_use]
    pub fn known() -> String {
        Self::ALL.map(Self::code).join(", ")
    }

    /// The BCP 47 tag, as in `Content-Language` and the names of templates.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What it is called in English.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "German",
        }
    }

    /// "Tuesday, 8 December 2026".
    #[must_use]
    pub fn date(self, at: Timestamp, zone: &TimeZone) -> String {
        let at = at.to_zoned(zone.clone());
        let (weekday, month) = (self.weekday(&at), self.month(&at));
        let (day, year) = (at.day(), at.year());
        match self {
            Self::English => format!("{weekday}, {day} {month} {year}"),
            Self::German => format!("{weekday}, {day}. {month} {year}"),
        }
    }

    /// "Tuesday, 8 December 2026, 23:59 CET (UTC+1)".
    #[must_use]
    pub fn moment(self, at: Timestamp, zone: &TimeZone) -> String {
        let date = self.date(at, zone);
        let zoned = at.to_zoned(zone.clone());
        let (hour, minute, zone) = (zoned.hour(), zoned.minute(), self.zone_name(&zoned));
        match self {
            Self::English => format!("{date}, {hour:02}:{minute:02} {zone}"),
            Self::German => format!("{date}, {hour:02}:{minute:02} Uhr {zone}"),
        }
    }

    /// "Tue 8 Dec", for subjects.
    #[must_use]
    pub fn short_date(self, at: Timestamp, zone: &TimeZone) -> String {
        let at = at.to_zoned(zone.clone());
        let weekday = first(self.weekday(&at), if self == Self::German { 2 } else { 3 });
        let (day, month) = (at.day(), at.month());
        match self {
            Self::English => format!("{weekday} {day} {}", first(self.month(&at), 3)),
            Self::German => format!("{weekday}, {day}.{month}."),
        }
    }

    /// What is left of the window: "6 days", "1 day", "5 hours", "less than an hour".
    ///
    /// Rounded down, so that nobody is promised more time than there is.
    #[must_use]
    pub fn left(self, seconds: i64) -> String {
        let (days, hours) = (seconds / 86_400, seconds / 3_600);
        match (self, days, hours) {
            (Self::English, 0, 0) => "less than an hour".to_owned(),
            (Self::English, 0, 1) => "1 hour".to_owned(),
            (Self::English, 0, hours) => format!("{hours} hours"),
            (Self::English, 1, _) => "1 day".to_owned(),
            (Self::English, days, _) => format!("{days} days"),
            (Self::German, 0, 0) => "weniger als 1 Stunde".to_owned(),
            (Self::German, 0, 1) => "1 Stunde".to_owned(),
            (Self::German, 0, hours) => format!("{hours} Stunden"),
            (Self::German, 1, _) => "1 Tag".to_owned(),
            (Self::German, days, _) => format!("{days} Tage"),
        }
    }

    /// "CET (UTC+1)", "MEZ (UTC+1)"; zones without an abbreviation are their offset alone.
    fn zone_name(self, at: &Zoned) -> String {
        let seconds = at.offset().seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
        let offset = match (hours, minutes) {
            (0, 0) => "UTC".to_owned(),
            (hours, 0) => format!("UTC{sign}{hours}"),
            (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
        };
        let info = at.time_zone().to_offset_info(at.timestamp());
        match info.abbreviation() {
            name if name == offset || !name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                offset
            }
            name => format!("{} ({offset})", self.abbreviation(name)),
        }
    }

    /// What an abbreviation of the zone database is called.
    fn abbreviation(self, name: &str) -> &str {
        match (self, name) {
            (Self::German, "CET") => "MEZ",
            (Self::German, "CEST") => "MESZ",
            (Self::German, "WET") => "WEZ",
            (Self::German, "WEST") => "WESZ",
            (Self::German, "EET") => "OEZ",
            (Self::German, "EEST") => "OESZ",
            (Self::English | Self::German, name) => name,
        }
    }

    fn weekday(self, at: &Zoned) -> &'static str {
        let names = match self {
            Self::English => [
                "Monday",
                "Tuesday",
                "Wednesday",
                "Thursday",
                "Friday",
                "Saturday",
                "Sunday",
            ],
            Self::German => [
                "Montag",
                "Dienstag",
                "Mittwoch",
                "Donnerstag",
                "Freitag",
                "Samstag",
                "Sonntag",
            ],
        };
        pick(&names, at.weekday().to_monday_zero_offset())
    }

    fn month(self, at: &Zoned) -> &'static str {
        let names = match self {
            Self::English => [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
            Self::German => [
                "Januar",
                "Februar",
                "März",
                "April",
                "Mai",
                "Juni",
                "Juli",
                "August",
                "September",
                "Oktober",
                "November",
                "Dezember",
            ],
        };
        pick(&names, at.month() - 1)
    }
}

fn pick(names: &[&'static str], at: i8) -> &'static str {
    usize::try_from(at)
        .ok()
        .and_then(|at| names.get(at).copied())
        .unwrap_or_default()
}

fn first(name: &str, letters: usize) -> &str {
    let end = name
        .char_indices()
        .nth(letters)
        .map_or(name.len(), |(at, _)| at);
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn the_persons_language_comes_first() {
        for (preferred, configured, chosen) in [
            (Some("de-AT"), "en", Language::German),
            (Some("DE_ch"), "en", Language::German),
            (Some("fr-FR"), "de", Language::German),
            (Some("fr-FR"), "pt", Language::English),
            (None, "de", Language::German),
            (Some(""), "de", Language::German),
            (Some("den"), "en", Language::English),
            (Some("de_DE"), "en", Language::German),
            (Some("de-DE, en;q=0.8"), "en", Language::German),
            (Some("de-DE,en-US"), "en", Language::German),
            (Some("de;en"), "en", Language::German),
            (Some("de,en"), "en", Language::German),
            (Some("en,de"), "de", Language::English),
        ] {
            assert_eq!(
                Language::choose(preferred, configured),
                chosen,
                "{preferred:?}"
            );
        }
    }

    #[test]
    fn moments_name_weekday_date_time_and_zone() {
        let at: Timestamp = "2026-12-08T22:59:00Z".parse().unwrap();
        let table = [
            (
                "Europe/Berlin",
                "Tuesday, 8 December 2026, 23:59 CET (UTC+1)",
            ),
            (
                "Asia/Kolkata",
                "Wednesday, 9 December 2026, 04:29 IST (UTC+5:30)",
            ),
            ("America/Sao_Paulo", "Tuesday, 8 December 2026, 19:59 UTC-3"),
            ("UTC", "Tuesday, 8 December 2026, 22:59 UTC"),
        ];
        for (name, text) in table {
            assert_eq!(Language::English.moment(at, &zone(name)), text);
        }
        let berlin = zone("Europe/Berlin");
        assert_eq!(
            Language::German.moment(at, &berlin),
            "Dienstag, 8. Dezember 2026, 23:59 Uhr MEZ (UTC+1)"
        );
        assert_eq!(Language::English.short_date(at, &berlin), "Tue 8 Dec");
        assert_eq!(Language::German.short_date(at, &berlin), "Di, 8.12.");
        let summer: Timestamp = "2027-03-28T01:00:00Z".parse().unwrap();
        assert_eq!(
            Language::German.moment(summer, &berlin),
            "Sonntag, 28. März 2027, 03:00 Uhr MESZ (UTC+2)"
        );
    }

    #[test]
    fn germans_have_names_of_their_own_for_the_zones_near_them() {
        let winter: Timestamp = "2026-12-08T22:59:00Z".parse().unwrap();
        let summer: Timestamp = "2026-07-08T22:59:00Z".parse().unwrap();
        for (name, in_winter, in_summer) in [
            ("Europe/Berlin", "MEZ (UTC+1)", "MESZ (UTC+2)"),
            ("Europe/Lisbon", "WEZ (UTC)", "WESZ (UTC+1)"),
            ("Europe/Athens", "OEZ (UTC+2)", "OESZ (UTC+3)"),
            ("Europe/London", "GMT (UTC)", "BST (UTC+1)"),
            ("UTC", "UTC", "UTC"),
        ] {
            for (at, wanted) in [(winter, in_winter), (summer, in_summer)] {
                let told = Language::German.moment(at, &zone(name));
                assert!(told.ends_with(&format!("Uhr {wanted}")), "{told}");
            }
        }
    }

    #[test]
    fn a_wording_is_its_own_in_a_language_or_the_common_one_or_any() {
        let both = Wording::of("for all").with(Language::German, "für alle");
        let one = Wording::default().with(Language::German, "nur so");
        assert_eq!(both.told_in(Language::English), "for all");
        assert_eq!(both.told_in(Language::German), "für alle");
        assert_eq!(one.told_in(Language::English), "nur so");
    }

    #[test]
    fn plurals() {
        let table = [
            (1_800, "less than an hour", "weniger als 1 Stunde"),
            (3_600, "1 hour", "1 Stunde"),
            (86_399, "23 hours", "23 Stunden"),
            (86_400, "1 day", "1 Tag"),
            (172_799, "1 day", "1 Tag"),
            (14 * 86_400, "14 days", "14 Tage"),
        ];
        for (seconds, english, german) in table {
            assert_eq!(Language::English.left(seconds), english);
            assert_eq!(Language::German.left(seconds), german);
        }
    }
}
