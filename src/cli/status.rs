//! `status`: is it well, how far it is, what comes next, how old the data is, what is held, and who needs a person.

use std::collections::BTreeMap;

use super::check::prompts;
use super::cycle::real_passes_wait;
use super::output::{Format, Printer, foreign};
use super::screen::Tone;
use super::table::{Cell, Column};
use super::times::Times;
use super::words;
use crate::config::Config;
use crate::courier::Queue;
use crate::desk::Reader;
use crate::desk::status::{self, PolicyView, QUARANTINE_SHOWN, SourceView, Status};
use crate::domain::hold::StandingHold;
use crate::domain::policy::Enforce;
use crate::domain::state::State;
use crate::exit::{DEGRADED, DONE};
use crate::store::destinations::{HealthState, TroubledDestination};

/// People of a kind that are named; a list of all is one command away.
const NAMED: u32 = 20;

pub(super) async fn run(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    let named = (format == Format::Table).then_some(NAMED);
    let status = status::status(config, &reader, named).await?;
    let code = if status.is_well() { DONE } else { DEGRADED };
    match format {
        Format::Json => out.json(&status)?,
        Format::Csv => csv(&status, out)?,
        Format::Table => {
            let times = Times::new(config, reader.present());
            let zone = times.zone().to_owned();
            Page { status, times, out }.print()?;
            if prompts::are_absent(config) {
                out.text("")?;
                out.item("Note  ", prompts::UNSEEN)?;
            }
            out.text("")?;
            out.note(&format!("Times are in {zone}."))?;
        }
    }
    Ok(code)
}

/// How many people are in each state.
fn csv(status: &Status, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&["policy", "state", "people"])?;
    for (policy, states) in &status.states {
        for (state, people) in states {
            csv.row(&[policy.as_str(), state, &people.to_string()])?;
        }
    }
    Ok(csv.end()?)
}

/// What is read from above to below, and given up reading where all is well.
struct Page<'a> {
    status: Status,
    times: Times,
    out: &'a mut Printer,
}

const SOURCES: [Column; 4] = [
    Column::kept("data", 13),
    Column::kept("rows", 6).number(),
    Column::kept("as of", 20),
    Column::ranked("from now", 14, 1),
];

impl Page<'_> {
    fn print(mut self) -> anyhow::Result<()> {
        self.health()?;
        self.passes()?;
        self.policies()?;
        self.sources()?;
        self.deliveries()?;
        self.holds()?;
        self.people()?;
        self.notes()
    }

    fn health(&mut self) -> anyhow::Result<()> {
        let troubles = self.troubles();
        let (tone, word) = match (self.status.is_well(), troubles.is_empty()) {
            (true, true) => (Tone::Good, "All is well"),
            (true, false) => (Tone::Watch, "Well, but "),
            (false, _) => (Tone::Bad, "A person should look: "),
        };
        let mut line = self.out.screen().paint(tone, word.trim_end());
        if !troubles.is_empty() {
            line.push(' ');
            line.push_str(&troubles.join(", "));
        }
        self.out.line(line)?;
        if let Some(overdue) = &self.status.overdue {
            self.out.text(overdue)?;
        }
        Ok(())
    }

    /// What makes somebody read on, each in three words.
    fn troubles(&self) -> Vec<String> {
        let status = &self.status;
        let failed = status
            .sources
            .iter()
            .filter(|source| source.error.is_some());
        let away = |webhook: &&TroubledDestination| webhook.state != HealthState::Active;
        let needing = status.needing;
        let counted = [
            (
                u64::from(status.overdue.is_some()),
                "no passes",
                "no passes",
            ),
            (status.holds.len() as u64, "one hold", "holds"),
            (
                failed.count() as u64,
                "one source cannot be read",
                "sources cannot be read",
            ),
            (
                status.webhooks.iter().filter(away).count() as u64,
                "one webhook is away",
                "webhooks are away",
            ),
            (
                needing.blocked,
                "one person cannot register",
                "people cannot register",
            ),
            (
                needing.unreachable,
                "one person cannot be reached",
                "people cannot be reached",
            ),
            (
                needing.unreadable,
                "one person cannot be read",
                "people cannot be read",
            ),
        ];
        let counted = counted.into_iter().filter(|(count, ..)| *count > 0);
        let counted = counted.map(|(count, one, several)| match count {
            1 => one.to_owned(),
            count => format!("{count} {several}"),
        });
        let wait = status.real_passes_wait.into_iter();
        let wait = wait.map(|until| format!("real passes wait until {}", self.times.zoned(until)));
        wait.chain(counted)
            .chain(failing(&status.webhooks))
            .chain(put_aside(status.quarantined.len()))
            .collect()
    }

    fn passes(&mut self) -> anyhow::Result<()> {
        let Self { status, times, out } = self;
        let last = status.last_pass.map_or_else(
            || "none yet: `fortnight cycle` makes the first".to_owned(),
            |at| times.told(at),
        );
        let rehearsed = if status.rehearsed {
            "; a rehearsal: its time was given, and all is told by it"
        } else {
            ""
        };
        out.item("Last pass  ", &format!("{last}{rehearsed}"))?;
        if let Some(until) = status.real_passes_wait {
            out.item("           ", &real_passes_wait(times, until))?;
        }
        let running = match &status.running {
            Some(running) => format!(
                "`fortnight {}` since {} (process {})",
                running.command,
                times.maybe(running.since),
                running.process
            ),
            None => "no `fortnight run` at present".to_owned(),
        };
        out.item("Running    ", &running)?;
        if let Some(at) = status.next_pass.filter(|_| !status.rehearsed) {
            let next = match status.running {
                Some(_) => times.told(at),
                None => format!("by the schedule it would be {}", times.told(at)),
            };
            out.item("Next pass  ", &next)?;
        }
        if let Some(one) = &status.next {
            let name = foreign(&one.user_principal_name);
            let mut policies = status.policies.iter();
            let is_rehearsed = policies
                .any(|policy| policy.name == one.policy && policy.mode == Enforce::ReportOnly);
            let what = words::next(one.next.action, is_rehearsed);
            let not_before = one
                .not_before
                .map(|at| format!("; the flag does not come before {}", times.told(at)));
            let next = format!(
                "{}: {name} ({}), {what}{}",
                times.told(one.next.at),
                one.policy,
                not_before.unwrap_or_default()
            );
            out.item("Next due   ", &next)?;
        }
        if let Some(queue) = queue(&status.queue, times) {
            out.item("Queue      ", &queue)?;
        }
        Ok(())
    }

    fn policies(&mut self) -> anyhow::Result<()> {
        for policy in &self.status.policies {
            self.out.line("")?;
            let name = self
                .out
                .screen()
                .paint(Tone::Strong, &foreign(&policy.name));
            self.out.line(format!("{name}  {}", far(policy)))?;
            let states = State::ALL.iter().filter_map(|state| {
                let people = policy.states.get(state.as_str())?;
                Some((people, *state))
            });
            for (people, state) in states {
                let screen = self.out.screen();
                let word = state.as_str();
                let begin = format!("{people:>9}  {word:<23}");
                let hang = " ".repeat(begin.len());
                let line = screen.wrap(&begin, &hang, &words::meaning(state));
                let painted = screen.paint(words::tone(state), word);
                self.out.line(line.replacen(word, &painted, 1))?;
            }
        }
        Ok(())
    }

    fn sources(&mut self) -> anyhow::Result<()> {
        if self.status.sources.is_empty() {
            return Ok(());
        }
        let rows = self.status.sources.iter().map(|source| {
            let age = source.as_of.map(|at| self.times.how_far(at));
            vec![
                source.name.as_str().into(),
                source.rows.to_string().into(),
                as_of(source, &self.times),
                age.unwrap_or_default().into(),
            ]
        });
        let rows = rows.collect();
        self.out.line("")?;
        self.out.rows(Format::Table, &SOURCES, rows)?;
        for source in &self.status.sources {
            let name = &source.name;
            if let Some(error) = &source.error {
                self.out.item(&format!("{name}: "), &foreign(error))?;
            }
            if source.stale {
                self.out.text(&format!("{name}: too old to flag anybody"))?;
            }
            if let Some(reading) = source.reading.filter(|at| Some(*at) != source.as_of) {
                let read = self.times.told(reading);
                self.out
                    .note(&format!("{name}: read {read}; what it proves is older"))?;
            }
        }
        Ok(())
    }

    fn deliveries(&mut self) -> anyhow::Result<()> {
        let deliveries = if self.status.deliveries.is_empty() {
            "none yet".to_owned()
        } else {
            counted(&self.status.deliveries)
        };
        self.out.line("")?;
        self.out.item("Deliveries  ", &deliveries)?;
        let destinations = self.status.mail.iter().chain(&self.status.webhooks);
        for troubled in destinations {
            self.out.text(&words_of(troubled, &self.times))?;
        }
        Ok(())
    }

    fn holds(&mut self) -> anyhow::Result<()> {
        let Self { status, times, out } = self;
        for hold in &status.holds {
            out.line("")?;
            let held = out.screen().paint(Tone::Bad, "Held");
            out.line(format!(
                "{held}  {}, since {}",
                foreign(&hold.id),
                times.told(hold.since)
            ))?;
            out.item("      ", &times.localised(&foreign(&hold.text)))?;
            out.item("      ", &ends(hold, times))?;
        }
        Ok(())
    }

    /// Who needs a person, each with what helps.
    fn people(&mut self) -> anyhow::Result<()> {
        let Self { status, times, out } = self;
        if !status.blocked.is_empty() {
            out.line("")?;
            out.heading("Cannot register")?;
        }
        for person in &status.blocked {
            let (name, policy) = (foreign(&person.user_principal_name), &person.policy);
            let (at, code, meaning) = (times.told(person.at), person.code, &person.meaning);
            out.item(
                "  ",
                &format!("{name} ({policy}), {at}, code {code}: {meaning}"),
            )?;
            out.item("    ", &person.remedy)?;
        }
        more(out, status.needing.blocked, "--blocked")?;
        if !status.unreachable.is_empty() {
            out.line("")?;
            out.heading("Cannot be reached")?;
        }
        for person in &status.unreachable {
            let (name, policy) = (foreign(&person.user_principal_name), &person.policy);
            let since = times.at(person.since);
            let flagged = match person.flagged_from {
                None => String::new(),
                Some(at) if times.is_past(at) => {
                    ": the seven days after the deadline are over".to_owned()
                }
                Some(at) => format!(
                    ": flagged from {} on ({}), unless a mail gets through",
                    times.at(at),
                    times.how_far(at)
                ),
            };
            out.item("  ", &format!("{name} ({policy}) since {since}{flagged}"))?;
        }
        more(out, status.needing.unreachable, "--unreachable")?;
        if !status.unreadable.is_empty() {
            out.line("")?;
            out.heading(
                "Cannot be read: what was known of them stays, and nobody is flagged on it",
            )?;
        }
        for person in &status.unreadable {
            out.item("  ", &foreign(&person.user_principal_name))?;
        }
        if let Some(rest @ 1..) = status.needing.unreadable.checked_sub(u64::from(NAMED)) {
            out.note(&format!("  and {rest} more: --format json has all"))?;
        }
        for person in &status.repeated_losses {
            let text = format!("{} lost methods twice within 90 days", foreign(person));
            out.item("Note  ", &text)?;
        }
        Ok(())
    }

    fn notes(&mut self) -> anyhow::Result<()> {
        let Self { status, out, .. } = self;
        let lines = status.stranded.iter().chain(&status.unresolved);
        let lines: Vec<&String> = lines.chain(&status.capacity).collect();
        if !lines.is_empty() || !status.quarantined.is_empty() {
            out.line("")?;
        }
        for line in lines {
            out.item("Note  ", &foreign(line))?;
        }
        for row in &status.quarantined {
            let (file, reason) = (foreign(&row.file), foreign(&row.reason));
            out.item(
                "Put aside  ",
                &format!("{file}, line {}: {reason}", row.line),
            )?;
        }
        Ok(())
    }
}

/// The endpoints that fail, and how much waits for them.
fn failing(webhooks: &[TroubledDestination]) -> Option<String> {
    let failing = webhooks.iter().filter(|webhook| webhook.is_failing());
    let wait: u64 = failing.clone().map(|webhook| webhook.waiting).sum();
    let wait = words::counted(wait, "waits", "wait");
    match failing.count() {
        0 => None,
        1 => Some(format!("one webhook does not take what it is sent: {wait}")),
        count => Some(format!(
            "{count} webhooks do not take what they are sent: {wait}"
        )),
    }
}

/// How many rows could not be read; no more are known than are shown.
fn put_aside(rows: usize) -> Option<String> {
    match rows {
        0 => None,
        1 => Some("one row was put aside".to_owned()),
        rows if rows < QUARANTINE_SHOWN as usize => Some(format!("{rows} rows were put aside")),
        rows => Some(format!("{rows} rows or more were put aside")),
    }
}

fn far(policy: &PolicyView) -> String {
    let mode = match policy.mode {
        Enforce::On => "on",
        Enforce::ReportOnly => "report-only: nobody is told or flagged",
        Enforce::Off => "off: windows are paused",
    };
    let (registered, in_scope) = (policy.registered, policy.in_scope);
    match (registered * 100).checked_div(in_scope) {
        Some(percent) => format!("{mode}; {registered} of {in_scope} registered, {percent} %"),
        None => format!("{mode}; it reaches nobody yet"),
    }
}

fn as_of(source: &SourceView, times: &Times) -> Cell {
    match source.as_of {
        None => Cell::toned(Tone::Watch, "never read"),
        Some(at) if source.stale || source.error.is_some() => Cell::toned(Tone::Bad, times.at(at)),
        Some(at) => times.at(at).into(),
    }
}

/// When the queue will be empty.
fn queue(queue: &Queue, times: &Times) -> Option<String> {
    let mails = match queue.waiting {
        0 => return None,
        1 => "one mail is due".to_owned(),
        waiting => format!("{waiting} mails are due"),
    };
    let until = match queue.empty_at {
        Some(at) => format!("the last can go {} by the budgets", times.told(at)),
        None => "a budget lets none go".to_owned(),
    };
    let late = match queue.late {
        0 => String::new(),
        late => format!("; {late} will be of no use by then"),
    };
    Some(format!("{mails}, {until}{late}"))
}

fn counted<N: std::fmt::Display>(counts: &BTreeMap<String, N>) -> String {
    let words: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    words.join(", ")
}

/// How many are not named, and what lists them.
fn more(out: &mut Printer, people: u64, list: &str) -> anyhow::Result<()> {
    if let Some(rest @ 1..) = people.checked_sub(u64::from(NAMED)) {
        out.note(&format!("  and {rest} more: fortnight users {list}"))?;
    }
    Ok(())
}

fn ends(hold: &StandingHold, times: &Times) -> String {
    match hold.approved_at {
        Some(at) => format!("Approved {}; the next pass uses it.", times.told(at)),
        None => times.localised(&hold.remedy()),
    }
}

fn words_of(troubled: &TroubledDestination, times: &Times) -> String {
    let name = match troubled.name.as_str() {
        crate::store::outbox::EMAIL => "The mail server".to_owned(),
        name => format!("Webhook {name}"),
    };
    let reason = foreign(troubled.reason.as_deref().unwrap_or_default());
    let until = troubled
        .paused_until
        .map_or_else(String::new, |until| format!(" until {}", times.told(until)));
    match troubled.state {
        HealthState::Active if troubled.is_failing() => format!(
            "{name} does not take what it is sent, since {}: {reason}; {}",
            times.maybe(troubled.failing_since),
            words::counted(troubled.waiting, "row waits", "rows wait")
        ),
        // A server asked for time, or failed and is tried again later.
        HealthState::Active => format!("{name} is left alone{until}: {reason}"),
        HealthState::Paused => format!("{name} is paused{until}: {reason}"),
        HealthState::Dead => format!(
            "{name} is dead: {reason}. When it is back: fortnight deliveries retry --destination {}",
            troubled.name
        ),
    }
}
