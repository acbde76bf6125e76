//! The buckets of the service, by the host's clock. A refused request counts too: who asks again at
//! once only makes it longer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::answer::Answer;
use super::question::Question;

const WINDOW: Duration = Duration::from_secs(10);
/// From this share on, answers say how full the bucket is.
const WORTH_SAYING: f64 = 0.8;

const SCOPE: &str = "Tenant_Application/ReadWrite";

/// How `Retry-After` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryForm {
    #[default]
    Seconds,
    Fraction,
    Date,
    Absent,
}

#[derive(Debug, Default)]
pub struct Throttle {
    reports_limit: Option<u32>,
    reports: VecDeque<(Instant, u32)>,
    directory: VecDeque<(Instant, u32)>,
    pub form: RetryForm,
    /// How many requests were turned away.
    pub refused: u32,
}

type Headers = Vec<(&'static str, String)>;

impl Throttle {
    /// So many requests for reports and logs, and the service's own limits for the rest.
    pub fn limit(&mut self, reports: u32) {
        self.reports_limit = Some(reports);
        self.reports.clear();
        self.directory.clear();
    }

    /// Counts a request; an answer that refuses it, and what any answer says of the bucket.
    pub fn count(
        &mut self,
        question: &Question,
        users: usize,
        now: Instant,
        wall: Timestamp,
    ) -> (Option<Answer>, Headers) {
        let Some(reports_limit) = self.reports_limit else {
            return (None, Vec::new());
        };
        let units = question.units();
        let (bucket, cost, limit) = if question.kind.is_report() {
            (&mut self.reports, 1, reports_limit)
        } else {
            (&mut self.directory, units, directory_limit(users))
        };
        while bucket
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            bucket.pop_front();
        }
        bucket.push_back((now, cost));
        let spent: u32 = bucket.iter().map(|(_, cost)| cost).sum();
        let mut headers = vec![("x-ms-resource-unit", units.to_string())];
        let share = f64::from(spent) / f64::from(limit);
        if share >= WORTH_SAYING {
            headers.push(("x-ms-throttle-limit-percentage", format!("{share:.2}")));
            headers.push(("x-ms-throttle-scope", SCOPE.to_owned()));
        }
        if spent <= limit {
            return (None, headers);
        }
        let free_in = free_in(bucket, limit, now);
        headers.extend(retry_after(self.form, free_in, wall).map(|text| ("retry-after", text)));
        self.refused += 1;
        (Some(Answer::throttled()), headers)
    }
}

/// Units by the size of the tenant.
fn directory_limit(users: usize) -> u32 {
    match users {
        0..50 => 3_500,
        50..=500 => 5_000,
        _ => 8_000,
    }
}

/// When the bucket has room for one more.
fn free_in(bucket: &VecDeque<(Instant, u32)>, limit: u32, now: Instant) -> Duration {
    let mut left: u32 = bucket.iter().map(|(_, cost)| cost).sum();
    for (at, cost) in bucket {
        left -= cost;
        if left < limit {
            return (*at + WINDOW).duration_since(now);
        }
    }
    WINDOW
}

fn retry_after(form: RetryForm, wait: Duration, wall: Timestamp) -> Option<String> {
    match form {
        RetryForm::Seconds => Some((wait.as_secs() + 1).to_string()),
        RetryForm::Fraction => Some(format!("{:.3}", wait.as_secs_f64() + 0.001)),
        // A date has whole seconds.
        RetryForm::Date => {
            let until = wall + wait + Duration::from_secs(1);
            Some(httpdate::fmt_http_date(until.into()))
        }
        RetryForm::Absent => None,
    }
}
