//! The watch over the host's clock (rules R3 and 7.16). Pure: it is handed both readings.
//!
//! A clock that is set must not flag anybody. The wall clock is compared with the boot-time clock
//! of the same process, so a long suspend or a long pause between passes is no fault.

use jiff::{SignedDuration, Timestamp};

/// How far the clocks may part: well beyond what a time service corrects in steps, far below any
/// window.
pub const TOLERATED: SignedDuration = SignedDuration::from_mins(15);

/// One reading of the host's two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTime {
    /// What the host believes the time to be.
    pub wall: Timestamp,
    /// How long it has been up, suspends included.
    pub boot: SignedDuration,
}

/// Compares later readings with the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkewDetector {
    anchor: HostTime,
}

impl SkewDetector {
    /// Takes this reading as right.
    #[must_use]
    pub fn new(anchor: HostTime) -> Self {
        Self { anchor }
    }

    /// How far the wall clock has run ahead of the boot-time clock (behind it: negative).
    #[must_use]
    pub fn skew(&self, reading: HostTime) -> SignedDuration {
        let by_wall = reading.wall.duration_since(self.anchor.wall);
        let by_boot = reading.boot.saturating_sub(self.anchor.boot);
        by_wall.saturating_sub(by_boot)
    }

    /// The skew, if the clocks have parted by more than [`TOLERATED`].
    #[must_use]
    pub fn parted(&self, reading: HostTime) -> Option<SignedDuration> {
        let skew = self.skew(reading);
        (skew.abs() > TOLERATED).then_some(skew)
    }

    /// Takes the present clock as right from here on: an operator approved it.
    pub fn accept(&mut self, reading: HostTime) {
        self.anchor = reading;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall_s: i64, boot_s: i64) -> HostTime {
        HostTime {
            wall: Timestamp::from_second(1_800_000_000 + wall_s).unwrap(),
            boot: SignedDuration::from_secs(boot_s),
        }
    }

    #[test]
    fn a_set_clock_is_seen_until_it_is_back_or_accepted() {
        let mut detector = SkewDetector::new(reading(0, 500));
        for (wall, boot, parted) in [
            (3_600, 4_100, None),
            (86_400 * 30, 500 + 86_400 * 30, None),
            (900, 500, None),
            (901, 500, Some(901)),
            (-901, 500, Some(-901)),
            (600 + 14 * 86_400, 1_100, Some(14 * 86_400)),
            (700, 1_200, None),
        ] {
            let seen = detector.parted(reading(wall, boot));
            assert_eq!(seen, parted.map(SignedDuration::from_secs), "{wall} {boot}");
        }
        detector.accept(reading(14 * 86_400, 1_300));
        assert_eq!(detector.parted(reading(14 * 86_400 + 60, 1_360)), None);
    }
}
