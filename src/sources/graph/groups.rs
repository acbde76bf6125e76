//! Groups by their names, and who is below them.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::pages::Pages;
use crate::domain::id::{GroupId, UserId};
use crate::graph::{Ask, Client, GraphError, Trail};
use crate::sources::wire::{RowError, Scalar, parse};

/// So many rows has a page at least, as a rule.
const USUAL_ROWS: u64 = 100;

/// A group or a member, as far as it was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRow<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    display_name: Scalar<'a>,
}

impl Client {
    /// The groups that a name of the configuration means: an object id, or a display name.
    pub async fn groups_named(
        &self,
        name: &str,
    ) -> Result<BTreeSet<(GroupId, String)>, GraphError> {
        match object_id(name) {
            Some(id) => Ok(self.group(&id).await?.into_iter().collect()),
            None => self.all(Ask::groups_named(name), None, &|| {}, group).await,
        }
    }

    /// The group of an object id, if there is one.
    pub async fn group(&self, id: &GroupId) -> Result<Option<(GroupId, String)>, GraphError> {
        let ask = Ask::group(id);
        match self.object(&ask).await {
            Ok(row) => group(row.get().as_bytes())
                .map(Some)
                .map_err(|error| unreadable(&ask, &error)),
            Err(GraphError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The users below a group, or its direct members only: all of them, or an error. Somebody may
    /// leave while the list is read, so one that is shorter than its count is read once more.
    /// `before`: how many there were, by which a list is known that does not end; `beat` hears of
    /// each page.
    pub async fn members(
        &self,
        group: &GroupId,
        transitive: bool,
        before: Option<u64>,
        beat: &(impl Fn() + Sync),
    ) -> Result<BTreeSet<UserId>, GraphError> {
        let ask = Ask::members(group, transitive);
        match self.all(ask.clone(), before, beat, member).await {
            Err(GraphError::BrokenOff { .. }) => self.all(ask, before, beat, member).await,
            members => members,
        }
    }

    async fn all<T: Ord>(
        &self,
        ask: Ask,
        before: Option<u64>,
        beat: &(impl Fn() + Sync),
        read: fn(&[u8]) -> Result<T, RowError>,
    ) -> Result<BTreeSet<T>, GraphError> {
        let (mut all, mut next, mut counted) = (BTreeSet::new(), None, None);
        let mut trail = Trail::default();
        let last = before.map(|rows| u32::try_from(rows.div_ceil(USUAL_ROWS)).unwrap_or(u32::MAX));
        let mut pages = Pages::after(last);
        loop {
            let page = self.page(&ask.clone().at(next), &mut trail).await?;
            beat();
            if pages.read() {
                return Err(GraphError::Endless {
                    what: ask.what,
                    pages: pages.count(),
                });
            }
            for row in &page.rows {
                let row = read(row.get().as_bytes()).map_err(|error| unreadable(&ask, &error))?;
                all.insert(row);
            }
            counted = counted.or(page.counted);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        match counted {
            Some(counted) if all.len() < counted => Err(GraphError::BrokenOff {
                what: ask.what,
                counted,
                came: all.len(),
            }),
            _ => Ok(all),
        }
    }
}

/// Half a membership would let people out of an exclusion.
fn unreadable(ask: &Ask, error: &RowError) -> GraphError {
    GraphError::Malformed {
        what: ask.what,
        reason: error.to_string(),
    }
}

/// The object id that a name of the configuration is, if it is one; else it is a display name.
fn object_id(name: &str) -> Option<GroupId> {
    uuid::Uuid::try_parse(name.trim()).ok()?;
    GroupId::parse(name).ok()
}

fn group(raw: &[u8]) -> Result<(GroupId, String), RowError> {
    let row: ObjectRow<'_> = parse(raw)?;
    let id = row.id.text("id")?.ok_or(RowError::Missing("id"))?;
    let id = GroupId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
    let name = row.display_name.as_str().unwrap_or_default().to_owned();
    Ok((id, name))
}

fn member(raw: &[u8]) -> Result<UserId, RowError> {
    let row: ObjectRow<'_> = parse(raw)?;
    let id = row.id.text("id")?.ok_or(RowError::Missing("id"))?;
    UserId::parse(id).map_err(|why| RowError::Id { name: "id", why })
}
