//! What one pass read, changed and could not do. Filled as the pass goes, so that an early end
//! still says what was done.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::hold::StandingHold;
use crate::domain::id::PolicyName;
use crate::store::outcome::Tally;
use crate::store::read::Happening;

/// The report of a pass; its JSON is that of `cycle --format json`.
#[derive(Debug, Clone, Serialize)]
pub struct PassReport {
    /// The time that the pass decided by.
    pub as_of: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Rows read.
    pub read: Read,
    /// What happened to windows.
    pub windows: Windows,
    /// People flagged.
    pub flagged: u64,
    /// Flags taken back.
    pub released: u64,
    /// What happened to mails.
    pub deliveries: Deliveries,
    /// The holds that stand.
    pub holds: Vec<StandingHold>,
    /// What could not be done.
    pub errors: Vec<String>,
    /// What happened, one by one; only in a dry run, which leaves nothing to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<Vec<Happening>>,
    /// How many people, by policy, wait for their first sign-in; only in a dry run.
    #[serde(skip)]
    pub unasked: Vec<(PolicyName, u64)>,
    /// A source has more to tell than one pass reads.
    #[serde(skip)]
    pub unfinished: bool,
    /// Mails that wait for a budget and will be of no use when it is their turn.
    #[serde(skip)]
    pub late: u64,
}

/// Rows read in a pass.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Read {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Rows of the registration report.
    pub registrations: u64,
    /// Sign-ins.
    pub sign_ins: u64,
    /// Audit events.
    pub audits: u64,
    /// Rows that could not be read.
    pub quarantined: u64,
}

/// What happened to windows in a pass.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Windows {
    /// Opened.
    pub opened: u64,
    /// Closed because the person registered.
    pub closed: u64,
    /// Paused.
    pub paused: u64,
    /// Resumed.
    pub resumed: u64,
}

/// What happened to mails in a pass.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Deliveries {
    /// Queued.
    pub queued: u64,
    /// Accepted by the server.
    pub sent: u64,
    /// Refused for good.
    pub failed: u64,
    /// Outcome lost.
    pub ambiguous: u64,
    /// Mails that are due and wait for a budget.
    pub waiting: u64,
    /// When the last of them could go, by the budgets alone.
    pub waits_until: Option<Timestamp>,
}

impl PassReport {
    /// An empty report.
    #[must_use]
    pub fn new(as_of: Timestamp) -> Self {
        Self {
            as_of,
            duration_ms: 0,
            read: Read::default(),
            windows: Windows::default(),
            flagged: 0,
            released: 0,
            deliveries: Deliveries::default(),
            holds: Vec::new(),
            errors: Vec::new(),
            would: None,
            unasked: Vec::new(),
            unfinished: false,
            late: 0,
        }
    }

    /// Adds what a committed batch changed.
    pub fn add(&mut self, tally: Tally) {
        self.windows.opened += tally.opened;
        self.windows.closed += tally.closed;
        self.windows.paused += tally.paused;
        self.windows.resumed += tally.resumed;
        self.flagged += tally.flagged;
        self.released += tally.released;
        self.deliveries.queued += tally.queued;
    }

    /// Takes in what a look after this pass changed, and where that leaves the holds.
    pub fn follow(&mut self, look: Self) {
        self.windows.opened += look.windows.opened;
        self.windows.closed += look.windows.closed;
        self.windows.paused += look.windows.paused;
        self.windows.resumed += look.windows.resumed;
        self.flagged += look.flagged;
        self.released += look.released;
        self.deliveries.queued += look.deliveries.queued;
        self.holds = look.holds;
        for error in look.errors {
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
        }
    }

    /// Whether a person should look: something is held, or could not be done.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !self.holds.is_empty() || !self.errors.is_empty() || self.late > 0
    }
}

/// How far a pass is, for progress bars and for the watchdog: it counts what was finished, so a
/// pass that hangs stands still.
#[derive(Debug, Default)]
pub struct Progress {
    beats: AtomicU64,
    /// The last pass failed.
    is_failing: AtomicBool,
    /// How much is being read or sent.
    outside: AtomicU64,
    rows: AtomicU64,
    people: AtomicU64,
    mails: AtomicU64,
}

impl Progress {
    /// Rows were absorbed.
    pub fn absorbed(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.beat();
    }

    /// People were decided about.
    pub fn decided(&self, people: usize) {
        self.people.fetch_add(people as u64, Ordering::Relaxed);
        self.beat();
    }

    /// Mails were settled.
    pub fn settled(&self, mails: usize) {
        self.mails.fetch_add(mails as u64, Ordering::Relaxed);
        self.beat();
    }

    /// Something was finished.
    pub fn beat(&self) {
        if !self.is_failing.load(Ordering::Relaxed) {
            self.beats.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Passes fail, or do so no more: what a pass reads that fails at the end is no progress (rule 7.29).
    pub fn fails(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }

    /// Something is read or sent until the guard goes: meanwhile only what comes of it is progress,
    /// however well everything else goes (rule 7.29).
    pub fn outside(&self) -> Outside<'_> {
        self.outside.fetch_add(1, Ordering::Relaxed);
        Outside(self)
    }

    /// A look found nothing to do, or did it: progress, unless something is being read or sent.
    pub fn looked(&self) {
        if self.outside.load(Ordering::Relaxed) == 0 {
            self.beat();
        }
    }

    /// How often something was finished.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Rows absorbed, people decided about, mails settled.
    pub fn counts(&self) -> (u64, u64, u64) {
        (
            self.rows.load(Ordering::Relaxed),
            self.people.load(Ordering::Relaxed),
            self.mails.load(Ordering::Relaxed),
        )
    }
}

/// Something that is being read or sent.
#[derive(Debug)]
#[must_use]
pub struct Outside<'a>(&'a Progress);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.outside.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_while_passes_fail_is_no_progress() {
        let progress = Progress::default();
        progress.fails(true);
        progress.absorbed(7);
        progress.decided(7);
        progress.looked();
        assert_eq!((progress.beats(), progress.counts()), (0, (7, 7, 0)));
        progress.fails(false);
        progress.looked();
        assert_eq!(progress.beats(), 1);
    }
}
