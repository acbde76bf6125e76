//! What goes wrong on purpose: the nth request of a kind, or all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::question::{Kind, Question};
use super::service::host_now;

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An error with this code.
    Status(u16, &'static str),
    /// 429 or 503, and when to come again.
    Busy(u16, RetryAfter),
    /// Half of the body, then the connection ends.
    Cut,
    /// A body that is no JSON from its middle on.
    Garbled,
    /// A body that never ends.
    Endless,
    /// A body of which a byte comes now and then, for ever.
    Drip,
    /// An empty page that leads to another one, below this address.
    Unending(String),
    /// In the body these bytes stand instead of that text.
    Spelled(&'static str, &'static [u8]),
    /// The answer, after a while.
    Slow(Duration),
    /// No answer at all, while the connection stays.
    Hang,
    /// The link on leads to another host: this one.
    LinkTo(String),
    /// The page has neither a next page nor an end.
    DeadEnd,
    /// The link on leads to the same page again.
    Circle,
    /// The first row of the page stands in the place of the last as well.
    Twice,
    /// The token of the page has died: `Skip token is null.`
    SkipToken,
}

/// How a service says when to come again (case 53).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Missing,
    Text(&'static str),
    /// An HTTP date, so many seconds from now.
    Date(u64),
}

impl Fault {
    /// The answer that stands instead of the right one.
    pub fn instead(&self) -> Option<Answer> {
        match self {
            Self::Status(status, code) => Some(Answer::error(*status, code, "(text varies)")),
            Self::Busy(status, when) => Some(busy(*status, *when)),
            Self::SkipToken => Some(Answer::dead_skip_token()),
            Self::Unending(address) => {
                let link = format!("{address}?$skiptoken={}", Uuid::new_v4());
                Some(Answer::ok(json!({ "value": [], "@odata.nextLink": link })))
            }
            _ => None,
        }
    }

    /// What is changed in the right answer.
    pub fn spoil(&self, body: &mut Value) {
        let Value::Object(page) = body else { return };
        match self {
            Self::LinkTo(host) => {
                let link = format!("{host}/v1.0/users/delta?$skiptoken=x");
                page.insert("@odata.nextLink".to_owned(), json!(link));
            }
            Self::Twice => {
                if let Some(Value::Array(rows)) = page.get_mut("value")
                    && let Some(last) = rows.len().checked_sub(1)
                {
                    rows[last] = rows[0].clone();
                }
            }
            Self::DeadEnd => {
                page.retain(|name, _| !name.ends_with("Link"));
            }
            _ => {}
        }
    }
}

/// The script.
#[derive(Debug, Default)]
pub struct Faults {
    /// None: whatever is asked for.
    once: Vec<(Option<Kind>, usize, Fault)>,
    always: BTreeMap<Kind, Fault>,
    /// The first link that is asked for is dead from then on, no later one is.
    dead_links: BTreeMap<Kind, (Option<String>, Fault)>,
}

impl Faults {
    pub fn script(&mut self, kind: Option<Kind>, nth: usize, fault: Fault) {
        self.once.push((kind, nth, fault));
    }

    pub fn always(&mut self, kind: Kind, fault: Fault) {
        self.always.insert(kind, fault);
    }

    pub fn kill_link(&mut self, kind: Kind, fault: Fault) {
        self.dead_links.insert(kind, (None, fault));
    }

    pub fn end(&mut self, kind: Kind) {
        self.always.remove(&kind);
    }

    /// What the present request meets.
    pub fn next(&mut self, question: &Question) -> Option<Fault> {
        let kind = question.kind;
        let token = question.option("$skiptoken");
        if let Some(token) = token.or(question.option("$deltatoken"))
            && let Some((dead, fault)) = self.dead_links.get_mut(&kind)
            && dead.get_or_insert_with(|| token.to_owned()) == token
        {
            return Some(fault.clone());
        }
        let fault = self.due(kind);
        if fault == Some(Fault::SkipToken) && question.option("$skiptoken").is_none() {
            // A first page has no token that could die; the next page is meant.
            self.script(Some(kind), 1, Fault::SkipToken);
            return None;
        }
        fault
    }

    fn due(&mut self, kind: Kind) -> Option<Fault> {
        let meant = |of: Option<Kind>| of.is_none_or(|of| of == kind);
        for (_, left, _) in self.once.iter_mut().filter(|(of, ..)| meant(*of)) {
            // Two that are due at once come one after the other.
            *left = left.saturating_sub(1);
        }
        let due = self
            .once
            .iter()
            .position(|(of, left, _)| meant(*of) && *left == 0);
        let once = due.map(|place| self.once.remove(place).2);
        once.or_else(|| self.always.get(&kind).cloned())
    }
}

fn busy(status: u16, when: RetryAfter) -> Answer {
    let code = if status == 429 {
        "TooManyRequests"
    } else {
        "serviceNotAvailable"
    };
    let answer = Answer::error(status, code, "(text varies)");
    match when {
        RetryAfter::Missing => answer,
        RetryAfter::Text(text) => answer.with("retry-after", text),
        RetryAfter::Date(seconds) => {
            let at = host_now() + Duration::from_secs(seconds);
            answer.with("retry-after", httpdate::fmt_http_date(at.into()))
        }
    }
}
