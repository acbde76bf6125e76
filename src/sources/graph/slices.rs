//! How a log is read: in slices of time, again and again over a stretch that was read before.
//!
//! Events come late, in any order, and change after they came (domain 2.4), so what was read is
//! never taken for complete: every pass goes back an hour, once a day and after an outage three
//! days. The trap is the newest event: whoever continues *there* loses what comes late.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::client::Link;
use crate::domain::window::later;

/// Every pass reads this much again.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// Events younger than this are read, and read again.
const SETTLE: SignedDuration = SignedDuration::from_mins(2);
/// Once in this time, and after an outage of six hours, a pass goes back three days.
const DEEP_EVERY: SignedDuration = SignedDuration::from_hours(24);
const OUTAGE: SignedDuration = SignedDuration::from_hours(6);
const DEEP: SignedDuration = SignedDuration::from_hours(72);
/// How long Entra keeps logs with a P1 or P2 licence, and without one (domain 2.4).
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
const RETENTION_FREE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The oldest hour of what is kept may go while it is being read.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);
/// The finest slice (contract 7.21), the first, and the longest.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);
const FIRST: SignedDuration = SignedDuration::from_hours(24);
const LONGEST: SignedDuration = RETENTION;
/// A slice is as long as a few pages hold.
const FEW_PAGES: u32 = 2;
const MANY_PAGES: u32 = 4;
/// So often a slice whose paging broke is begun anew within one run.
const RESTARTS: u32 = 8;

/// Where the reading of a log is; kept between passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Read up to here, at least once.
    covered_to: Option<Timestamp>,
    /// Up to where the last deep run went.
    deep_to: Option<Timestamp>,
    /// How long a slice is at present.
    slice_s: i64,
    /// How long the service keeps its logs, as far as it has shown.
    kept_s: i64,
    run: Option<Run>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    until: Timestamp,
    deep: bool,
    restarts: u32,
    slice: Slice,
}

/// A stretch of a log that is read page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Its begin.
    pub from: Timestamp,
    /// Its end; none: the newest there is.
    pub to: Option<Timestamp>,
    /// The page that comes next; none: the first.
    pub link: Option<Link>,
    pages: u32,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            covered_to: None,
            deep_to: None,
            slice_s: FIRST.as_secs(),
            kept_s: RETENTION.as_secs(),
            run: None,
        }
    }
}

impl Reading {
    /// The slice to go on with, if there is anything to read now. `begin` is where a first
    /// reading begins.
    pub fn slice(&mut self, begin: Timestamp, now: Timestamp) -> Option<Slice> {
        if self.run.is_none() {
            self.run = self.plan(begin, now);
        }
        self.run.as_ref().map(|run| run.slice.clone())
    }

    /// Everything before this was read.
    #[must_use]
    pub fn covered_to(&self) -> Option<Timestamp> {
        self.covered_to
    }

    /// Whether there is more to read of the present run.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.run.is_some()
    }

    /// A page of the slice was read, and this one comes next.
    pub fn page_read(&mut self, next: Option<Link>) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        run.slice.pages += 1;
        if next.is_some() {
            run.slice.link = next;
        } else if let Some(to) = run.slice.to {
            self.adapt(run.slice.pages);
            run.slice = self.slice_from(to, run.until);
        } else {
            self.adapt(run.slice.pages);
            self.covered_to = self.covered_to.max(Some(run.until));
            if run.deep {
                self.deep_to = Some(run.until);
            }
            return;
        }
        self.run = Some(run);
    }

    /// The paging of the slice broke: it begins anew, and half as long. Whether there is any
    /// sense in that.
    pub fn restart_slice(&mut self) -> bool {
        self.slice_s = (self.slice_s / 2).max(SHORTEST.as_secs());
        let length = SignedDuration::from_secs(self.slice_s);
        let Some(run) = &mut self.run else {
            return false;
        };
        run.restarts += 1;
        run.slice = slice(run.slice.from, run.until, length);
        if run.restarts > RESTARTS {
            // The next pass begins with a clean count.
            run.restarts = 0;
            return false;
        }
        true
    }

    /// The service does not keep what was asked for: the reading goes on where the logs of a
    /// tenant without a licence begin. Whether that changes anything.
    pub fn too_old(&mut self, now: Timestamp) -> bool {
        let oldest = later(now, MARGIN - RETENTION_FREE);
        let Some(run) = self.run.as_mut().filter(|run| run.slice.from < oldest) else {
            return false;
        };
        self.kept_s = RETENTION_FREE.as_secs();
        run.slice = slice(oldest, run.until, SignedDuration::from_secs(self.slice_s));
        true
    }

    fn plan(&self, begin: Timestamp, now: Timestamp) -> Option<Run> {
        let until = later(now, -SETTLE);
        let oldest = later(now, MARGIN - SignedDuration::from_secs(self.kept_s));
        let (from, deep) = match self.covered_to {
            None => (begin, true),
            Some(covered_to) if covered_to >= until => return None,
            Some(covered_to) => {
                let age = |at: Timestamp| until.duration_since(at);
                let deep = age(covered_to) >= OUTAGE
                    || self.deep_to.is_none_or(|at| age(at) >= DEEP_EVERY);
                (later(covered_to, if deep { -DEEP } else { -OVERLAP }), deep)
            }
        };
        Some(Run {
            until,
            deep,
            restarts: 0,
            slice: self.slice_from(from.max(oldest), until),
        })
    }

    fn slice_from(&self, from: Timestamp, until: Timestamp) -> Slice {
        slice(from, until, SignedDuration::from_secs(self.slice_s))
    }

    fn adapt(&mut self, pages: u32) {
        if pages > MANY_PAGES {
            self.slice_s = (self.slice_s / 2).max(SHORTEST.as_secs());
        } else if pages <= FEW_PAGES {
            self.slice_s = (self.slice_s * 2).min(LONGEST.as_secs());
        }
    }
}

/// The last slice has no end, so that nothing falls between it and the present.
fn slice(from: Timestamp, until: Timestamp, length: SignedDuration) -> Slice {
    let to = later(from, length);
    Slice {
        from,
        to: (to < until).then_some(to),
        link: None,
        pages: 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::story::{day, hour};

    /// Reads all there is with so many pages per slice; the slices that were read.
    fn read(reading: &mut Reading, begin: Timestamp, now: Timestamp, pages: u32) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        while let Some(slice) = reading.slice(begin, now) {
            if slice.link.is_none() {
                slices.push(slice.clone());
            }
            let last = slice.pages + 1 >= pages;
            reading.page_read((!last).then(|| link("page")));
        }
        slices
    }

    fn link(text: &str) -> Link {
        serde_json::from_value(serde_json::Value::from(text)).unwrap()
    }

    #[test]
    fn case_1_every_pass_goes_back_an_hour_and_a_daily_one_three_days() {
        let mut reading = Reading::default();
        let first = read(&mut reading, hour(9, 23), day(10), 1);
        assert_eq!(first[0].from, hour(9, 23));
        assert_eq!(reading.covered_to(), Some(later(day(10), -SETTLE)));
        // Ten minutes later.
        let now = later(day(10), SignedDuration::from_mins(10));
        let slices = read(&mut reading, day(0), now, 1);
        assert_eq!(slices.len(), 1);
        assert_eq!(slices[0].from, later(day(10), -SETTLE - OVERLAP));
        assert_eq!(slices[0].to, None);
        // A day later the pass is deep, whatever came in between.
        for hours in 1..=23 {
            read(&mut reading, day(0), hour(10, hours), 1);
        }
        let slices = read(&mut reading, day(0), hour(11, 1), 1);
        assert_eq!(slices[0].from, later(hour(10, 23), -SETTLE - DEEP));
    }

    #[test]
    fn case_22_after_an_outage_a_pass_reads_the_outage_and_three_days() {
        let mut reading = Reading::default();
        read(&mut reading, day(1), day(2), 1);
        let slices = read(&mut reading, day(1), day(10), 1);
        assert_eq!(slices[0].from, later(day(2), -SETTLE - DEEP));
        // Of what lies longer back than the service keeps, the last hour is not tried.
        let slices = read(&mut reading, day(1), day(60), 1);
        assert_eq!(slices[0].from, later(day(30), MARGIN));
    }

    #[test]
    fn a_slice_is_as_long_as_a_few_pages_hold_and_never_finer_than_an_hour() {
        let mut quiet = Reading::default();
        read(&mut quiet, day(0), day(1), 1);
        assert!(
            read(&mut quiet, day(0), day(2), 1).len() <= 2,
            "a deep pass is two questions"
        );
        let mut busy = Reading::default();
        let slices = read(&mut busy, day(0), day(3), 50);
        let shortest = slices
            .iter()
            .filter_map(|slice| Some(slice.to?.duration_since(slice.from)))
            .min();
        assert_eq!(shortest, Some(SHORTEST));
    }

    #[test]
    fn broken_paging_begins_the_slice_anew_and_halves_it() {
        let mut reading = Reading::default();
        let slice = reading.slice(day(0), day(5)).unwrap();
        reading.page_read(Some(link("page")));
        assert!(reading.restart_slice());
        let again = reading.slice(day(0), day(5)).unwrap();
        assert_eq!((again.from, again.link), (slice.from, None));
        assert_eq!(again.to, Some(hour(0, 12)));
        let tries = (0..20).take_while(|_| reading.restart_slice()).count();
        assert_eq!(tries, RESTARTS as usize - 1, "a pass does not try for ever");
    }

    #[test]
    fn a_tenant_without_a_licence_keeps_seven_days() {
        let mut reading = Reading::default();
        reading.slice(day(0), day(30)).unwrap();
        assert!(reading.too_old(day(30)));
        let slice = reading.slice(day(0), day(30)).unwrap();
        assert_eq!(slice.from, later(day(23), MARGIN));
        assert!(
            !reading.too_old(day(30)),
            "if that is too old too, something else is wrong"
        );
    }

    proptest! {
        /// Whatever the passes and pages, each stretch between two passes is read.
        #[test]
        fn nothing_is_left_out(gaps in prop::collection::vec(1_i64..40_000, 1..30), pages in 1_u32..9) {
            let mut reading = Reading::default();
            let (mut now, mut covered) = (day(10), day(9));
            for gap in gaps {
                now = later(now, SignedDuration::from_secs(gap * 10));
                let slices = read(&mut reading, day(9), now, pages);
                let Some(first) = slices.first() else { continue };
                let begin = first.from;
                prop_assert!(begin <= covered.max(later(now, MARGIN - RETENTION)));
                for pair in slices.windows(2) {
                    prop_assert_eq!(pair[0].to, Some(pair[1].from));
                }
                prop_assert_eq!(slices.last().and_then(|slice| slice.to), None);
                covered = now;
            }
        }
    }
}
