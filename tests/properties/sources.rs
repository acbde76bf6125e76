//! What happens to the organisation, and how a pass reads it: late, twice, or not at all.

use fortnight::domain::age::ReportAge;
use fortnight::domain::audit::{AuditEvent, AuditKind};
use fortnight::domain::brake;
use fortnight::domain::facts::{ActKind, Channel, Gap, OperatorAct};
use fortnight::domain::hold::{Hold, HoldKind};
use fortnight::domain::person::Presence;
use fortnight::domain::registration::Level;
use fortnight::domain::seen::Seen;
use fortnight::domain::sign_in::{Route, SignIn};
use jiff::Timestamp;

use super::citizen::{Citizen, Configured, is_here};
use super::history::{Doing, Happening, Source, name};
use super::rollout::{Reading, Rollout, days, hours, minutes};

impl Rollout {
    #[expect(
        clippy::too_many_lines,
        reason = "one line or two for each thing that can happen"
    )]
    pub(crate) fn happens(&mut self, happening: &Happening) {
        let now = self.now;
        match happening.clone() {
            Happening::SignsIn {
                who,
                route,
                code,
                minutes_ago,
                seen_after_minutes,
            } => {
                self.sign_in(
                    who,
                    route,
                    code,
                    now - minutes(minutes_ago),
                    now + minutes(seen_after_minutes),
                );
            }
            Happening::EverybodySignsIn => {
                for who in 0..self.people.len() {
                    self.sign_in(who, Route::Interactive, 0, now, now);
                }
            }
            Happening::HintOfActivity { who } => {
                let citizen = self.citizen(who);
                citizen.hinted = Some(now);
                citizen.changed = true;
            }
            Happening::LogsLost { days: length } => {
                self.world.log_gap = Some(Gap {
                    from: now - days(length),
                    to: now,
                });
                self.everybody_changed = true;
            }
            Happening::Registers {
                who,
                level,
                audited,
            } => {
                self.citizen(who).levels.push((now, level));
                if audited {
                    self.audit(who, AuditKind::Registered, now);
                }
            }
            Happening::LosesMethods { who, by } => {
                self.citizen(who).levels.push((now, Level::Missing));
                match by {
                    Doing::Admin => self.audit(who, AuditKind::AdminDeleted, now),
                    Doing::Person => self.audit(who, AuditKind::UserDeleted, now),
                    Doing::Unexplained => {}
                }
            }
            Happening::AuditOnly { who, minutes_ago } => {
                self.audit(who, AuditKind::Registered, now - minutes(minutes_ago));
            }
            Happening::MissingFromReport { who, missing } => {
                self.citizen(who).missing_from_report = missing;
            }
            Happening::ReportLags { hours } => self.lag = hours,
            Happening::EmptyReport => self.empty_report = true,
            Happening::EmptyDirectory => self.empty_directory = true,
            Happening::Stale { source, stale } => {
                self.stale.retain(|one| *one != source);
                if stale {
                    self.stale.push(source);
                }
            }
            Happening::Enabled { who, enabled } => self.citizen(who).truth.enabled = enabled,
            Happening::Present { who, present } => {
                self.citizen(who).truth.presence = if present {
                    Presence::Present
                } else {
                    Presence::Gone { at: now }
                };
            }
            Happening::Pilot { who, member } => self.citizen(who).pilot = member,
            Happening::Emergency { who, member } => self.citizen(who).emergency = member,
            Happening::Exclude {
                who,
                policy,
                excluded,
            } => {
                let id = self.citizen(who).id.clone();
                let list = &mut self.configured(policy).excluded;
                if excluded {
                    list.insert(id)
                } else {
                    list.remove(&id)
                };
            }
            Happening::Address { who, number } => {
                let address = format!("{}{number}@example.org", name(who));
                self.citizen(who).truth.mail = (number > 0).then_some(address);
            }
            Happening::MailServer { who, does } => self.citizen(who).does = does,
            Happening::Channel { works } => {
                self.world.channel = if works { Channel::Works } else { Channel::Down };
            }
            Happening::Act { who, kind } => self.act(who, kind),
            Happening::Window { policy, days } => self.configured(policy).rule.window_days = days,
            Happening::MinNotice { policy, days } => {
                self.configured(policy).rule.min_notice_days = Some(days);
            }
            Happening::Switch { policy, enforce } => self.configured(policy).rule.enforce = enforce,
            Happening::Unresolved { policy, unresolved } => {
                self.configured(policy).unresolved = unresolved;
            }
            Happening::Approve => {
                self.approved = self.listed.clone();
                self.approved_at = Some(now);
            }
            Happening::Pass | Happening::Quiet { .. } => {}
        }
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        // Not in the order of time: nothing may rest on the order of ids.
        format!("{:03}-{}", self.ids * 37 % 101, self.ids)
    }

    fn citizen(&mut self, who: usize) -> &mut Citizen {
        let count = self.people.len();
        &mut self.people[who % count]
    }

    fn configured(&mut self, policy: usize) -> &mut Configured {
        let count = self.policies.len();
        &mut self.policies[policy % count]
    }

    fn sign_in(&mut self, who: usize, route: Route, code: i64, at: Timestamp, seen: Timestamp) {
        let id = self.id();
        let citizen = self.citizen(who);
        let sign_in = SignIn {
            id,
            user: citizen.id.clone(),
            at,
            code,
            route,
            app: None,
            multifactor_met: false,
        };
        citizen.coming.push((seen, sign_in));
    }

    fn audit(&mut self, who: usize, kind: AuditKind, at: Timestamp) {
        let id = self.id();
        let citizen = self.citizen(who);
        let user = citizen.id.clone();
        citizen
            .coming_audits
            .push(AuditEvent { id, user, at, kind });
    }

    fn act(&mut self, who: usize, kind: ActKind) {
        self.ids += 1;
        let (id, at) = (self.ids, self.now);
        let citizen = self.citizen(who);
        citizen.changed = true;
        match kind {
            ActKind::Close => citizen.closed = true,
            ActKind::Reopen => citizen.closed = false,
            ActKind::Extend { .. } | ActKind::ExtendUntil { .. } | ActKind::Reset => {}
        }
        citizen.acts.push(OperatorAct {
            id,
            policy: None,
            kind,
            at,
            reason: "because".to_owned(),
            by: "op".to_owned(),
            ticket: None,
        });
    }

    /// Reads every source that is not stale; a collapsed snapshot is rejected and held against.
    pub(crate) fn read(&mut self) -> Vec<Hold> {
        let now = self.now;
        let mut holds = Vec::new();
        if !self.stale.contains(&Source::Users) {
            let before = self
                .people
                .iter()
                .filter(|one| is_here(one.known.as_ref()))
                .count();
            let present = |one: &Citizen| one.truth.presence == Presence::Present;
            let empty = self.empty_directory || !self.people.iter().any(present);
            let after = if empty {
                0
            } else {
                self.people.iter().filter(|one| present(one)).count()
            };
            let rejected = self.rejects(empty, before, after);
            if !rejected {
                for citizen in &mut self.people {
                    let here = !empty && present(citizen);
                    citizen.sees(here, now);
                }
                self.world.users = Some(now);
                self.world.groups = Some(now);
            } else if empty {
                holds.push(Hold::new(
                    HoldKind::Snapshot,
                    "users",
                    None,
                    Seen::WebhookStuck,
                ));
            }
        }
        let as_of = now - hours(self.lag);
        let newer = self
            .world
            .report()
            .is_none_or(|last| as_of > last || (self.reading == Reading::Twice && as_of == last));
        if !self.stale.contains(&Source::Registration) && newer {
            let before = self
                .people
                .iter()
                .filter(|one| one.in_newest_report)
                .count();
            let contained = |one: &Citizen| !one.missing_from_report;
            let empty = self.empty_report || !self.people.iter().any(contained);
            let after = if empty {
                0
            } else {
                self.people.iter().filter(|one| contained(one)).count()
            };
            if !self.rejects(empty, before, after) {
                let previous = self.world.report();
                for citizen in &mut self.people {
                    let row = !empty && contained(citizen);
                    citizen.reported(previous, as_of, row);
                }
                self.world.registration = Some(ReportAge {
                    reading: now,
                    ..ReportAge::at(as_of)
                });
            } else if empty {
                holds.push(Hold::new(
                    HoldKind::Snapshot,
                    "registration",
                    None,
                    Seen::WebhookStuck,
                ));
            }
        }
        if !self.stale.contains(&Source::SignIns) {
            self.read_logs();
            self.world.sign_ins = Some(now);
        }
        self.world.audits = self.audit_feed.then_some(now);
        holds
    }

    fn rejects(&self, empty: bool, before: usize, after: usize) -> bool {
        if self.reading == Reading::RejectedDoNotCome {
            return empty && before > 0;
        }
        brake::collapsed(before as u64, after as u64)
    }

    fn read_logs(&mut self) {
        let now = self.now;
        let (feed, reading) = (self.audit_feed, self.reading);
        for citizen in &mut self.people {
            let arrived = |seen: &Timestamp| *seen <= now;
            let mut new: Vec<SignIn> = citizen
                .coming
                .iter()
                .filter(|(seen, _)| arrived(seen))
                .map(|(_, sign_in)| sign_in.clone())
                .collect();
            let mut audits: Vec<AuditEvent> = if feed {
                citizen.coming_audits.clone()
            } else {
                Vec::new()
            };
            if let Reading::Shuffled(_) = reading {
                new.reverse();
                audits.reverse();
            }
            if reading != Reading::Twice {
                citizen.coming.retain(|(seen, _)| !arrived(seen));
                citizen.coming_audits.clear();
            }
            for sign_in in new {
                citizen.changed |= citizen
                    .sign_ins
                    .insert(sign_in.id.clone(), sign_in)
                    .is_none();
            }
            for audit in audits {
                citizen.changed |= citizen.audits.insert(audit.id.clone(), audit).is_none();
            }
        }
    }
}
