//! What goes wrong on purpose: the nth request of a kind, or all of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::question::Kind;

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An error instead.
    Refuse {
        status: u16,
        code: &'static str,
        /// The header, as it is written.
        retry_after: Option<String>,
    },
    /// Half of the body, then the connection ends.
    Cut,
    /// A body that is no JSON from its middle on.
    Garbled,
    /// A body that never ends.
    Endless,
    /// The answer, after a while.
    Slow(Duration),
    /// No answer at all, while the connection stays.
    Hang,
    /// The link on leads to another host.
    ForeignLink,
    /// The page has no link, neither on nor to what will change.
    NoLink,
    /// The token of the page has died (domain 2.4).
    DeadSkipToken,
}

impl Fault {
    pub fn status(status: u16, code: &'static str) -> Self {
        Self::Refuse {
            status,
            code,
            retry_after: None,
        }
    }

    pub fn throttled(retry_after: Option<&str>) -> Self {
        Self::Refuse {
            status: 429,
            code: "TooManyRequests",
            retry_after: retry_after.map(str::to_owned),
        }
    }

    /// The answer that stands instead of the right one.
    pub fn instead(&self) -> Option<Answer> {
        match self {
            Self::Refuse {
                status,
                code,
                retry_after,
            } => {
                let answer = Answer::error(*status, code, "(text varies)");
                Some(match retry_after {
                    Some(text) => answer.with("retry-after", text.clone()),
                    None => answer,
                })
            }
            Self::DeadSkipToken => Some(Answer::dead_skip_token()),
            _ => None,
        }
    }

    /// What is changed in the right answer.
    pub fn spoil(&self, body: &mut Value) {
        let Value::Object(page) = body else { return };
        match self {
            Self::ForeignLink => {
                let link = "https://graph.example.net/v1.0/users/delta?$skiptoken=x";
                page.insert("@odata.nextLink".to_owned(), json!(link));
            }
            Self::NoLink => {
                page.retain(|name, _| !name.ends_with("Link"));
            }
            _ => {}
        }
    }
}

/// The script.
#[derive(Debug, Default)]
pub struct Faults {
    once: Vec<(Kind, usize, Fault)>,
    always: Vec<(Kind, Fault)>,
}

impl Faults {
    pub fn script(&mut self, kind: Kind, nth: usize, fault: Fault) {
        self.once.push((kind, nth, fault));
    }

    pub fn always(&mut self, kind: Kind, fault: Fault) {
        self.always.push((kind, fault));
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the present request of this kind meets.
    pub fn next(&mut self, kind: Kind) -> Option<Fault> {
        for (_, left, _) in self.once.iter_mut().filter(|(of, ..)| *of == kind) {
            *left -= 1;
        }
        let due = self
            .once
            .iter()
            .position(|(of, left, _)| *of == kind && *left == 0);
        let once = due.map(|place| self.once.remove(place).2);
        let always = self.always.iter().find(|(of, _)| *of == kind);
        once.or_else(|| always.map(|(_, fault)| fault.clone()))
    }
}
