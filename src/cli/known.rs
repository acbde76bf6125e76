//! Values of which there are only so many: help and completions offer them, and a wrong one is told
//! what there is.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, Error};

use crate::domain::delivery;
use crate::domain::language::Language;
use crate::domain::message::EventKind;
use crate::domain::state::State;

/// Reads one of a few values by its name.
#[derive(Clone)]
pub struct Known<T> {
    names: Vec<PossibleValue>,
    parse: fn(&str) -> Option<T>,
}

/// The states of a person.
#[must_use]
pub fn states() -> Known<State> {
    let named = |&state: &State| {
        let about = state.about().trim_end_matches('.');
        PossibleValue::new(state.as_str()).help(about)
    };
    Known {
        names: State::ALL.iter().map(named).collect(),
        parse: State::parse,
    }
}

/// The states of a delivery.
#[must_use]
pub fn delivery_states() -> Known<delivery::State> {
    Known {
        names: names(delivery::State::ALL.map(delivery::State::as_str)),
        parse: delivery::State::parse,
    }
}

/// The kinds of events, which messages are called by.
#[must_use]
pub fn events() -> Known<EventKind> {
    Known {
        names: names(EventKind::ALL.map(EventKind::as_str)),
        parse: EventKind::parse,
    }
}

/// The kinds of events that somebody is written to about.
#[must_use]
pub fn mails() -> Known<EventKind> {
    let mailed = |name: &str| EventKind::parse(name).filter(|kind| kind.is_mailed());
    Known {
        names: EventKind::ALL
            .iter()
            .filter(|kind| kind.is_mailed())
            .map(|kind| PossibleValue::new(kind.as_str()))
            .collect(),
        parse: mailed,
    }
}

/// The languages that mails are written in; `de-AT` is taken as German.
#[must_use]
pub fn languages() -> Known<Language> {
    Known {
        names: names(Language::ALL.map(Language::code)),
        parse: Language::of_tag,
    }
}

fn names<const N: usize>(names: [&'static str; N]) -> Vec<PossibleValue> {
    names.map(PossibleValue::new).into()
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Known<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        if let Some(known) = value.to_str().and_then(self.parse) {
            return Ok(known);
        }
        // Which always refuses it, and says so in the parser's own words.
        let name = PossibleValuesParser::new(self.names.clone()).parse_ref(command, arg, value)?;
        Ok((self.parse)(&name).expect("each is read by its name"))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<T: Clone + Send + Sync + 'static>(known: &Known<T>, value: &str) -> Result<T, Error> {
        known.parse_ref(&Command::new("fortnight"), None, OsStr::new(value))
    }

    #[test]
    fn every_name_that_is_offered_is_read() {
        for name in states().names {
            assert!(taken(&states(), name.get_name()).is_ok());
            assert!(name.get_help().is_some());
        }
        for name in delivery_states().names {
            assert!(taken(&delivery_states(), name.get_name()).is_ok());
        }
        for name in events().names {
            assert!(taken(&events(), name.get_name()).is_ok());
        }
        for name in mails().names {
            assert!(taken(&mails(), name.get_name()).is_ok());
        }
        assert!(taken(&mails(), "window.paused").is_err());
        for name in languages().names {
            assert!(taken(&languages(), name.get_name()).is_ok());
        }
    }

    #[test]
    fn a_wrong_one_is_told_what_there_is_and_what_is_near() {
        let error = taken(&delivery_states(), "pendin").unwrap_err().to_string();
        assert!(error.contains("'pendin'"), "{error}");
        assert!(error.contains("pending, leased, sent"), "{error}");
        assert!(error.contains("similar value exists: 'pending'"), "{error}");
    }

    #[test]
    fn a_language_is_read_as_people_write_their_own() {
        assert_eq!(taken(&languages(), "de-AT").unwrap(), Language::German);
        assert!(taken(&languages(), "fr").is_err());
    }
}
