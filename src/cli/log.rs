//! `log`: what happened, newest last.

use jiff::Timestamp;

use super::Usage;
use super::args::Log;
use super::output::{Format, NONE_ASKED, Printer};
use super::screen::Tone;
use super::table::{Cell, Column};
use super::times::Times;
use crate::config::Config;
use crate::desk::Reader;
use crate::desk::log::{self, Entry, Query};
use crate::domain::message::EventKind;
use crate::exit::DONE;

/// Nobody reads further back on a terminal.
const SHOWN: u64 = 50;

/// For people.
const COLUMNS: [Column; 5] = [
    Column::kept("time", 20),
    Column::kept("event", 20),
    Column::kept("about", 14),
    Column::ranked("details", 18, 1).wrapped(),
    Column::ranked("policy", 8, 2),
];

/// For spreadsheets; further ones come behind.
const HEADINGS: [&str; 17] = [
    "at",
    "event",
    "policy",
    "user",
    "name",
    "step",
    "deadline",
    "by",
    "reason",
    "ticket",
    "hold",
    "mail",
    "address",
    "rehearsed",
    "detail",
    "id",
    "uid",
];

pub(super) async fn run(config: &Config, args: Log, out: &mut Printer) -> anyhow::Result<u8> {
    let within = |moment: super::moment::Moment| moment.within(&config.zone);
    let query = Query {
        since: args.since.map(within),
        until: args.until.map(within),
        user: args.user,
        events: args.event,
    };
    if let (Some(since), Some(until)) = (query.since, query.until)
        && since >= until
    {
        return Err(Usage(format!(
            "--since {since} is not before --until {until}: nothing lies between them"
        ))
        .into());
    }
    let reader = Reader::open(config).await?;
    let limit = match args.format {
        Format::Table => args.limit.or(Some(SHOWN)),
        Format::Json | Format::Csv => args.limit,
    };
    let mut entries = match limit {
        Some(limit) => {
            let (newest, more) = log::newest(&reader, query, limit).await?;
            if args.format == Format::Table {
                let times = Times::new(config, reader.present());
                match limit {
                    0 => out.text(NONE_ASKED)?,
                    _ => table(newest, more, reader.policies.len(), &times, out)?,
                }
                return Ok(DONE);
            }
            Entries::Read(newest.into_iter())
        }
        None => Entries::Reading(log::list(&reader, query).await?),
    };
    match args.format {
        Format::Csv => csv(&mut entries, out).await?,
        Format::Json | Format::Table => out.array(async || entries.next().await).await?,
    }
    Ok(DONE)
}

/// What is printed one after the other.
enum Entries<'a> {
    /// As they are read.
    Reading(log::Log<'a>),
    /// The last ones, which were read backwards.
    Read(std::vec::IntoIter<Entry>),
}

impl Entries<'_> {
    async fn next(&mut self) -> anyhow::Result<Option<Entry>> {
        match self {
            Self::Reading(log) => Ok(log.next().await?),
            Self::Read(entries) => Ok(entries.next()),
        }
    }
}

async fn csv(entries: &mut Entries<'_>, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&HEADINGS)?;
    while let Some(entry) = entries.next().await? {
        csv.row(&fields(entry))?;
    }
    Ok(csv.end()?)
}

fn table(
    entries: Vec<Entry>,
    more: bool,
    policies: usize,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    if entries.is_empty() {
        return Ok(out.text("Nothing of this happened.")?);
    }
    let count = entries.len();
    let rows = entries.into_iter().map(|entry| cells(entry, times));
    // Where there is one policy, it says nothing to name it.
    let columns = if policies == 1 {
        &COLUMNS[..COLUMNS.len() - 1]
    } else {
        &COLUMNS
    };
    out.rows(Format::Table, columns, rows.collect())?;
    let count = match (count, more) {
        (_, true) => format!(
            "The last {count}; there is more: --limit N shows more of it, --since and --until another time"
        ),
        (1, false) => "1 line".to_owned(),
        (count, false) => format!("{count} lines"),
    };
    Ok(out.note(&format!("{count}; times in {}", times.zone()))?)
}

fn fields(entry: Entry) -> [String; 17] {
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let (user, name, id) = entry.user.map_or_else(Default::default, |who| {
        let name = who.display_name.unwrap_or_default();
        (who.user_principal_name.unwrap_or_default(), name, who.id)
    });
    let (mail, address) = entry
        .mail
        .map_or_else(Default::default, |mail| (mail.event, mail.address));
    [
        entry.at.to_string(),
        entry.event,
        entry.policy.unwrap_or_default(),
        user,
        name,
        entry.step.unwrap_or_default(),
        moment(entry.deadline),
        entry.by.unwrap_or_default(),
        entry.reason.unwrap_or_default(),
        entry.ticket.unwrap_or_default(),
        entry.hold.unwrap_or_default(),
        mail,
        address,
        entry.rehearsed.to_string(),
        entry.detail.unwrap_or_default(),
        id,
        entry.uid.map(|uid| uid.to_string()).unwrap_or_default(),
    ]
}

fn cells(entry: Entry, times: &Times) -> Vec<Cell> {
    let says = says(&entry, times);
    let about = match entry.user {
        Some(who) => who.user_principal_name.unwrap_or(who.id),
        None => entry.hold.unwrap_or_default(),
    };
    let event = Cell::toned(tone(&entry.event), entry.event.clone());
    vec![
        times.at(entry.at).into(),
        event,
        about.into(),
        says.into(),
        entry.policy.unwrap_or_default().into(),
    ]
}

/// Who did it and why, or what was seen, as short as it goes.
fn says(entry: &Entry, times: &Times) -> String {
    let mut said = Vec::new();
    if let Some(mail) = &entry.mail {
        said.push(format!(
            "{} to {}",
            stepped(&mail.event, entry),
            mail.address
        ));
    } else if let Some(step) = &entry.step {
        said.push(step.clone());
    }
    if let Some(by) = &entry.by {
        let account = entry.uid.map(|uid| format!(" (uid {uid})"));
        said.push(format!("{by}{}", account.unwrap_or_default()));
    }
    said.extend(
        entry
            .detail
            .as_deref()
            .map(|detail| times.localised(detail)),
    );
    said.extend(entry.reason.clone());
    said.extend(entry.ticket.clone());
    let names_deadline = EventKind::parse(&entry.event).is_some_and(EventKind::announces);
    let deadline = entry.deadline.filter(|_| names_deadline);
    said.extend(deadline.map(|deadline| format!("deadline {}", times.at(deadline))));
    let mark = if entry.rehearsed {
        "[report-only] "
    } else {
        ""
    };
    format!("{mark}{}", said.join("; "))
}

fn stepped(event: &str, entry: &Entry) -> String {
    let step = entry.step.as_ref().map(|step| format!(" ({step})"));
    format!("{event}{}", step.unwrap_or_default())
}

fn tone(event: &str) -> Tone {
    match EventKind::parse(event) {
        Some(EventKind::EnforcementNeeded | EventKind::RegistrationBlocked) => Tone::Bad,
        Some(EventKind::HoldRaised) => Tone::Watch,
        Some(
            EventKind::UserRegistered | EventKind::EnforcementReleased | EventKind::HoldCleared,
        ) => Tone::Good,
        Some(_) => Tone::Plain,
        // What operators did, and which mails were accepted.
        None if event == "mail.accepted" => Tone::Faint,
        None => Tone::Strong,
    }
}
