//! A person and a policy: what is true of them, and what has been read.

use std::collections::{BTreeMap, BTreeSet};

use fortnight::domain::assignment::{Assignment, Include, NameList, Selection, Unresolved};
use fortnight::domain::audit::AuditEvent;
use fortnight::domain::facts::OperatorAct;
use fortnight::domain::id::{GroupId, PolicyName, UserId};
use fortnight::domain::person::{AccountKind, Person, Presence};
use fortnight::domain::policy::{Enforce, Policy, StartOn, Step};
use fortnight::domain::registration::{Detail, Level, Registration, ReportRow};
use fortnight::domain::sign_in::SignIn;
use jiff::Timestamp;

use super::history::{Mailbox, Rule, Start, name};
use super::rollout::days;

/// A person: what is true, what is on its way, and what has been read.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state"
)]
pub(crate) struct Citizen {
    pub(crate) id: UserId,
    pub(crate) truth: Person,
    pub(crate) pilot: bool,
    pub(crate) emergency: bool,
    pub(crate) levels: Vec<(Timestamp, Level)>,
    pub(crate) missing_from_report: bool,
    pub(crate) does: Mailbox,
    pub(crate) coming: Vec<(Timestamp, SignIn)>,
    pub(crate) coming_audits: Vec<AuditEvent>,
    pub(crate) known: Option<Person>,
    pub(crate) known_groups: BTreeSet<GroupId>,
    pub(crate) registration: Option<Registration>,
    /// Every accepted report that contained the person.
    pub(crate) reports: Vec<(Timestamp, Level)>,
    pub(crate) in_newest_report: bool,
    pub(crate) sign_ins: BTreeMap<String, SignIn>,
    pub(crate) audits: BTreeMap<String, AuditEvent>,
    pub(crate) hinted: Option<Timestamp>,
    pub(crate) acts: Vec<OperatorAct>,
    pub(crate) closed: bool,
    pub(crate) changed: bool,
}

/// A policy as the configuration has it now.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    pub(crate) name: PolicyName,
    pub(crate) rule: Rule,
    pub(crate) excluded: BTreeSet<UserId>,
    pub(crate) unresolved: bool,
    pub(crate) first_pass: Option<Timestamp>,
    pub(crate) was_off: bool,
    pub(crate) on_again: Option<Timestamp>,
}

/// Where a person stands to a policy, found out without the code under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent answers, not a state"
)]
pub(crate) struct Place {
    pub(crate) present: bool,
    pub(crate) included: bool,
    pub(crate) eligible: bool,
    pub(crate) excluded: bool,
    pub(crate) enabled: bool,
    pub(crate) off: bool,
    pub(crate) closed: bool,
    pub(crate) registered: bool,
}

impl Place {
    pub(crate) fn applies(self) -> bool {
        self.present
            && self.included
            && self.eligible
            && !self.excluded
            && self.enabled
            && !self.off
            && !self.closed
    }
}

impl Citizen {
    pub(crate) fn new(who: usize, start: &Start) -> Self {
        let id = UserId::parse(name(who)).expect("a name");
        let mail = format!("{}@example.org", name(who));
        let truth = Person {
            id: id.clone(),
            user_principal_name: format!("{}@example.net", name(who)),
            display_name: None,
            mail: start.mail.then_some(mail),
            kind: if start.guest {
                AccountKind::Guest
            } else {
                AccountKind::Member
            },
            enabled: start.enabled,
            created_at: None,
            preferred_language: None,
            last_sign_in_at: None,
            presence: Presence::Present,
        };
        Self {
            id,
            truth,
            pilot: start.pilot,
            emergency: start.emergency,
            levels: vec![(Timestamp::MIN, start.level)],
            missing_from_report: false,
            does: Mailbox::Accepts,
            coming: Vec::new(),
            coming_audits: Vec::new(),
            known: None,
            known_groups: BTreeSet::new(),
            registration: None,
            reports: Vec::new(),
            in_newest_report: false,
            sign_ins: BTreeMap::new(),
            audits: BTreeMap::new(),
            hinted: None,
            acts: Vec::new(),
            closed: false,
            changed: true,
        }
    }

    pub(crate) fn level_at(&self, at: Timestamp) -> Level {
        let past = self.levels.iter().rev().find(|(since, _)| *since <= at);
        past.map_or(Level::Missing, |(_, level)| *level)
    }

    pub(crate) fn groups(&self) -> BTreeSet<GroupId> {
        let mut groups = BTreeSet::new();
        if self.pilot {
            groups.insert(group("pilot"));
        }
        if self.emergency {
            groups.insert(group("emergency"));
        }
        groups
    }

    pub(crate) fn sees(&mut self, present: bool, now: Timestamp) {
        let mut person = self.truth.clone();
        if !present {
            let since = match self.known.as_ref().map(|known| known.presence) {
                Some(Presence::Gone { at }) => at,
                _ => now,
            };
            person.presence = Presence::Gone { at: since };
        }
        if !present && self.known.is_none() {
            return;
        }
        let groups = self.groups();
        if self.known.as_ref() != Some(&person) || self.known_groups != groups {
            self.changed = true;
        }
        self.known = Some(person);
        self.known_groups = groups;
    }

    pub(crate) fn reported(
        &mut self,
        previous: Option<Timestamp>,
        as_of: Timestamp,
        contained: bool,
    ) {
        let before = self.registration.clone();
        self.in_newest_report = contained;
        if contained {
            let row = ReportRow {
                user: self.id.clone(),
                level: self.level_at(as_of),
                detail: Detail::None,
            };
            self.reports.push((as_of, row.level));
            self.registration = Some(match &self.registration {
                None => Registration::first(&row),
                Some(known) => known.then(&row, previous.unwrap_or(as_of), as_of),
            });
        } else if let Some(known) = &mut self.registration {
            known.absent_since = known.absent_since.or(previous);
        }
        self.changed |= self.registration != before;
    }
}

impl Configured {
    /// The policy as a pass at `now` sees it.
    pub(crate) fn policy(&mut self, now: Timestamp) -> Policy {
        let off = self.rule.enforce == Enforce::Off;
        if !off {
            if self.was_off && self.first_pass.is_some() {
                self.on_again = Some(now);
            }
            self.first_pass.get_or_insert(now);
        }
        self.was_off = off;
        let window = days(self.rule.window_days);
        let first_pass = self.first_pass.unwrap_or_else(beginning);
        let include = if self.rule.everybody {
            Include::AllUsers
        } else {
            Include::Selected(Selection {
                users: BTreeSet::new(),
                groups: [group("pilot")].into(),
            })
        };
        let exclude = Selection {
            users: self.excluded.clone(),
            groups: [group("emergency")].into(),
        };
        let unresolved = self.unresolved.then(|| Unresolved {
            name: "pilots".to_owned(),
            list: NameList::IncludeGroups,
            matches: 0,
        });
        Policy {
            name: self.name.clone(),
            enforce: self.rule.enforce,
            assignment: Assignment {
                include,
                exclude,
                unresolved: unresolved.into_iter().collect(),
                ..Assignment::default()
            },
            window,
            min_notice: self.rule.min_notice_days.map_or(window.min(days(3)), days),
            reminders: self
                .rule
                .reminders
                .iter()
                .map(|step| Step::try_from((*step).to_owned()).expect("a step"))
                .collect(),
            since: first_pass,
            first_pass,
            on_again: self.on_again,
            guests: self.rule.guests,
            nested: true,
            accept_passwordless: self.rule.accept_passwordless,
            start_on: if self.rule.any_primary {
                StartOn::AnyPrimary
            } else {
                StartOn::Prompted
            },
            strict: self.rule.strict,
        }
    }
}

pub(crate) fn group(name: &str) -> GroupId {
    GroupId::parse(name).expect("a name")
}

pub(crate) fn is_here(known: Option<&Person>) -> bool {
    known.is_some_and(|person| person.presence == Presence::Present)
}

pub(crate) fn place(policy: &Policy, citizen: &Citizen, person: &Person) -> Place {
    let in_group = |name: &str| citizen.known_groups.contains(&group(name));
    let enough = if policy.accept_passwordless {
        Level::Passwordless
    } else {
        Level::Capable
    };
    Place {
        present: person.presence == Presence::Present,
        included: matches!(policy.assignment.include, Include::AllUsers) || in_group("pilot"),
        eligible: person.kind == AccountKind::Member
            || (person.kind == AccountKind::Guest && policy.guests),
        excluded: policy.assignment.exclude.users.contains(&person.id) || in_group("emergency"),
        enabled: person.enabled,
        off: policy.enforce == Enforce::Off,
        closed: citizen.closed,
        registered: citizen
            .reports
            .last()
            .is_some_and(|(_, level)| *level >= enough),
    }
}

/// The first day.
pub(crate) fn beginning() -> Timestamp {
    Timestamp::from_second(1_767_600_000).expect("a moment in 2026")
}
