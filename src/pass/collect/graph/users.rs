//! Users: everybody once, then whoever changed (`users/delta`).
//!
//! That somebody is gone is a doubt until Graph was asked for them by id: a delta repeats itself
//! in any order, and a reading of everybody may miss some. A mass of doubts is not
//! settled at all before an operator approves (rule 7.6).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Graph, dead_end, kept};
use crate::domain::brake::Size;
use crate::domain::id::UserId;
use crate::domain::person::Person;
use crate::domain::seen::Form;
use crate::errors::chain;
use crate::graph::{Ask, GraphError, Link, Page, Trail};
use crate::pass::collect::{CollectError, Collected, Collector, collapse};
use crate::report::PassReport;
use crate::sources::Quarantined;
use crate::sources::graph::Pages;
use crate::sources::wire::{self, Row, RowError, UserRow};
use crate::store::StoreError;
use crate::store::changes::{Headcount, UserPage, UsersRead};
use crate::store::people::Imported;
use crate::store::sources::Source;

/// Doubts that are settled in one transaction.
const SETTLED_AT_ONCE: usize = 100;

/// People whose rows cannot be believed, who are asked for in one pass; the others in the next ones.
const UNCLEAR_AT_ONCE: usize = 1_000;

/// Where the reading of users is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reading {
    /// The number of the last reading of everybody.
    part: i64,
    /// Whether this round reads everybody.
    everybody: bool,
    /// When this round began: so old are its facts.
    began_at: Timestamp,
    /// Whether the round is over, so that `link` leads to what will have changed.
    over: bool,
    /// Whether anybody was told of since a round was last accepted: if not, there are as many as
    /// then.
    told: bool,
    /// None: the next pass begins anew.
    link: Option<Link>,
    #[serde(default)]
    pages: Pages,
    /// Whose rows cannot be believed, although each may by itself: they are asked for by id.
    #[serde(default)]
    unclear: BTreeSet<UserId>,
}

/// A row of a page.
enum Told {
    Present(Person),
    Removed(UserId),
    /// The row lacks something, or what it says is none: Graph's changes need not be whole.
    Unclear(UserId),
}

impl Graph<'_> {
    pub(super) async fn users(
        &self,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let (mut begun_anew, mut trail) = (false, Trail::default());
        let patience = self.patience();
        let mut reading = match self.reading::<Reading>(Source::Users).await? {
            Some(mut reading) if reading.link.is_some() => {
                if reading.over {
                    reading.began_at = self.collector.now;
                    reading.over = false;
                    reading.pages.anew();
                }
                reading
            }
            endless => {
                let page = self.user_page(None, &mut trail).await?;
                let pages = endless.map(|reading| reading.pages);
                let mut reading = self.everybody(pages.unwrap_or_default()).await?;
                self.absorb_page(&mut reading, page, report).await?;
                reading
            }
        };
        while !reading.over {
            let page = match self.user_page(reading.link.clone(), &mut trail).await {
                Ok(page) => page,
                Err(error) => {
                    if begun_anew || !self.is_users_link_dead(&error, &mut reading).await? {
                        return Err(error.into());
                    }
                    begun_anew = true;
                    trail = Trail::default();
                    // Where the beginning fails as well, the link may be good after all.
                    let page = self.user_page(None, &mut trail).await?;
                    tracing::warn!("{}: all users are read again", chain(&error));
                    reading = self.everybody(reading.pages).await?;
                    page
                }
            };
            self.absorb_page(&mut reading, page, report).await?;
            if !reading.over && patience.is_over(report) {
                collected.is_read_on(Source::Users);
                return Ok(());
            }
        }
        if reading.everybody {
            reading.everybody = false;
            reading.pages.whole();
            self.collector
                .store
                .doubt_absent(reading.part, &kept(&reading))
                .await?;
        }
        self.settle(&mut reading, collected, report).await
    }

    /// Whether all users are to be read again, because the link has died; that it may have is
    /// remembered.
    async fn is_users_link_dead(
        &self,
        error: &GraphError,
        reading: &mut Reading,
    ) -> Result<bool, StoreError> {
        if error.is_of_the_link() {
            return Ok(true);
        }
        if !error.may_be_of_the_link() {
            return Ok(false);
        }
        let given_up = reading.pages.fail();
        // A round of which no page was read has not begun.
        let over = reading.pages.count() == 0;
        let reading = Reading {
            over,
            ..reading.clone()
        };
        let (store, nobody) = (self.collector.store, UserPage::default());
        store
            .absorb_users(reading.part, nobody, &kept(&reading))
            .await?;
        Ok(given_up)
    }

    async fn everybody(&self, mut pages: Pages) -> Result<Reading, StoreError> {
        let now = self.collector.now;
        let name = format!("graph {now}");
        pages.anew();
        Ok(Reading {
            part: self.collector.store.begin_users(&name, now).await?,
            everybody: true,
            began_at: now,
            over: false,
            told: false,
            link: None,
            pages,
            unclear: BTreeSet::new(),
        })
    }

    async fn user_page(&self, link: Option<Link>, trail: &mut Trail) -> Result<Page, GraphError> {
        let ask = Ask::users().at(link);
        let page = self.asked(self.client.page(&ask, trail)).await?;
        if page.next.is_none() && page.delta.is_none() {
            return Err(dead_end("users"));
        }
        Ok(page)
    }

    async fn absorb_page(
        &self,
        reading: &mut Reading,
        page: Page,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let (told, unbelieved) = self.facts(Source::Users, &page, told, report).await?;
        report.read.users += told.len() as u64;
        reading.told |= !told.is_empty();
        let unbelieved = unbelieved.iter().filter_map(|id| UserId::parse(id).ok());
        let mut users = UserPage {
            unbelieved: unbelieved.collect(),
            ..UserPage::default()
        };
        for row in told {
            match row {
                Told::Present(person) => users.people.push(person),
                Told::Removed(id) => users.removed.push(id),
                Told::Unclear(id) => {
                    reading.unclear.insert(id.clone());
                    users.unbelieved.push(id);
                }
            }
        }
        reading.over = page.next.is_none();
        reading.link = page.next.or(page.delta);
        let endless = reading.pages.read() && !reading.over;
        if endless {
            reading.link = None;
        }
        self.collector
            .store
            .absorb_users(reading.part, users, &kept(reading))
            .await?;
        if endless {
            return Err(super::endless("users", &reading.pages).into());
        }
        Ok(())
    }

    /// Asks for each of the doubted by id, unless they are too many to be believed.
    async fn settle(
        &self,
        reading: &mut Reading,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let store = self.collector.store;
        let doubted = store.doubted_users().await?;
        if !doubted.is_empty()
            && let Some(seen) = self.collapse(store.headcount().await?).await?
        {
            collected
                .holds
                .extend(collapse(Source::Users, &seen, Form::Directory));
            return Ok(());
        }
        let unclear: BTreeSet<UserId> = {
            let some = reading.unclear.iter().take(UNCLEAR_AT_ONCE);
            some.cloned().collect()
        };
        let asked: BTreeSet<UserId> = doubted.into_iter().chain(unclear.clone()).collect();
        let ids: Vec<UserId> = asked.into_iter().collect();
        let mut aside = self.ask_for(&ids, reading.part).await?;
        // Whoever is doubted is asked for in every pass: once is enough to name them.
        aside.retain(|(id, _)| unclear.contains(id));
        reading.unclear.retain(|id| !unclear.contains(id));
        let count = aside.len() as u64;
        let aside = aside.into_iter().map(|(id, error)| Quarantined {
            file: format!("Graph: users/{id}"),
            line: 1,
            reason: error.to_string(),
        });
        self.collector
            .note_quarantined(Source::Users, aside.collect(), count, report)
            .await?;
        let read = UsersRead {
            part: reading.part,
            as_of: reading.began_at.min(self.collector.now),
            differs: reading.told || !ids.is_empty(),
        };
        let accepted = Reading {
            told: false,
            ..reading.clone()
        };
        Ok(store
            .accept_users(read, &kept(&accepted), self.collector.now)
            .await?)
    }

    /// Asks for people by id: who is there, and who is not. Of some what it answers cannot be believed
    /// either: who, and why.
    async fn ask_for(
        &self,
        ids: &[UserId],
        part: i64,
    ) -> Result<Vec<(UserId, RowError)>, CollectError> {
        let store = self.collector.store;
        let mut aside = Vec::new();
        for ids in ids.chunks(SETTLED_AT_ONCE) {
            let (mut present, mut unreadable, mut gone) = (Vec::new(), Vec::new(), Vec::new());
            for id in ids {
                match self.asked(self.client.object(&Ask::user(id))).await {
                    Ok(row) => match wire::user(row.get().as_bytes()) {
                        Ok(Row::Fact(person)) => present.push(person),
                        // They are there, whatever else their row says.
                        Ok(Row::Skipped(_)) => unreadable.push(id.clone()),
                        Err(error) => {
                            unreadable.push(id.clone());
                            aside.push((id.clone(), error));
                        }
                    },
                    Err(GraphError::NotFound { .. }) => gone.push(id.clone()),
                    Err(error) => return Err(error.into()),
                }
            }
            store
                .settle_doubts(part, present, &unreadable, &gone, self.collector.now)
                .await?;
        }
        Ok(aside)
    }

    /// Who is gone, and whom something newer names that this pass has read, is asked for by id: a
    /// delta need not tell of somebody who was restored (rule T15). What fails is for the next pass.
    pub(super) async fn ask_for_named(&self) -> Result<(), StoreError> {
        let Collector { store, now, .. } = *self.collector;
        let named = store.doubt_gone_who_are_named(now).await?;
        let Some(reading) = self.reading::<Reading>(Source::Users).await? else {
            return Ok(());
        };
        match self.ask_for(&named, reading.part).await {
            Err(CollectError::Store(error)) => Err(error),
            Err(CollectError::Source(error)) => {
                tracing::warn!("asking for people who may be back: {}", chain(&error));
                Ok(())
            }
            Ok(_) | Err(CollectError::CutShort | CollectError::Reader) => Ok(()),
        }
    }

    /// What would be left, if that is too little to be believed.
    async fn collapse(&self, heads: Headcount) -> Result<Option<Imported>, StoreError> {
        let size = Size {
            rows: heads.present.saturating_sub(heads.doubted),
            kept: heads.accepted.saturating_sub(heads.doubted),
        };
        let (approved, before) = (self.collector.approved_size(Source::Users), heads.accepted);
        let Collector { store, now, .. } = *self.collector;
        let collapsed = store.has_collapsed(before, size, approved, now).await?;
        Ok(collapsed.then_some(Imported::Collapsed { before, size }))
    }
}

fn told(raw: &[u8]) -> Result<Row<Told>, RowError> {
    let row: UserRow<'_> = wire::parse(raw)?;
    if row.removed.is_present() {
        let id = row.id.text("id")?.ok_or(RowError::Missing("id"))?;
        let id = UserId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
        return Ok(Row::Fact(Told::Removed(id)));
    }
    Ok(match row.person() {
        Ok(Row::Fact(person)) => Row::Fact(Told::Present(person)),
        Ok(Row::Skipped(why)) => Row::Skipped(why),
        Err(error) => {
            let id = row.id.as_str().and_then(|id| UserId::parse(id).ok());
            Row::Fact(Told::Unclear(id.ok_or(error)?))
        }
    })
}
