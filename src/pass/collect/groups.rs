//! What is believed of the groups that policies name: each membership is judged by itself, and an
//! emptied exclusion is not believed (rule 7.6).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::{CollectError, Collector};
use crate::domain::assignment::is_same_name;
use crate::domain::brake::Size;
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::id::{GroupId, PolicyName};
use crate::domain::seen::{self, GroupChange, Seen};
use crate::pass::names::Names;
use crate::store::holds::{Approval, Raised};
use crate::store::memberships::{GroupSnapshot, Members};
use crate::store::settings::{GROUPS_READ_FOR, UNREAD_GROUPS_APPROVED};
use crate::store::{Store, StoreError};

/// For which names groups were read; of files also, where members are named by user principal name,
/// with which users snapshot, and which names count with the groups within.
pub(super) type ReadFor = (BTreeSet<String>, Option<String>, Option<BTreeSet<String>>);

/// The names for which the groups were read last.
pub(in crate::pass) async fn read_for(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let read = store.setting(&GROUPS_READ_FOR.of::<ReadFor>()).await?;
    Ok(read.map_or_else(BTreeSet::new, |(names, _, _)| names))
}

/// The names for which the groups were read now: of those that lack members, which never were whole,
/// where no member is known either, nothing was read.
pub(super) async fn names_read(
    store: &Store,
    wanted: &Wanted,
    lacking: &BTreeSet<String>,
    snapshot: &GroupSnapshot,
) -> Result<BTreeSet<String>, StoreError> {
    let before = read_for(store).await?;
    let has_members = |name: &String| {
        let groups = named(name, &snapshot.names);
        let mut members = groups.iter().filter_map(|id| snapshot.members.get(id));
        members.any(|members| !members.transitive.is_empty())
    };
    let names = wanted
        .names
        .iter()
        .filter(|name| !lacking.contains(*name) || before.contains(*name) || has_members(name));
    Ok(names.cloned().collect())
}

/// The groups that policies name, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::pass) struct Wanted {
    /// Every name of a group in a policy.
    pub(in crate::pass) names: BTreeSet<String>,
    /// Names in exclusions, with their policies.
    pub(in crate::pass) excluded: BTreeSet<(PolicyName, String)>,
    /// Names in inclusions, with their policies.
    pub(in crate::pass) included: BTreeSet<(PolicyName, String)>,
    /// What names meant the last time they meant something.
    pub(in crate::pass) remembered: BTreeMap<String, GroupId>,
}

impl Wanted {
    /// What is wanted under these names, and what under all others.
    pub(super) fn partition(&self, these: &BTreeSet<String>) -> (Self, Self) {
        let part = |is_in: bool| {
            let keep = |name: &String| these.contains(name) == is_in;
            let named = |list: &BTreeSet<(PolicyName, String)>| {
                list.iter()
                    .filter(|(_, name)| keep(name))
                    .cloned()
                    .collect()
            };
            Self {
                names: self
                    .names
                    .iter()
                    .filter(|name| keep(name))
                    .cloned()
                    .collect(),
                excluded: named(&self.excluded),
                included: named(&self.included),
                remembered: self.remembered.clone(),
            }
        };
        (part(true), part(false))
    }
}

/// The groups that a name of the configuration means: an object id, or a display name without
/// regard to case, as Graph compares.
pub(in crate::pass) fn named(name: &str, groups: &BTreeMap<GroupId, String>) -> Vec<GroupId> {
    if let Ok(id) = GroupId::parse(name)
        && groups.contains_key(&id)
    {
        return vec![id];
    }
    groups
        .iter()
        .filter(|(_, display_name)| is_same_name(display_name, name))
        .map(|(id, _)| id.clone())
        .collect()
}

/// The groups that a name means, or meant last: the members of a renamed group stay known while
/// its policy waits for the name to be mended (rule 7.9).
pub(super) fn meant(
    name: &str,
    groups: &BTreeMap<GroupId, String>,
    wanted: &Wanted,
) -> Vec<GroupId> {
    let ids = named(name, groups);
    if ids.is_empty() {
        return wanted.remembered.get(name).cloned().into_iter().collect();
    }
    ids
}

/// What the name of a group meant when it was believed last, where that was another group than the
/// one which was made anew under the name: both, the former one first. One that had no members is
/// none that anybody could miss.
fn made_anew(
    name: &str,
    names: &BTreeMap<GroupId, String>,
    wanted: &Wanted,
    sizes: &HashMap<GroupId, u64>,
) -> Option<(GroupId, GroupId)> {
    let known = wanted.remembered.get(name)?;
    match named(name, names).as_slice() {
        [anew] if anew != known && sizes.contains_key(known) => Some((known.clone(), anew.clone())),
        _ => None,
    }
}

/// A membership that is not believed under one policy.
struct Doubt {
    /// What its name in the policy means now.
    group: GroupId,
    /// What it meant when its members were believed last.
    known: GroupId,
    size: Size,
    hold: Hold,
}

impl Doubt {
    fn is_made_anew(&self) -> bool {
        self.group != self.known
    }

    /// What an approval covers: so many members, of a group that was made anew those of this one.
    fn evidence(&self) -> String {
        format!("{}{}", self.size, self.whose())
    }

    fn whose(&self) -> String {
        if self.is_made_anew() {
            format!(" in {}", self.group)
        } else {
            String::new()
        }
    }

    /// The approval that covers it.
    fn approval<'a>(&self, approvals: &'a [Approval]) -> Option<&'a Approval> {
        let whose = self.whose();
        let covers = |given: &&Approval| {
            let approved = given.evidence.strip_suffix(&whose);
            let approved = approved.and_then(|approved| approved.parse().ok());
            approved.is_some_and(|approved| self.size.is_covered_by(approved))
        };
        let mut given = approvals.iter().filter(|given| given.hold == self.hold.id);
        given.find(covers)
    }
}

/// Judges each wanted membership: what is not believed is taken out of the snapshot, so that the
/// last members stay, and held (rule 7.6). A group that several policies name is believed
/// when an operator has approved the hold of each; until then a name of one that was made anew means
/// the former one as well.
pub(super) async fn judge(
    collector: &Collector<'_>,
    wanted: &Wanted,
    sizes: &HashMap<GroupId, u64>,
    snapshot: &mut GroupSnapshot,
) -> Result<Vec<Raised>, CollectError> {
    let doubts = doubts(collector.store, wanted, snapshot, sizes).await?;
    let held = held(collector, &doubts).await?;
    let mut raised = Vec::new();
    for doubt in doubts {
        if held.contains(&doubt.group) {
            if !doubt.is_made_anew() {
                snapshot.members.remove(&doubt.group);
            }
            raised.push(Raised {
                evidence: doubt.evidence(),
                hold: doubt.hold,
            });
        } else if doubt.hold.kind == HoldKind::Exclusion {
            collector.store.forget_members(&doubt.known).await?;
        }
    }
    believe(collector.store, wanted, &snapshot.names, &held).await?;
    Ok(raised)
}

/// The groups that are doubted without an approval of each of their holds that stands.
async fn held(
    collector: &Collector<'_>,
    doubts: &[Doubt],
) -> Result<BTreeSet<GroupId>, StoreError> {
    let mut held = BTreeSet::new();
    let groups: BTreeSet<&GroupId> = doubts.iter().map(|doubt| &doubt.group).collect();
    for group in groups {
        let of_group = doubts.iter().filter(|doubt| doubt.group == *group);
        let given = of_group.map(|doubt| doubt.approval(collector.approvals));
        let is_believed = match given.collect::<Option<Vec<&Approval>>>() {
            Some(given) => collector.store.rely_on(&given, collector.now).await?,
            None => false,
        };
        if !is_believed {
            held.insert(group.clone());
        }
    }
    Ok(held)
}

/// Names that mean another group than before mean that one alone, where it is believed.
async fn believe(
    store: &Store,
    wanted: &Wanted,
    groups: &BTreeMap<GroupId, String>,
    held: &BTreeSet<GroupId>,
) -> Result<(), StoreError> {
    let before = Names::load(store).await?;
    let mut names = before.clone();
    for name in &wanted.names {
        if let ([anew], Some(known)) = (named(name, groups).as_slice(), names.groups.get_mut(name))
            && !held.contains(anew)
        {
            anew.clone_into(known);
        }
    }
    if names != before {
        names.keep(store).await?;
    }
    Ok(())
}

async fn doubts(
    store: &Store,
    wanted: &Wanted,
    snapshot: &GroupSnapshot,
    sizes: &HashMap<GroupId, u64>,
) -> Result<Vec<Doubt>, StoreError> {
    let excluded = wanted.excluded.iter().map(|named| (named, true));
    let included = wanted.included.iter().map(|named| (named, false));
    let mut doubts: Vec<Doubt> = Vec::new();
    for ((policy, name), excludes) in excluded.chain(included) {
        let made_anew = made_anew(name, &snapshot.names, wanted, sizes);
        for group in meant(name, &snapshot.names, wanted) {
            let known = made_anew
                .as_ref()
                .map_or(&group, |(known, _)| known)
                .clone();
            let before = sizes.get(&known).copied().unwrap_or(0);
            let members = snapshot.members.get(&group);
            let size = size(store, &known, members).await?;
            // Members of an included group that is no more stay in any case.
            let is_less = size.is_collapsed_membership(before) && (members.is_some() || excludes);
            let replaces = excludes && known != group;
            if !is_less && !replaces {
                continue;
            }
            let kind = if excludes && (size.rows == 0 || replaces) {
                HoldKind::Exclusion
            } else {
                HoldKind::Snapshot
            };
            let seen = Seen::Group {
                name: name.clone(),
                before,
                change: change(size, snapshot.names.contains_key(&group), known != group),
            };
            let hold = Hold::new(kind, &format!("{policy}/{known}"), Some(policy), seen);
            if doubts.iter().all(|doubt| doubt.hold.id != hold.id) {
                doubts.push(Doubt {
                    group,
                    known,
                    size,
                    hold,
                });
            }
        }
    }
    Ok(doubts)
}

/// What a membership holds, beside what is known of it.
async fn size(
    store: &Store,
    known: &GroupId,
    members: Option<&Members>,
) -> Result<Size, StoreError> {
    let Some(members) = members.filter(|members| !members.transitive.is_empty()) else {
        return Ok(Size { rows: 0, kept: 0 });
    };
    let before = store.members(known).await?.transitive;
    Ok(Size {
        rows: members.transitive.len() as u64,
        kept: before.intersection(&members.transitive).count() as u64,
    })
}

/// Members that mean nobody are named up to this number.
const STRANGERS_NAMED: usize = 10;

/// What a hold is about when all groups could not be read.
const UNREAD: &str = "/groups";

/// Whether the hold says that the groups could not be read.
pub(super) fn is_unread(hold: &Hold) -> bool {
    hold.id.ends_with(UNREAD)
}

/// A policy some of whose groups cannot be read whole: their last members stay, but who joined an
/// exclusion since is not known.
#[derive(Debug)]
pub(super) struct Unread {
    policy: PolicyName,
    /// These groups, as the policy names them.
    names: BTreeSet<String>,
    /// Of them those in the exclusion.
    excluded: BTreeSet<String>,
    /// Members that mean nobody.
    strangers: BTreeSet<Stranger>,
}

/// A member of an exclusion that means nobody, though somebody may be meant (rule 7.6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stranger {
    /// The name of the group in the policy.
    pub(super) name: String,
    /// What it means.
    pub(super) group: GroupId,
    /// What the group calls the member.
    pub(super) reference: String,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {:?}", self.reference, self.name)
    }
}

/// The policies that name these groups, while they cannot be read whole.
pub(super) fn unread(wanted: &Wanted) -> Vec<Unread> {
    unread_or_strange(wanted, &BTreeSet::new(), wanted)
}

/// The policies that name these groups, which cannot be read whole, or that exclude strangers.
pub(super) fn unread_or_strange(
    lacking: &Wanted,
    strangers: &BTreeSet<Stranger>,
    wanted: &Wanted,
) -> Vec<Unread> {
    let mut unread: BTreeMap<&PolicyName, Unread> = BTreeMap::new();
    let included = lacking.included.iter().map(|named| (named, false));
    let excluded = lacking.excluded.iter().map(|named| (named, true));
    for ((policy, name), excludes) in included.chain(excluded) {
        let of_policy = unread.entry(policy).or_insert_with(|| Unread::of(policy));
        of_policy.names.insert(name.clone());
        if excludes {
            of_policy.excluded.insert(name.clone());
        }
    }
    for (policy, name) in &wanted.excluded {
        let mut strange = strangers.iter().filter(|one| one.name == *name).peekable();
        if strange.peek().is_some() {
            let of_policy = unread.entry(policy).or_insert_with(|| Unread::of(policy));
            of_policy.strangers.extend(strange.cloned());
        }
    }
    unread.into_values().collect()
}

impl Unread {
    fn of(policy: &PolicyName) -> Self {
        Self {
            policy: policy.clone(),
            names: BTreeSet::new(),
            excluded: BTreeSet::new(),
            strangers: BTreeSet::new(),
        }
    }

    /// What an approval covers: these groups and members, and no others.
    fn subjects(&self) -> BTreeSet<String> {
        let strangers = self.strangers.iter().map(ToString::to_string);
        self.names.iter().cloned().chain(strangers).collect()
    }

    /// Of the strangers those of whom an operator has approved that they are nobody.
    pub(super) fn nobody(&self, approved: &Approved) -> impl Iterator<Item = (GroupId, String)> {
        let approved = approved.get(&self.policy);
        self.strangers
            .iter()
            .filter(move |one| approved.is_some_and(|good| good.contains(&one.to_string())))
            .map(|one| (one.group.clone(), one.reference.clone()))
    }

    /// `read` are the names of groups that were read before: of others there are no last members.
    fn seen(&self, read: &BTreeSet<String>) -> Seen {
        let (strangers, more) = named_strangers(&self.strangers);
        Seen::Unread {
            groups: self.names.iter().cloned().collect(),
            strangers,
            more,
            last_stay: self.excluded.is_subset(read),
        }
    }

    /// The hold, and what approving it covers.
    fn raised(&self, read: &BTreeSet<String>) -> Raised {
        let kind = if self.excluded.is_empty() && self.strangers.is_empty() {
            HoldKind::Snapshot
        } else {
            HoldKind::Exclusion
        };
        let subject = format!("{}{UNREAD}", self.policy);
        Raised {
            hold: Hold::new(kind, &subject, Some(&self.policy), self.seen(read)),
            evidence: serde_json::to_string(&self.subjects()).unwrap_or_default(),
        }
    }
}

/// Strangers in words, if there are any.
pub(super) fn said(strangers: &BTreeSet<Stranger>) -> Option<String> {
    let (named, more) = named_strangers(strangers);
    seen::strange_english(&named, more)
}

/// So many by name and by the name of the group, and how many more.
fn named_strangers(strangers: &BTreeSet<Stranger>) -> (Vec<(String, String)>, usize) {
    let named = strangers
        .iter()
        .take(STRANGERS_NAMED)
        .map(|one| (one.reference.clone(), one.name.clone()));
    let named: Vec<(String, String)> = named.collect();
    let more = strangers.len() - named.len();
    (named, more)
}

/// Groups that cannot be read whole, by policy, as far as operators have approved that.
pub(in crate::pass) type Approved = BTreeMap<PolicyName, BTreeSet<String>>;

/// What operators have approved of that until now.
pub(in crate::pass) async fn unread_approved(store: &Store) -> Result<Approved, StoreError> {
    let setting = UNREAD_GROUPS_APPROVED.of::<Approved>();
    Ok(store.setting(&setting).await?.unwrap_or_default())
}

/// The approvals of the holds of these policies.
pub(super) fn given<'a>(
    unread: &[Unread],
    read: &BTreeSet<String>,
    approvals: &'a [Approval],
) -> Vec<&'a Approval> {
    let ids: BTreeSet<String> = unread.iter().map(|one| one.raised(read).hold.id).collect();
    let given = approvals.iter();
    given.filter(|given| ids.contains(&given.hold)).collect()
}

/// The holds of policies whose groups cannot be read, but for those groups of which an operator
/// has approved that, now or before: as long as they cannot be read, that is good.
pub(super) fn hold_unread(
    unread: &[Unread],
    read: &BTreeSet<String>,
    before: &Approved,
    approvals: &[Approval],
) -> (Vec<Raised>, Approved) {
    let (mut holds, mut approved) = (Vec::new(), Approved::new());
    for unread in unread {
        let raised = unread.raised(read);
        let now = approvals
            .iter()
            .filter(|given| given.hold == raised.hold.id);
        let now = now.filter_map(|given| serde_json::from_str(&given.evidence).ok());
        let mut good: BTreeSet<String> = now.flat_map(BTreeSet::into_iter).collect();
        good.extend(before.get(&unread.policy).into_iter().flatten().cloned());
        let subjects = unread.subjects();
        good.retain(|name| subjects.contains(name));
        if good != subjects {
            holds.push(raised);
        }
        approved.insert(unread.policy.clone(), good);
    }
    approved.retain(|_, names| !names.is_empty());
    (holds, approved)
}

/// What became of a group.
fn change(Size { rows, kept }: Size, exists: bool, is_another: bool) -> GroupChange {
    match (is_another, exists) {
        (true, _) => GroupChange::MadeAnew { members: rows },
        (false, true) => GroupChange::Shrank {
            kept,
            others: rows - kept,
        },
        (false, false) => GroupChange::Gone,
    }
}
