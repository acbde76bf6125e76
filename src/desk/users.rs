//! Who is where: one row per policy and person, in order of a key, as the newest decisions left
//! them.
//!
//! Rows are read a page at a time and merged where an order is made of several, so that a list
//! costs what is taken of it. Whoever takes a second page takes them all, most likely: from there
//! on the next is read while one is printed.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;
use unicode_normalization::UnicodeNormalization as _;

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::domain::state::State;
use crate::store::StoreError;
use crate::store::lists::{ListedPerson, Order, Wanted};

/// Rows of a page: the first is small, for who wants a few.
const FIRST_PAGE: u32 = 100;
/// The others amortise a look at an index.
const PAGE: u32 = 2_000;

/// In which order rows come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By the deadline of windows that run, as of the newest pass; whoever has none comes last.
    #[default]
    Deadline,
    /// By what comes next; whoever is not looked at again by time alone comes last.
    Next,
    /// By user principal name.
    Name,
    /// By object id.
    Id,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only these states; all if none is named.
    pub states: Vec<State>,
    /// Only this policy.
    pub policy: Option<String>,
    /// Only people a word of whose name, user principal name or mail begins with this, or whose id it is.
    pub search: Option<String>,
    /// Only people who cannot register.
    pub blocked: bool,
    /// Only people whom nobody can reach.
    pub unreachable: bool,
    /// The order.
    pub sort: Sort,
    /// At most so many.
    pub limit: Option<u64>,
}

/// A list that is being read.
pub struct Users<'a> {
    reader: &'a Reader,
    wanted: Arc<Wanted>,
    search: Option<String>,
    left: u64,
    /// What is still to be read: lanes that are merged, then the next ones.
    lanes: VecDeque<Vec<Lane>>,
}

/// Rows of one order.
struct Lane {
    order: Order,
    read: VecDeque<ListedPerson>,
    last: Option<ListedPerson>,
    ahead: Option<AbortOnDropHandle<Result<Vec<ListedPerson>, StoreError>>>,
    is_over: bool,
}

/// Begins a list.
pub async fn list(reader: &Reader, query: Query) -> Result<Users<'_>, DeskError> {
    if let Some(policy) = &query.policy {
        reader.knows_policy(policy)?;
    }
    if !reader.store.is_listed().await? {
        let text = "the database is of an earlier version, and the next pass writes anew who is where: ask again after it";
        return Err(DeskError::NotYet(text.to_owned()));
    }
    let mut policies = reader.policy_names();
    policies.retain(|name| {
        query
            .policy
            .as_ref()
            .is_none_or(|only| only == name.as_str())
    });
    Ok(Users {
        reader,
        wanted: Arc::new(Wanted {
            policies,
            states: query.states,
            blocked: query.blocked,
            unreached: query.unreachable,
        }),
        search: query.search.map(|text| folded(&text)),
        left: query.limit.unwrap_or(u64::MAX),
        lanes: lanes(query.sort),
    })
}

fn lanes(sort: Sort) -> VecDeque<Vec<Lane>> {
    let orders: &[&[Order]] = match sort {
        Sort::Deadline => &[&[Order::Deadline, Order::Moving], &[Order::NoDeadline]],
        Sort::Next => &[&[Order::Next], &[Order::NoNext]],
        Sort::Name => &[&[Order::Name]],
        Sort::Id => &[&[Order::Id]],
    };
    let lanes = orders.iter().map(|merged| {
        let lanes = merged.iter().map(|order| Lane {
            order: *order,
            read: VecDeque::new(),
            last: None,
            ahead: None,
            is_over: false,
        });
        lanes.collect()
    });
    lanes.collect()
}

impl Users<'_> {
    /// The next row.
    pub async fn next(&mut self) -> Result<Option<PersonView>, DeskError> {
        while self.left > 0 {
            let Some(person) = self.next_listed().await? else {
                return Ok(None);
            };
            let mut row = PersonView::of_list(person, self.reader.now);
            row.next = self.reader.upcoming(row.next);
            if self.search.as_ref().is_none_or(|text| fits(&row, text)) {
                self.left -= 1;
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The first of what the merged lanes have next.
    async fn next_listed(&mut self) -> Result<Option<ListedPerson>, DeskError> {
        let now = self.reader.now;
        while let Some(merged) = self.lanes.front_mut() {
            for lane in merged.iter_mut().filter(|lane| lane.read.is_empty()) {
                lane.fill(self.reader, &self.wanted, self.left).await?;
            }
            let first = merged
                .iter_mut()
                .filter(|lane| !lane.read.is_empty())
                .min_by(|a, b| place(a, now).cmp(&place(b, now)));
            if let Some(lane) = first {
                return Ok(lane.read.pop_front());
            }
            self.lanes.pop_front();
        }
        Ok(None)
    }
}

impl Lane {
    /// Reads the next page, of which `left` rows are wanted at most.
    async fn fill(
        &mut self,
        reader: &Reader,
        wanted: &Arc<Wanted>,
        left: u64,
    ) -> Result<(), DeskError> {
        if self.is_over {
            return Ok(());
        }
        let is_first = self.last.is_none();
        let (rows, limit) = if let Some(ahead) = self.ahead.take() {
            let rows = ahead
                .await
                .unwrap_or_else(|broken| resume_unwind(broken.into_panic()));
            (rows?, PAGE)
        } else {
            let usual = if is_first { FIRST_PAGE } else { PAGE };
            let limit = u32::try_from(left).unwrap_or(usual).min(usual);
            (self.page(reader, wanted, limit).await?, limit)
        };
        self.is_over = rows.len() < limit as usize;
        self.last = rows.last().cloned();
        self.read = rows.into();
        if !is_first && !self.is_over {
            let page = self.page(reader, wanted, PAGE);
            self.ahead = Some(AbortOnDropHandle::new(tokio::spawn(page)));
        }
        Ok(())
    }

    fn page(
        &self,
        reader: &Reader,
        wanted: &Arc<Wanted>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ListedPerson>, StoreError>> + Send + 'static {
        let (store, wanted) = (reader.store.clone(), Arc::clone(wanted));
        let (order, now, after) = (self.order, reader.now, self.last.clone());
        async move { store.list(&wanted, order, now, after.as_ref(), limit).await }
    }
}

/// What lanes are merged by: of several there are only those with a deadline.
fn place(lane: &Lane, now: Timestamp) -> Option<(Option<Timestamp>, &str, &str)> {
    let first = lane.read.front()?;
    let window = first.listed.window.as_ref();
    let deadline = window.and_then(|window| window.deadline_at(now));
    Some((deadline, &first.id, &first.policy))
}

fn fits(row: &PersonView, text: &str) -> bool {
    let fields = [
        Some(&row.user_principal_name),
        row.display_name.as_ref(),
        row.mail.as_ref(),
    ];
    row.id == text
        || fields
            .into_iter()
            .flatten()
            .any(|field| begins_a_word(&folded(field), text))
}

/// A name as names are compared: a letter and its accent may be one character or two.
fn folded(text: &str) -> String {
    text.trim().nfc().collect::<String>().to_lowercase()
}

/// Whether a word of a text begins with another text.
fn begins_a_word(text: &str, beginning: &str) -> bool {
    let mut before = None;
    text.char_indices().any(|(at, c)| {
        let is_first = !before.replace(c).is_some_and(char::is_alphanumeric);
        is_first && text[at..].starts_with(beginning)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_and_its_accent_may_be_written_as_one_or_as_two() {
        for (text, beginning) in [
            ("Zo\u{eb} Braun", "zoe\u{308}"),
            ("Zoe\u{308} Braun", "ZO\u{cb}"),
            ("Zoe\u{308} Braun", "zoe\u{308} "),
        ] {
            assert!(begins_a_word(&folded(text), &folded(beginning)), "{text}");
        }
        assert!(!begins_a_word(&folded("Zo\u{eb}"), &folded("zoe")));
    }

    #[test]
    fn a_search_finds_beginnings_of_words() {
        for (text, beginning, fits) in [
            ("goran jansen26", "jan", true),
            ("goran jansen26", "goran j", true),
            ("goran jansen26", "ansen", false),
            ("goran.jansen26@contoso.example", "jansen26@", true),
            ("goran.jansen26@contoso.example", "contoso", true),
            ("o'neil", "neil", true),
            ("李小龍", "小", false),
            ("李 小龍", "小", true),
            ("", "a", false),
            ("ana", "", true),
        ] {
            assert_eq!(
                begins_a_word(text, beginning),
                fits,
                "{beginning} in {text}"
            );
        }
    }
}
