//! The registration report, sign-ins and audit events.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::serve::{Answer, Ask, link, page};
use super::{Event, FakeGraph, State, directory};

impl FakeGraph {
    /// Makes these the rows of the registration report, as it was refreshed last.
    pub fn set_report(&self, rows: Vec<Value>) {
        let rows = rows
            .into_iter()
            .map(|row| (row["id"].as_str().unwrap().to_owned(), row));
        self.state().report = rows.collect();
    }

    /// Changes one row of the report.
    pub fn put_report_row(&self, row: Value) {
        let id = row["id"].as_str().unwrap().to_owned();
        self.state().report.insert(id, row);
    }

    pub fn add_sign_in(&self, row: Value) {
        let lag = self.state().lag;
        self.add_sign_in_late(row, lag);
    }

    /// One that shows in the log so long after its time.
    pub fn add_sign_in_late(&self, row: Value, lag: SignedDuration) {
        let mut state = self.state();
        let event = Event::of(row, "createdDateTime", lag);
        state.sign_ins.insert(event.row["id"].to_string(), event);
    }

    pub fn add_audit(&self, row: Value) {
        let mut state = self.state();
        let lag = state.lag;
        let event = Event::of(row, "activityDateTime", lag);
        state.audits.insert(event.row["id"].to_string(), event);
    }
}

impl Event {
    fn of(row: Value, time: &str, lag: SignedDuration) -> Self {
        // A row whose time is none is in the log all the same.
        let at: Timestamp = row[time]
            .as_str()
            .and_then(|at| at.parse().ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            visible_at: at.checked_add(lag).unwrap(),
            at,
            row,
        }
    }
}

impl State {
    pub(super) fn registrations(&self, ask: &Ask) -> Answer {
        let at = ask.at();
        let top = self.page_size.min(ask.top());
        let rows: Vec<Value> = self.report.values().skip(at).take(top).cloned().collect();
        let end = at + rows.len();
        let path = "reports/authenticationMethods/userRegistrationDetails";
        let next = (end < self.report.len())
            .then(|| link(&self.url, path, "$skiptoken", &json!({ "at": end })));
        page(rows, next, None)
    }

    pub(super) fn registration(&self, id: &str) -> Answer {
        match self.report.get(id) {
            Some(row) => Answer::json(row.clone()),
            None => directory::not_found(id),
        }
    }

    /// Only interactive sign-ins come without `signInEventTypes` (domain 2.1).
    pub(super) fn sign_ins(&self, ask: &Ask) -> Answer {
        let interactive = |row: &Value| row["isInteractive"] != false;
        self.log(
            &self.sign_ins,
            "auditLogs/signIns",
            "createdDateTime",
            interactive,
            ask,
        )
    }

    pub(super) fn audits(&self, ask: &Ask) -> Answer {
        self.log(
            &self.audits,
            "auditLogs/directoryAudits",
            "activityDateTime",
            |_| true,
            ask,
        )
    }

    fn log(
        &self,
        events: &BTreeMap<String, Event>,
        path: &str,
        time: &str,
        shows: impl Fn(&Value) -> bool,
        ask: &Ask,
    ) -> Answer {
        let token = ask.token();
        let filter = match &token {
            Some(token) => token["filter"].as_str().unwrap().to_owned(),
            None => ask.query("$filter").unwrap_or_default(),
        };
        let Some(filter) = Filter::parse(&filter, time) else {
            return Answer::error(400, "BadRequest", "Invalid filter clause");
        };
        let oldest = self.now().checked_sub(self.retention).unwrap();
        if filter.from.is_some_and(|from| from < oldest) {
            return Answer::error(400, "BadRequest", "Invalid filter clause");
        }
        let mut rows: Vec<&Event> = events
            .values()
            .filter(|event| event.visible_at <= self.now() && event.at >= oldest)
            .filter(|event| shows(&event.row) && filter.matches(event))
            .collect();
        rows.sort_by_key(|event| std::cmp::Reverse(event.at));
        let at = ask.at();
        let top = token.map_or(ask.top(), |token| {
            usize::try_from(token["top"].as_u64().unwrap()).unwrap()
        });
        let top = top.min(self.page_size).min(1_000);
        let page_rows: Vec<Value> = rows
            .iter()
            .skip(at)
            .take(top)
            .map(|event| event.row.clone())
            .collect();
        let end = at + page_rows.len();
        let next = (end < rows.len()).then(|| {
            link(
                &self.url,
                path,
                "$skiptoken",
                &json!({ "at": end, "top": top, "filter": filter.text }),
            )
        });
        page(page_rows, next, None)
    }
}

/// A filter of a log: `ge` and `le` on its time work, `gt` and `lt` give everything (domain 2.1).
struct Filter {
    text: String,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    service: Option<String>,
}

impl Filter {
    fn parse(text: &str, time: &str) -> Option<Self> {
        let mut filter = Self {
            text: text.to_owned(),
            from: None,
            to: None,
            service: None,
        };
        for clause in text.split(" and ").filter(|clause| !clause.is_empty()) {
            let [property, operator, value] = clause.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                return None;
            };
            match (property, operator) {
                (name, "ge") if name == time => filter.from = Some(value.parse().ok()?),
                (name, "le") if name == time => filter.to = Some(value.parse().ok()?),
                (name, "gt" | "lt") if name == time => {}
                ("loggedByService", "eq") => {
                    filter.service = Some(value.trim_matches('\'').to_owned());
                }
                _ => return None,
            }
        }
        Some(filter)
    }

    fn matches(&self, event: &Event) -> bool {
        let service = |service: &String| event.row["loggedByService"] == service.as_str();
        self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at <= to)
            && self.service.as_ref().is_none_or(service)
    }
}
