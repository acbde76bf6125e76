//! What makes a format: data and a few pure functions, one value for each beside its body.
//!
//! The table of them is [`DIALECTS`](super::DIALECTS). Configuration, reference, preview, herald,
//! client and tests walk it and know no format by name; what is peculiar to one stands in its file.

use std::fmt;

use jiff::tz::TimeZone;
use url::Url;

use super::answer::Answer;
use super::{Group, Happening};
use crate::delivery::Outcome;

/// A format of `[[webhook]]`.
pub struct Dialect {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What it is for, in the words of the reference: one line of Markdown.
    pub about: &'static str,
    /// What one message tells, and its body.
    pub per: Per,
    /// How the receiver knows that it is us.
    pub auth: Auth,
    /// The `content-type` of the body.
    pub media: &'static str,
    /// How many requests may be under way at once.
    pub connections: usize,
    /// Why an address can be none of such an endpoint, whatever else is right with it.
    pub refuses: fn(&Url) -> Option<Unfit>,
    /// What an answer means.
    pub means: fn(&Answer<'_>) -> Outcome,
}

/// What one message tells, and the pure function that writes it.
#[derive(Clone, Copy)]
pub enum Per {
    /// Each event by itself, for programs; with the name of this installation.
    Event(fn(&Happening, &str) -> String),
    /// All of one kind that a pass queued, folded into one, for people; with their time zone.
    Fold(fn(&Group, &TimeZone) -> String),
}

/// How a receiver knows that it is us, which says what the configuration must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Each attempt is signed as in Standard Webhooks, by the secrets of `secret_file`.
    Signature,
    /// By the address, which is a password.
    Address,
}

/// An address that a format cannot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// Why.
    pub why: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Dialect {
    /// Whether it folds several events of one kind into one message.
    #[must_use]
    pub fn folds(&self) -> bool {
        match self.per {
            Per::Event(_) => false,
            Per::Fold(_) => true,
        }
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
