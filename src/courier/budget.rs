//! When mails that wait may go, by the budgets alone (rule 5.12). Pure: what left is told, and so is the time.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::config::Budgets;
use crate::domain::window::later;

/// The longest time over which a budget counts.
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(24);

impl Budgets {
    /// So many in any stretch of that length.
    pub(super) fn limits(self) -> impl Iterator<Item = (u32, SignedDuration)> {
        let per_minute = self.per_minute.zip(Some(SignedDuration::from_mins(1)));
        per_minute
            .into_iter()
            .chain(self.per_day.zip(Some(LONGEST)))
    }
}

/// The moments at which one mail after the other may leave, where these left within [`LONGEST`],
/// oldest first. There is no end to them, unless a budget lets nothing leave at all.
pub(super) fn turns(
    budgets: Budgets,
    left: impl IntoIterator<Item = Timestamp>,
    now: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let mut left: VecDeque<Timestamp> = left.into_iter().collect();
    let limits: Vec<(usize, SignedDuration)> = budgets
        .limits()
        .map(|(limit, length)| (usize::try_from(limit).unwrap_or(usize::MAX), length))
        .collect();
    let most = limits.iter().map(|(limit, _)| *limit).max().unwrap_or(0);
    let mut turn = now;
    std::iter::from_fn(move || {
        for (limit, length) in &limits {
            if *limit == 0 {
                return None;
            }
            let place = left.len().checked_sub(*limit);
            if let Some(before) = place.and_then(|place| left.get(place)) {
                turn = turn.max(later(*before, *length));
            }
        }
        left.push_back(turn);
        while left.len() > most {
            left.pop_front();
        }
        Some(turn)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn seconds(budgets: Budgets, left: &[i64], now: i64, mails: usize) -> Vec<i64> {
        let left = left.iter().map(|second| at(*second));
        let turns = turns(budgets, left, at(now)).take(mails);
        turns.map(Timestamp::as_second).collect()
    }

    const TWO_A_MINUTE: Budgets = Budgets {
        per_minute: Some(2),
        per_day: None,
    };

    #[test]
    fn without_budgets_everything_may_go_now() {
        assert_eq!(seconds(Budgets::default(), &[99], 100, 3), [100, 100, 100]);
    }

    #[test]
    fn a_mail_goes_a_minute_after_the_one_whose_place_it_takes() {
        assert_eq!(
            seconds(TWO_A_MINUTE, &[], 100, 5),
            [100, 100, 160, 160, 220]
        );
        assert_eq!(seconds(TWO_A_MINUTE, &[50, 95], 100, 3), [110, 155, 170]);
        assert_eq!(seconds(TWO_A_MINUTE, &[1, 2, 3], 100, 3), [100, 100, 160]);
    }

    #[test]
    fn the_day_counts_beside_the_minute() {
        let both = Budgets {
            per_day: Some(3),
            ..TWO_A_MINUTE
        };
        let day = 86_400;
        assert_eq!(
            seconds(both, &[10], 100, 5),
            [100, 100, day + 10, day + 100, day + 100]
        );
    }

    #[test]
    fn a_budget_of_none_lets_nothing_leave() {
        let none = Budgets {
            per_day: Some(0),
            ..TWO_A_MINUTE
        };
        assert_eq!(seconds(none, &[], 100, 5), [0_i64; 0]);
    }
}
