//! A group with its members, as a listing with expanded members, a delta query or the file
//! contract spells it.

use serde::Deserialize;

use super::{Entry, Row, RowError, Scalar, Who, parse};
use crate::domain::id::{GroupId, UserId};
use crate::sources::Skip;

/// The properties of a group that count.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct GroupRow<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub display_name: Scalar<'a>,
    #[serde(borrow)]
    pub members: Entry<'a, MemberObject<'a>>,
    #[serde(borrow, rename = "members@delta")]
    pub members_delta: Entry<'a, MemberObject<'a>>,
    #[serde(borrow, rename = "members@odata.nextLink")]
    pub more_members: Scalar<'a>,
    #[serde(borrow, rename = "@removed")]
    pub removed: Scalar<'a>,
}

/// A member that is spelt as an object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct MemberObject<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub user_principal_name: Scalar<'a>,
    #[serde(borrow, rename = "@odata.type")]
    pub odata_type: Scalar<'a>,
    #[serde(borrow, rename = "@removed")]
    pub removed: Scalar<'a>,
}

/// A group of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The join key.
    pub id: GroupId,
    /// For names in assignments, as the directory spells it.
    pub name: Option<String>,
    /// Direct members; groups may nest, also in circles.
    pub members: Vec<Member>,
    /// The row is of a delta query, which spreads a large group over several rows: they add
    /// up. Of other rows with one id the later counts.
    pub adds_up: bool,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// A person.
    User(Who),
    /// A nested group.
    Group(GroupId),
    /// An object id that the row does not tell apart: a person's or a group's.
    Either(UserId),
}

/// Reads one group.
pub fn group(raw: &[u8]) -> Result<Row<Group>, RowError> {
    parse::<GroupRow<'_>>(raw)?.group()
}

impl GroupRow<'_> {
    /// The group. One wrong member makes the row wrong: a membership that is read in part
    /// could ask or spare the wrong people.
    pub fn group(&self) -> Result<Row<Group>, RowError> {
        if self.removed.is_present() {
            return Ok(Row::Skipped(Skip::Removed));
        }
        let id = self.id.text("id")?.ok_or(RowError::Missing("id"))?;
        let id = GroupId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
        if self.more_members.is_present() {
            return Err(RowError::MembersCut);
        }
        let all = self
            .members
            .items()
            .iter()
            .chain(self.members_delta.items());
        let mut members = Vec::new();
        for entry in all {
            members.extend(members_of(entry)?);
        }
        let name = self.display_name.as_str().map(str::trim);
        Ok(Row::Fact(Group {
            id,
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
            members,
            adds_up: self.members_delta.is_present(),
        }))
    }

    /// Whether the row tells members at all, if only that there are none.
    #[must_use]
    pub fn tells_members(&self) -> bool {
        self.members.is_present() || self.members_delta.is_present()
    }
}

/// The member; none for a device, a service principal or a removed one. A text may be a list that a
/// tool joined: no id or name has a blank.
fn members_of(entry: &Entry<'_, MemberObject<'_>>) -> Result<Vec<Member>, RowError> {
    match entry {
        Entry::Scalar(scalar) => {
            let text = scalar.text("members")?.unwrap_or_default().trim();
            if text.is_empty() {
                return Err(RowError::Missing("members"));
            }
            if text.contains(['{', '}', '[', ']', '=', '"']) {
                return Err(RowError::no_list("members", text));
            }
            let names = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|'));
            let names = names.filter(|name| !name.is_empty());
            names
                .map(|name| {
                    Ok(if name.contains('@') {
                        Member::User(Who::Upn(name.to_owned()))
                    } else {
                        Member::Either(member_id(name)?)
                    })
                })
                .collect()
        }
        Entry::Object(object) => Ok(object.member()?.into_iter().collect()),
        Entry::List(_) => Err(RowError::Wrong {
            name: "members",
            expected: "a list of object ids, user principal names or objects",
            found: "a list in a list".to_owned(),
        }),
    }
}

fn member_id(id: &str) -> Result<UserId, RowError> {
    UserId::parse(id).map_err(|why| RowError::Id {
        name: "members",
        why,
    })
}

impl MemberObject<'_> {
    fn member(&self) -> Result<Option<Member>, RowError> {
        if self.removed.is_present() {
            return Ok(None);
        }
        let kind = self
            .odata_type
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let kind = kind.rsplit('.').next().unwrap_or_default();
        let upn = self
            .user_principal_name
            .as_str()
            .map(str::trim)
            .filter(|upn| !upn.is_empty());
        let Some(id) = self.id.text("members.id")? else {
            let upn = upn.ok_or(RowError::Missing("members.id"))?;
            return Ok(Some(Member::User(Who::Upn(upn.to_owned()))));
        };
        match kind {
            "user" | "agentuser" => Ok(Some(Member::User(Who::Id(member_id(id)?)))),
            "" if upn.is_some() => Ok(Some(Member::User(Who::Id(member_id(id)?)))),
            "group" => {
                let id = GroupId::parse(id).map_err(|why| RowError::Id {
                    name: "members",
                    why,
                })?;
                Ok(Some(Member::Group(id)))
            }
            "device" | "serviceprincipal" | "orgcontact" | "application" => Ok(None),
            // No kind, or one to come: whether it is a person, the snapshot will tell.
            _ => Ok(Some(Member::Either(member_id(id)?))),
        }
    }
}
