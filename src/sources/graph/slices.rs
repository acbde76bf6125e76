//! How a log is read: in slices of time, again and again over a stretch that was read before.
//!
//! Events come late, in any order, and change after they came, so what was read is
//! never taken for complete: every pass goes back an hour, and once a day and after an outage the
//! last three days are read again. The trap is the newest event: whoever continues *there* loses
//! what comes late. The other trap is the three days: of a million people they are many hours of
//! reading, so they have a run of their own, and the newest events never wait for it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::pages::{self, PASSES};
use crate::domain::window::later;
use crate::graph::Link;

/// Every pass reads this much again; where that is many pages, one pass an hour does, and the
/// others so much.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
const SHORT_OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// Pages of one run that a large tenant's overlap is shortened from.
const MANY_PAGES_OF_A_RUN: u32 = 30;
/// Events younger than this are read, and read again.
const SETTLE: SignedDuration = SignedDuration::from_mins(2);
/// Once in this time, and after an outage of six hours, three days are read again.
const DEEP_EVERY: SignedDuration = SignedDuration::from_hours(24);
const OUTAGE: SignedDuration = SignedDuration::from_hours(6);
const DEEP: SignedDuration = SignedDuration::from_hours(72);
/// How long Entra keeps logs with a P1 or P2 licence, and without one.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
const RETENTION_FREE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The oldest hour of what is kept may go while it is being read.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);
/// The finest slice (rule 7.21), the first, and the longest.
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
    /// From where the last deep run went back.
    deep_from: Option<Timestamp>,
    /// Where the first reading began, or a later one that went back further.
    #[serde(default)]
    begun_from: Option<Timestamp>,
    /// By which table of result codes its rows were kept.
    #[serde(default)]
    kept_by: Option<String>,
    /// Another table came since: all is to be read again, as far as the log reaches.
    #[serde(default)]
    again: bool,
    /// How long a slice is at present.
    slice_s: i64,
    /// How long the service keeps its logs, as far as it has shown.
    kept_s: i64,
    /// The last recent run that went back the whole overlap, and the pages it took.
    wide: Option<(Timestamp, u32)>,
    /// The pages of the last whole slice, and its length in seconds.
    #[serde(default)]
    last_slice: Option<(u32, i64)>,
    recent: Option<Run>,
    deep: Option<Run>,
}

/// Which of the two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// From an hour before the last pass to the newest there is.
    Recent,
    /// What lies before that: the last three days, or all that a first reading goes back.
    Deep,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    until: Timestamp,
    /// Of all its slices.
    pages: u32,
    /// A recent run that goes back the whole overlap.
    is_wide: bool,
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
    /// Passes in which the link failed.
    #[serde(default)]
    failed: u32,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            covered_to: None,
            deep_from: None,
            begun_from: None,
            kept_by: None,
            again: false,
            slice_s: FIRST.as_secs(),
            kept_s: RETENTION.as_secs(),
            wide: None,
            last_slice: None,
            recent: None,
            deep: None,
        }
    }
}

impl Reading {
    /// The slice to go on with, if there is anything to read now. `begin` is where a first
    /// reading begins.
    pub fn slice(&mut self, depth: Depth, begin: Timestamp, now: Timestamp) -> Option<Slice> {
        let begin = if self.is_dated_after(now) {
            self.begin_anew();
            self.begun_from = Some(begin);
            self.oldest(now)
        } else {
            begin
        };
        if depth == Depth::Recent && self.recent.is_none() {
            self.recent = self.plan_recent(begin, now);
            if self.recent.is_some() {
                self.plan_deep(begin, now);
            }
        }
        self.run(depth).as_ref().map(|run| run.slice.clone())
    }

    /// Which rows are kept goes by this table: another one than before has the log read again
    /// (rule 7.30).
    pub fn keep_by(&mut self, table: String) {
        self.again |= self.kept_by.as_ref().is_some_and(|before| *before != table);
        self.kept_by = Some(table);
    }

    /// Everything before this was read.
    #[must_use]
    pub fn covered_to(&self) -> Option<Timestamp> {
        self.covered_to
    }

    /// Whether there is more to read of the run.
    #[must_use]
    pub fn is_under_way(&self, depth: Depth) -> bool {
        match depth {
            Depth::Recent => self.recent.is_some(),
            Depth::Deep => self.deep.is_some(),
        }
    }

    /// A page of the slice was read, and this one comes next. Of a slice with more pages than any that
    /// ends (rule 7.29), how many it had: it begins anew, and half as long.
    pub fn page_read(&mut self, depth: Depth, next: Option<Link>, now: Timestamp) -> Option<u32> {
        let mut run = self.run(depth).take()?;
        run.slice.pages += 1;
        run.slice.failed = 0;
        run.pages += 1;
        if next.is_some() {
            let pages = run.slice.pages;
            let is_endless = pages > self.pages_at_most(&run.slice, now);
            run.slice.link = next;
            *self.run(depth) = Some(run);
            if is_endless {
                self.restart_slice(depth);
                return Some(pages);
            }
            return None;
        }
        self.last_slice = Some((run.slice.pages, length(&run.slice, now)));
        self.adapt(run.slice.pages);
        let end = run.slice.to.unwrap_or(run.until);
        if end < run.until {
            run.slice = self.slice_from(depth, end, run.until);
            *self.run(depth) = Some(run);
            return None;
        }
        if depth == Depth::Recent {
            self.covered_to = self.covered_to.max(Some(run.until));
            if run.is_wide {
                self.wide = Some((run.until, run.pages));
            }
        }
        None
    }

    /// The link of the slice failed in this pass. Whether it is given up.
    pub fn link_failed(&mut self, depth: Depth) -> bool {
        self.run(depth).as_mut().is_some_and(|run| {
            run.slice.failed += 1;
            run.slice.failed >= PASSES
        })
    }

    /// How many pages a slice may have, by those of the last whole one.
    fn pages_at_most(&self, slice: &Slice, now: Timestamp) -> u32 {
        pages::at_most(self.last_slice.map(|(pages, seconds)| {
            let times = (length(slice, now) / seconds.max(1)).max(1);
            pages.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
        }))
    }

    /// The paging of the slice broke: it begins anew, and half as long. Whether there is any
    /// sense in that.
    pub fn restart_slice(&mut self, depth: Depth) -> bool {
        self.slice_s = (self.slice_s / 2).max(SHORTEST.as_secs());
        let Some(mut run) = self.run(depth).take() else {
            return false;
        };
        run.restarts += 1;
        run.slice = self.slice_from(depth, run.slice.from, run.until);
        let sensible = run.restarts <= RESTARTS;
        if !sensible {
            // The next pass begins with a clean count.
            run.restarts = 0;
        }
        *self.run(depth) = Some(run);
        sensible
    }

    /// The service does not keep what was asked for: the reading goes on where the logs of a
    /// tenant without a licence begin. Whether that changes anything.
    pub fn too_old(&mut self, depth: Depth, now: Timestamp) -> bool {
        let oldest = later(now, MARGIN - RETENTION_FREE);
        let Some(mut run) = self.run(depth).take_if(|run| run.slice.from < oldest) else {
            return false;
        };
        self.kept_s = RETENTION_FREE.as_secs();
        run.slice = self.slice_from(depth, oldest, run.until);
        *self.run(depth) = Some(run);
        true
    }

    /// Whether a clock that was ahead dated it: then nobody knows what was read (rule 7.16).
    fn is_dated_after(&self, now: Timestamp) -> bool {
        let runs = self.recent.iter().chain(&self.deep).map(|run| run.until);
        let read = self.covered_to.into_iter().chain(self.deep_from);
        runs.chain(read).any(|at| at > now)
    }

    /// All that the service keeps is read once more; what it has shown of itself stays known.
    fn begin_anew(&mut self) {
        *self = Self {
            slice_s: self.slice_s,
            kept_s: self.kept_s,
            kept_by: self.kept_by.take(),
            ..Self::default()
        };
    }

    fn run(&mut self, depth: Depth) -> &mut Option<Run> {
        match depth {
            Depth::Recent => &mut self.recent,
            Depth::Deep => &mut self.deep,
        }
    }

    fn plan_recent(&self, begin: Timestamp, now: Timestamp) -> Option<Run> {
        let until = later(now, -SETTLE);
        let is_wide = self.wide.is_none_or(|(at, pages)| {
            pages <= MANY_PAGES_OF_A_RUN || until.duration_since(at) >= OVERLAP
        });
        let from = match self.covered_to {
            None => begin.max(later(until, -OVERLAP)),
            Some(covered_to) if covered_to >= until => return None,
            Some(covered_to) if is_wide => later(covered_to, -OVERLAP),
            Some(covered_to) => later(covered_to, -SHORT_OVERLAP),
        };
        let from = from.max(self.oldest(now));
        Some(Run {
            is_wide,
            ..self.new_run(Depth::Recent, from, until)
        })
    }

    /// What lies before the stretch that this pass reads anyhow: of a first reading all of it,
    /// later three days when they are due, or all again where sign-ins count since earlier now. One
    /// such run ends before the next begins.
    fn plan_deep(&mut self, begin: Timestamp, now: Timestamp) {
        if self.deep.is_some() {
            return;
        }
        let since = |at: Timestamp| now.duration_since(at);
        let (from, end) = match self.covered_to {
            None => (begin, later(now, -SETTLE)),
            Some(covered_to) if self.again => (self.oldest(now), covered_to),
            Some(covered_to) if self.begun_from.is_some_and(|from| begin < from) => {
                (begin, covered_to)
            }
            Some(covered_to) => {
                let due = since(covered_to) >= OUTAGE
                    || self.deep_from.is_none_or(|at| since(at) >= DEEP_EVERY);
                if !due {
                    return;
                }
                (later(covered_to, -DEEP), covered_to)
            }
        };
        self.again = false;
        self.deep_from = Some(now);
        self.begun_from = Some(self.begun_from.map_or(begin, |from| from.min(begin)));
        let (from, until) = (from.max(self.oldest(now)), later(end, -OVERLAP));
        if from < until {
            self.deep = Some(self.new_run(Depth::Deep, from, until));
        }
    }

    fn oldest(&self, now: Timestamp) -> Timestamp {
        later(now, MARGIN - SignedDuration::from_secs(self.kept_s))
    }

    fn new_run(&self, depth: Depth, from: Timestamp, until: Timestamp) -> Run {
        Run {
            until,
            pages: 0,
            is_wide: false,
            restarts: 0,
            slice: self.slice_from(depth, from, until),
        }
    }

    fn slice_from(&self, depth: Depth, from: Timestamp, until: Timestamp) -> Slice {
        let to = later(from, SignedDuration::from_secs(self.slice_s));
        Slice {
            from,
            // The last slice of a recent run has no end, so that nothing falls between it and
            // the present.
            to: match depth {
                Depth::Recent => (to < until).then_some(to),
                Depth::Deep => Some(to.min(until)),
            },
            link: None,
            pages: 0,
            failed: 0,
        }
    }

    fn adapt(&mut self, pages: u32) {
        if pages > MANY_PAGES {
            self.slice_s = (self.slice_s / 2).max(SHORTEST.as_secs());
        } else if pages <= FEW_PAGES {
            self.slice_s = (self.slice_s * 2).min(LONGEST.as_secs());
        }
    }
}

/// The length of a slice in seconds.
fn length(slice: &Slice, now: Timestamp) -> i64 {
    let to = slice.to.unwrap_or(now);
    to.duration_since(slice.from).as_secs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::story::{day, hour};

    /// Reads all there is with so many pages per slice; the slices that were read.
    fn read(reading: &mut Reading, depth: Depth, now: Timestamp, pages: u32) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        while let Some(slice) = reading.slice(depth, BEGIN, now) {
            if slice.link.is_none() {
                slices.push(slice.clone());
            }
            let last = slice.pages + 1 >= pages;
            reading.page_read(depth, (!last).then(|| link("page")), now);
        }
        slices
    }

    fn pass(reading: &mut Reading, now: Timestamp) -> (Vec<Slice>, Vec<Slice>) {
        let recent = read(reading, Depth::Recent, now, 1);
        (recent, read(reading, Depth::Deep, now, 1))
    }

    fn link(text: &str) -> Link {
        serde_json::from_value(serde_json::Value::from(text)).unwrap()
    }

    const BEGIN: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn what_a_clock_that_was_ahead_dated_is_read_anew_as_far_back_as_the_service_keeps_it() {
        let mut reading = Reading::default();
        pass(&mut reading, day(10));
        pass(&mut reading, day(24));
        let (recent, deep) = pass(&mut reading, day(11));
        assert_eq!(recent[0].from, later(day(11), -SETTLE - OVERLAP));
        assert_eq!(deep[0].from, later(day(11), MARGIN - RETENTION));
        assert_eq!(deep.last().unwrap().to, Some(recent[0].from));
        assert_eq!(reading.covered_to(), Some(later(day(11), -SETTLE)));
        assert_eq!(pass(&mut reading, hour(11, 1)).1, []);
        // It broke off in the middle of a run.
        reading.slice(Depth::Recent, BEGIN, day(25));
        assert_eq!(pass(&mut reading, day(12)).0[0].to, None);
        assert_eq!(reading.covered_to(), Some(later(day(12), -SETTLE)));
    }

    #[test]
    fn case_1_every_pass_goes_back_an_hour_and_once_a_day_three_days_are_read_again() {
        let mut reading = Reading::default();
        let (first, deep) = pass(&mut reading, day(10));
        assert_eq!(first[0].from, later(day(10), -SETTLE - OVERLAP));
        assert_eq!(
            (first[0].to, deep[0].from),
            (None, BEGIN.max(later(day(-20), MARGIN)))
        );
        assert_eq!(deep.last().unwrap().to, Some(first[0].from));
        assert_eq!(reading.covered_to(), Some(later(day(10), -SETTLE)));
        // Ten minutes later.
        let now = later(day(10), SignedDuration::from_mins(10));
        let (recent, deep) = pass(&mut reading, now);
        let [slice] = &recent[..] else {
            panic!("{recent:?}")
        };
        assert_eq!(slice.from, later(day(10), -SETTLE - OVERLAP));
        assert_eq!((slice.to, deep.len()), (None, 0));
        for hours in 1..=23 {
            assert_eq!(pass(&mut reading, hour(10, hours)).1, []);
        }
        let (recent, deep) = pass(&mut reading, day(11));
        let covered_to = later(hour(10, 23), -SETTLE);
        assert_eq!(recent[0].from, later(covered_to, -OVERLAP));
        assert_eq!(deep[0].from, later(covered_to, -DEEP));
        assert_eq!(deep.last().unwrap().to, Some(later(covered_to, -OVERLAP)));
    }

    #[test]
    fn case_22_after_an_outage_a_pass_reads_the_outage_and_three_days() {
        let mut reading = Reading::default();
        pass(&mut reading, day(2));
        let (recent, deep) = pass(&mut reading, day(10));
        assert_eq!(recent[0].from, later(day(2), -SETTLE - OVERLAP));
        assert_eq!(deep[0].from, later(day(2), -SETTLE - DEEP));
        // Of what lies longer back than the service keeps, the last hour is not tried.
        let (recent, deep) = pass(&mut reading, day(60));
        assert_eq!(recent[0].from, later(day(30), MARGIN));
        assert_eq!(deep, []);
    }

    #[test]
    fn sign_ins_that_count_since_earlier_now_are_read_from_then_on_once() {
        let mut reading = Reading::default();
        let mut slices = |begin: Timestamp, now: Timestamp| {
            let mut slices = Vec::new();
            for depth in [Depth::Recent, Depth::Deep] {
                while let Some(slice) = reading.slice(depth, begin, now) {
                    slices.push(slice.from);
                    reading.page_read(depth, None, now);
                }
            }
            slices.into_iter().min()
        };
        slices(hour(9, 23), day(10));
        assert_eq!(slices(day(2), hour(10, 1)), Some(day(2)));
        let again = later(hour(10, 1), -SETTLE - OVERLAP);
        assert_eq!(slices(day(2), hour(10, 2)), Some(again));
    }

    #[test]
    fn another_table_of_result_codes_has_the_log_read_again_once() {
        let mut reading = Reading::default();
        reading.keep_by("one".to_owned());
        pass(&mut reading, day(40));
        for (hours, table, again) in [(1, "one", false), (2, "two", true), (3, "two", false)] {
            reading.keep_by(table.to_owned());
            let (_, deep) = pass(&mut reading, hour(40, hours));
            let oldest = later(hour(40, hours), MARGIN - RETENTION);
            let from = deep.first().map(|slice| slice.from);
            assert_eq!(from, again.then_some(oldest), "{table}");
        }
    }

    #[test]
    fn a_slice_that_does_not_end_begins_anew_and_halves() {
        let (mut reading, now) = (Reading::default(), day(5));
        pass(&mut reading, day(1));
        pass(&mut reading, day(2));
        let slice = reading.slice(Depth::Recent, BEGIN, now).unwrap();
        let length = reading.slice_s;
        let mut pages = 0;
        let endless = loop {
            pages += 1;
            if let Some(endless) = reading.page_read(Depth::Recent, Some(link("page")), now) {
                break endless;
            }
        };
        assert_eq!((pages, endless), (1_001, 1_001));
        let again = reading.slice(Depth::Recent, BEGIN, now).unwrap();
        assert_eq!((again.from, again.link), (slice.from, None));
        assert_eq!(reading.slice_s, length / 2);
    }

    #[test]
    fn the_newest_events_do_not_wait_for_three_days_to_be_read_again() {
        let mut reading = Reading::default();
        pass(&mut reading, day(10));
        read(&mut reading, Depth::Recent, day(11), 50);
        // One page of the three days, and the next pass.
        reading.slice(Depth::Deep, BEGIN, day(11)).unwrap();
        reading.page_read(Depth::Deep, Some(link("page")), day(11));
        let now = hour(11, 1);
        let recent = read(&mut reading, Depth::Recent, now, 1);
        assert_eq!(recent.last().unwrap().to, None);
        assert_eq!(reading.covered_to(), Some(later(now, -SETTLE)));
        let deep = reading.slice(Depth::Deep, BEGIN, now).unwrap();
        assert!(deep.link.is_some(), "it goes on where it was");
    }

    #[test]
    fn a_slice_is_as_long_as_a_few_pages_hold_and_never_finer_than_an_hour() {
        let mut quiet = Reading::default();
        for number in 1..4 {
            pass(&mut quiet, day(number));
        }
        let (recent, deep) = pass(&mut quiet, day(4));
        assert_eq!((recent.len(), deep.len()), (1, 1), "two questions a day");
        let mut busy = Reading::default();
        read(&mut busy, Depth::Recent, day(4), 50);
        let slices = read(&mut busy, Depth::Deep, day(4), 50);
        // The last one is what is left.
        let shortest = slices[..slices.len() - 1]
            .iter()
            .filter_map(|slice| Some(slice.to?.duration_since(slice.from)))
            .min();
        assert_eq!(shortest, Some(SHORTEST));
    }

    #[test]
    fn broken_paging_begins_the_slice_anew_and_halves_it() {
        let mut reading = Reading::default();
        pass(&mut reading, day(1));
        let now = day(5);
        let slice = reading.slice(Depth::Recent, BEGIN, now).unwrap();
        let length = reading.slice_s;
        reading.page_read(Depth::Recent, Some(link("page")), now);
        assert!(reading.restart_slice(Depth::Recent));
        let again = reading.slice(Depth::Recent, BEGIN, now).unwrap();
        assert_eq!((again.from, again.link), (slice.from, None));
        assert_eq!(reading.slice_s, length / 2);
        let tries = (0..20)
            .take_while(|_| reading.restart_slice(Depth::Recent))
            .count();
        assert_eq!(tries, RESTARTS as usize - 1, "a pass does not try for ever");
    }

    #[test]
    fn a_tenant_without_a_licence_keeps_seven_days() {
        let mut reading = Reading::default();
        reading.slice(Depth::Recent, BEGIN, day(30)).unwrap();
        assert!(reading.too_old(Depth::Deep, day(30)));
        let slice = reading.slice(Depth::Deep, BEGIN, day(30)).unwrap();
        assert_eq!(slice.from, later(day(23), MARGIN));
        let again = reading.too_old(Depth::Deep, day(30));
        assert!(!again, "if that is too old too, something else is wrong");
    }

    /// Pages of a log in which each person leaves five rows a day, in passes ten minutes apart:
    /// the newest, and what is read again.
    fn pages_of_a_day(people: i64) -> (i64, i64) {
        let rows = |slice: &Slice, now: Timestamp| {
            let length = slice.to.unwrap_or(now).duration_since(slice.from);
            length.as_secs() * people * 5 / 86_400
        };
        let mut reading = Reading::default();
        pass(&mut reading, day(9));
        let (mut recent, mut deep) = (0, 0);
        for number in 1..=144 {
            let now = later(day(9), SignedDuration::from_mins(10 * number));
            for (depth, pages) in [(Depth::Recent, &mut recent), (Depth::Deep, &mut deep)] {
                while let Some(slice) = reading.slice(depth, BEGIN, now) {
                    let all = (rows(&slice, now) + 998) / 999;
                    for page in 1..=all.max(1) {
                        *pages += 1;
                        reading.page_read(depth, (page < all).then(|| link("page")), now);
                    }
                }
            }
        }
        (recent, deep)
    }

    /// The service gives 43,200 answers a day for reports and logs. A day takes a page
    /// of the report for each thousand people and reading of it, and the two logs; the audit log
    /// is small.
    #[test]
    fn a_day_against_the_bucket() {
        for (people, reports_a_day, expected) in [
            (1_000, 24, (144, 15, 48, 0)),
            (100_000, 24, (3_744, 1_491, 2_424, 18)),
            // The report of a million people is for every few hours, or nothing else gets through.
            (1_000_000, 24, (15_264, 14_839, 24_048, 125)),
            (1_000_000, 4, (15_264, 14_839, 4_008, 79)),
        ] {
            let (recent, deep) = pages_of_a_day(people);
            let report = reports_a_day * ((people + 998) / 999);
            let percent = (recent + deep + report + 145) * 100 / 43_200;
            assert_eq!((recent, deep, report, percent), expected, "{people}");
        }
    }

    proptest! {
        /// Whatever the passes and pages, each stretch between two passes is read, and each day
        /// the three days before.
        #[test]
        fn nothing_is_left_out(gaps in prop::collection::vec(1_i64..40_000, 1..30), pages in 1_u32..9) {
            let mut reading = Reading::default();
            let (mut now, mut covered) = (day(10), None::<Timestamp>);
            for gap in gaps {
                now = later(now, SignedDuration::from_secs(gap * 10));
                let recent = read(&mut reading, Depth::Recent, now, pages);
                let deep = read(&mut reading, Depth::Deep, now, pages);
                let Some(first) = recent.first() else { continue };
                let oldest = later(now, MARGIN - RETENTION);
                let begins = deep.first().map_or(first.from, |slice| slice.from.min(first.from));
                prop_assert!(begins <= covered.unwrap_or(oldest).max(oldest));
                for pair in recent.windows(2).chain(deep.windows(2)) {
                    prop_assert_eq!(pair[0].to, Some(pair[1].from));
                }
                prop_assert_eq!(recent.last().and_then(|slice| slice.to), None);
                if let Some(last) = deep.last() {
                    prop_assert!(last.to >= Some(first.from), "nothing lies between the two");
                }
                covered = Some(now);
            }
        }
    }
}
