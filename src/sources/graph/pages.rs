//! When a reading of many pages does not end, and when the link at which it stopped is of no use
//! any more (rule 7.29).

use serde::{Deserialize, Serialize};

/// No reading of so many pages is too long.
const ALWAYS: u32 = 1_000;
/// A reading of so many times the pages of the last whole one does not end.
const TIMES_THE_LAST: u32 = 10;
/// Where none was whole yet: ten million people, a hundred on a page.
const OF_A_FIRST: u32 = 100_000;
/// In so many passes a link may fail; then the reading begins anew.
pub(super) const PASSES: u32 = 3;

/// How far a reading is, kept between passes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pages {
    /// Pages so far.
    read: u32,
    /// Pages of the last whole reading.
    last: Option<u32>,
    /// Passes in which the present link failed.
    failed: u32,
}

/// How many pages a reading may have, by those of the last whole one.
pub(super) fn at_most(last: Option<u32>) -> u32 {
    last.map_or(OF_A_FIRST, |last| {
        last.saturating_mul(TIMES_THE_LAST).max(ALWAYS)
    })
}

impl Pages {
    /// A reading that begins, after a whole one of so many pages.
    #[must_use]
    pub fn after(last: Option<u32>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// A page was read. Whether the reading is longer than any that ends.
    pub fn read(&mut self) -> bool {
        self.read = self.read.saturating_add(1);
        self.failed = 0;
        self.read > at_most(self.last)
    }

    /// How many pages were read.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.read
    }

    /// The reading is whole: later ones are measured by it.
    pub fn whole(&mut self) {
        self.last = Some(self.read);
        self.anew();
    }

    /// It begins anew.
    pub fn anew(&mut self) {
        self.read = 0;
    }

    /// The link failed in this pass. Whether it is given up.
    pub fn fail(&mut self) -> bool {
        self.failed = self.failed.saturating_add(1);
        self.failed >= PASSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_endless_beyond_ten_times_the_last_and_never_below_a_thousand_pages() {
        for (last, most) in [(None, OF_A_FIRST), (Some(1), 1_000), (Some(250), 2_500)] {
            let mut pages = Pages::after(last);
            let ends = (1..=most).filter(|_| !pages.read()).count();
            assert_eq!((ends, pages.read()), (most as usize, true), "{last:?}");
            pages.anew();
            assert!(!pages.read(), "it may begin anew");
        }
        let mut pages = Pages::default();
        for _ in 0..300 {
            pages.read();
        }
        pages.whole();
        assert_eq!((pages.last, pages.count()), (Some(300), 0));
    }

    #[test]
    fn a_link_is_given_up_in_the_third_pass_in_a_row_in_which_it_fails() {
        let mut pages = Pages::default();
        assert_eq!([pages.fail(), pages.fail()], [false, false]);
        pages.read();
        let given_up: Vec<bool> = (0..4).map(|_| pages.fail()).collect();
        assert_eq!(given_up, [false, false, true, true]);
    }
}
