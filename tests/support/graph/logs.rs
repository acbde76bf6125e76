//! The two logs. An event appears some time after it happened; who asks for it sooner never knows
//! that it was missing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::answer::{Answer, Found};
use super::filter::{self, Clause, Literal};
use super::paging::{Paging, Position, Sizes};
use super::question::Question;

/// As long as a licensed tenant keeps its logs.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
const SIZES: Sizes = Sizes {
    usual: 1_000,
    most: 1_000,
};

#[derive(Debug)]
pub struct Log {
    /// The property that says when an event happened.
    time: &'static str,
    /// Properties that can be compared with a text.
    texts: &'static [&'static str],
    events: Vec<Event>,
    pub lag: SignedDuration,
    pub retention: SignedDuration,
}

#[derive(Debug)]
struct Event {
    row: Value,
    /// None: the row says none, and is in the log all the same.
    at: Option<Timestamp>,
    appears_at: Timestamp,
}

impl Log {
    pub fn sign_ins() -> Self {
        let texts = &["userId", "userPrincipalName", "appDisplayName", "id"];
        Self::of("createdDateTime", texts)
    }

    pub fn audits() -> Self {
        let texts = &["loggedByService", "activityDisplayName", "category", "id"];
        Self::of("activityDateTime", texts)
    }

    fn of(time: &'static str, texts: &'static [&'static str]) -> Self {
        Self {
            time,
            texts,
            events: Vec::new(),
            lag: SignedDuration::ZERO,
            retention: RETENTION,
        }
    }

    pub fn add(&mut self, row: Value, lag: Option<SignedDuration>) {
        let lag = lag.unwrap_or(self.lag);
        let appears_at = self.time_of(&row).map_or(Timestamp::MIN, |at| at + lag);
        self.insert(row, appears_at);
    }

    /// An event that appears now, or later if the log lags; one that is known is completed.
    pub fn appear(&mut self, row: &Value, now: Timestamp) {
        let id = row["id"].as_str().unwrap();
        if self.events.iter().any(|event| event.row["id"] == *id) {
            return self.change(id, row);
        }
        let appears_at = self.time_of(row).map_or(now, |at| now.max(at + self.lag));
        self.insert(row.clone(), appears_at);
    }

    fn insert(&mut self, row: Value, appears_at: Timestamp) {
        let at = self.time_of(&row);
        self.events.retain(|event| event.row["id"] != row["id"]);
        self.events.push(Event {
            row,
            at,
            appears_at,
        });
    }

    pub fn change(&mut self, id: &str, fields: &Value) {
        let mut events = self.events.iter_mut();
        let event = events.find(|event| event.row["id"] == *id).unwrap();
        for (name, value) in fields.as_object().unwrap() {
            event.row[name] = value.clone();
        }
        event.at = time(self.time, &event.row);
    }

    fn time_of(&self, row: &Value) -> Option<Timestamp> {
        time(self.time, row)
    }

    /// The last sign-in of a person, as the directory remembers it for ever.
    pub fn last_of(&self, user: &str, now: Timestamp) -> Option<Timestamp> {
        self.events
            .iter()
            .filter(|event| event.row["userId"] == *user && event.appears_at <= now)
            .filter_map(|event| event.at)
            .max()
    }

    /// Newest first.
    pub fn find(&self, paging: &Paging, base: &str, question: &Question, now: Timestamp) -> Found {
        let position = Position::of(question)?;
        let clauses = match position.option("$filter") {
            Some(text) => filter::parse(text).ok_or_else(Answer::invalid_filter)?,
            None => Vec::new(),
        };
        for clause in &clauses {
            self.check(clause, now)?;
        }
        let mut rows: Vec<(String, Value)> = self
            .events
            .iter()
            .filter(|event| {
                event.appears_at <= now
                    && event
                        .at
                        .is_none_or(|at| now.duration_since(at) <= self.retention)
            })
            // This version shows interactive sign-ins only.
            .filter(|event| event.row["isInteractive"] != false)
            .filter(|event| fits(event, &clauses))
            .map(|event| (newest_first(event), event.row.clone()))
            .collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        paging.page(base, question, position, SIZES, &rows)
    }

    /// Whether the log takes a comparison.
    fn check(&self, clause: &Clause, now: Timestamp) -> Result<(), Answer> {
        match &clause.value {
            Literal::Time(at) if clause.property == self.time => {
                let too_old = now.duration_since(*at) > self.retention;
                if clause.operator == "ge" && too_old {
                    return Err(Answer::invalid_filter());
                }
                Ok(())
            }
            Literal::Text(_)
                if self.texts.contains(&clause.property.as_str()) && clause.operator == "eq" =>
            {
                Ok(())
            }
            _ => Err(Answer::invalid_filter()),
        }
    }
}

fn fits(event: &Event, clauses: &[Clause]) -> bool {
    clauses.iter().all(|clause| match &clause.value {
        Literal::Text(text) => event.row[&clause.property] == *text.as_str(),
        Literal::Time(at) => match clause.operator.as_str() {
            "ge" => event.at.is_none_or(|event| event >= *at),
            "le" => event.at.is_none_or(|event| event <= *at),
            "eq" => event.at.is_none_or(|event| event == *at),
            // The service takes `gt` and `lt`, and does not filter.
            _ => true,
        },
    })
}

fn time(property: &str, row: &Value) -> Option<Timestamp> {
    row[property].as_str()?.parse().ok()
}

/// A key that sorts the newest first.
fn newest_first(event: &Event) -> String {
    let nanos = i128::MAX - event.at.map_or(0, Timestamp::as_nanosecond);
    format!(
        "{nanos:040} {}",
        event.row["id"].as_str().unwrap_or_default()
    )
}
