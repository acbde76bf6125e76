//! A registration policy and its switches (rule 7.20).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::assignment::Assignment;
use super::id::PolicyName;

/// The switch of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enforce {
    /// Windows, messages and flags.
    On,
    /// Windows and journal as if on; no message leaves the house and nobody is flagged.
    ReportOnly,
    /// Open windows are paused.
    Off,
}

/// What follows from a flag, and so what people may be told (rule 7.27).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing in Entra: people are asked to register, and the service desk follows up.
    #[default]
    Flag,
    /// The registration policy of ID Protection asks too, by a clock of its own.
    Native,
}

impl Mode {
    /// How long ID Protection lets people put it off, from the first sign-in that it saw: nobody can
    /// change that.
    pub const NATIVE_WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);

    /// The last moment at which a sign-in may let somebody put it off, where something in Entra asks;
    /// it may demand it sooner.
    #[must_use]
    pub fn skippable_until(self, opened_at: Timestamp, deadline: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Flag => None,
            Self::Native => {
                let own = opened_at.saturating_add(Self::NATIVE_WINDOW);
                Some(own.map_or(deadline, |own| own.min(deadline)))
            }
        }
    }
}

/// Which sign-ins can open a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOn {
    /// Completed sign-ins and those that were told to register.
    Prompted,
    /// Also those in which the password was right and another question came first.
    AnyPrimary,
}

/// When a message is due, relative to the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Step {
    /// That long after the opening; zero is the `window.opened` message itself.
    AfterOpening(SignedDuration),
    /// That long before the deadline.
    BeforeDeadline(SignedDuration),
}

impl Step {
    /// The step that is the `window.opened` message.
    pub const OPENING: Self = Self::AfterOpening(SignedDuration::ZERO);

    /// The moment at which the step falls due.
    #[must_use]
    pub fn due(self, opened_at: Timestamp, deadline: Timestamp) -> Timestamp {
        let (from, by) = match self {
            Self::AfterOpening(after) => (opened_at, after),
            Self::BeforeDeadline(before) => (deadline, -before),
        };
        from.saturating_add(by).unwrap_or(from)
    }
}

/// A step that is not written as `"3d"` or `"-3d"`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a step is written like \"0d\", \"3d\" (after the opening) or \"-3d\" (before the deadline), in days (d), hours (h) or minutes (m), not {0:?}"
)]
pub struct InvalidStep(String);

impl TryFrom<String> for Step {
    type Error = InvalidStep;

    fn try_from(text: String) -> Result<Self, InvalidStep> {
        let (before, number) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let seconds = number
            .char_indices()
            .last()
            .and_then(|(at, unit)| {
                let count: i64 = number[..at]
                    .parse()
                    .ok()
                    .filter(|count| (0..=100_000).contains(count))?;
                match unit {
                    'd' => Some(count * 86_400),
                    'h' => Some(count * 3_600),
                    'm' => Some(count * 60),
                    _ => None,
                }
            })
            .filter(|_| number.starts_with(|first: char| first.is_ascii_digit()));
        match seconds.map(SignedDuration::from_secs) {
            Some(length) if before => Ok(Self::BeforeDeadline(length)),
            Some(length) => Ok(Self::AfterOpening(length)),
            None => Err(InvalidStep(text)),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, length) = match self {
            Self::AfterOpening(length) => ("", length),
            Self::BeforeDeadline(length) => ("-", length),
        };
        let minutes = length.as_mins();
        match minutes {
            m if m % 1_440 == 0 => write!(f, "{sign}{}d", m / 1_440),
            m if m % 60 == 0 => write!(f, "{sign}{}h", m / 60),
            m => write!(f, "{sign}{m}m"),
        }
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        step.to_string()
    }
}

/// One registration policy, with its assignment resolved to object ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of the configuration, each by its name"
)]
pub struct Policy {
    /// Its name in configuration, mail and JSON.
    pub name: PolicyName,
    /// On, report-only or off.
    pub enforce: Enforce,
    /// Whom it includes and excludes.
    pub assignment: Assignment,
    /// The length of the window, 0 to 90 days of 24 hours (rule R1).
    pub window: SignedDuration,
    /// The least time between an accepted notice and a flag (rules R7 and 7.2).
    pub min_notice: SignedDuration,
    /// The steps, in the order of the configuration.
    pub reminders: Vec<Step>,
    /// Since when qualifying sign-ins count (rule 7.1): configured, or the first pass.
    pub since: Timestamp,
    /// The pass that first saw the policy on or report-only.
    pub first_pass: Timestamp,
    /// The pass that last saw it switched back from off.
    pub on_again: Option<Timestamp>,
    /// Whether guests are eligible.
    pub guests: bool,
    /// Whether members of groups within groups count.
    pub nested: bool,
    /// Whether passwordless methods alone (Windows Hello, passkeys) count as registered.
    pub accept_passwordless: bool,
    /// Which sign-ins can open a window.
    pub start_on: StartOn,
    /// Microsoft's own manner: no notice, no floors (rule 7.11).
    pub strict: bool,
}

impl Policy {
    /// The floor between a notice and the deadline: none under `strict`.
    #[must_use]
    pub fn notice_floor(&self) -> SignedDuration {
        if self.strict {
            SignedDuration::ZERO
        } else {
            self.min_notice
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_and_written_alike() {
        for text in ["0d", "3d", "-3d", "-12h", "-90m", "36h"] {
            let step = Step::try_from(text.to_owned()).unwrap();
            assert_eq!(step.to_string(), text);
        }
        assert_eq!(Step::try_from("24h".to_owned()).unwrap().to_string(), "1d");
    }

    #[test]
    fn where_entra_asks_the_earlier_of_both_clocks_is_the_last_day() {
        let day = |count: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * count);
        for (deadline, until) in [(14, 14), (9, 9), (30, 14)] {
            let told = Mode::Native.skippable_until(day(0), day(deadline));
            assert_eq!(told, Some(day(until)), "a deadline on day {deadline}");
            assert_eq!(Mode::Flag.skippable_until(day(0), day(deadline)), None);
        }
    }

    #[test]
    fn steps_that_are_none_are_refused() {
        for text in [
            "",
            "d",
            "-",
            "--3d",
            "+3d",
            "3",
            "3w",
            "3 d",
            "-3.5d",
            "99999999d",
            "３d",
        ] {
            assert!(Step::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
