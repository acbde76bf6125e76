//! `users`: one row per policy and person.

use jiff::Timestamp;

use super::args::{SortBy, Users};
use super::output::{Format, NONE_ASKED, Printer};
use super::table::{Cell, Column};
use super::times::Times;
use super::words;
use crate::config::Config;
use crate::desk::Reader;
use crate::desk::person::PersonView;
use crate::desk::users::{self, Query, Sort};
use crate::exit::DONE;

pub(super) async fn run(config: &Config, args: &Users, out: &mut Printer) -> anyhow::Result<u8> {
    let query = Query {
        states: args.state.clone(),
        policy: args.policy.clone(),
        search: args.search.clone(),
        blocked: args.blocked,
        unreachable: args.unreachable,
        sort: args.sort.into(),
        limit: args.limit,
    };
    let reader = Reader::open(config).await?;
    let mut rows = users::list(&reader, query).await?;
    match args.format {
        Format::Json => out.array(async || Ok(rows.next().await?)).await?,
        Format::Csv => csv(&mut rows, out).await?,
        Format::Table => table(&mut rows, args, &reader, config, out).await?,
    }
    Ok(DONE)
}

/// For spreadsheets; further ones come behind.
const HEADINGS: [&str; 11] = [
    "policy",
    "user",
    "name",
    "state",
    "opened",
    "deadline",
    "next",
    "id",
    "mail",
    "registered",
    "enforcement",
];

/// For people.
const COLUMNS: [Column; 8] = [
    Column::kept("user", 14),
    Column::ranked("name", 14, 4),
    Column::kept("state", 19),
    Column::kept("deadline", 20),
    Column::ranked("from now", 12, 1),
    Column::ranked("next", 26, 2),
    Column::ranked("policy", 8, 3),
    Column::ranked("id", 36, 5),
];

async fn csv(rows: &mut users::Users<'_>, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&HEADINGS)?;
    while let Some(row) = rows.next().await? {
        csv.row(&fields(row))?;
    }
    Ok(csv.end()?)
}

/// A table is as wide as its widest cells: it is there once all rows are.
async fn table(
    rows: &mut users::Users<'_>,
    args: &Users,
    reader: &Reader,
    config: &Config,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let times = Times::new(config, reader.present());
    let mut lines = Vec::new();
    while let Some(row) = rows.next().await? {
        let is_rehearsed = reader.is_rehearsed(&row.policy);
        lines.push(cells(row, is_rehearsed, &times));
    }
    if lines.is_empty() && args.limit == Some(0) {
        return Ok(out.text(NONE_ASKED)?);
    }
    if lines.is_empty() {
        return Ok(out.text(&nobody(args))?);
    }
    let total = lines.len();
    out.rows(Format::Table, &COLUMNS, lines)?;
    let rows = if total == 1 { "row" } else { "rows" };
    let more = match args.limit {
        Some(limit) if limit == total as u64 => ", and perhaps more: --limit ends it there",
        _ => "",
    };
    Ok(out.note(&format!(
        "{total} {rows}{more}. Times are in {}.",
        times.zone()
    ))?)
}

/// An empty result, in words.
fn nobody(args: &Users) -> String {
    let states: Vec<&str> = args.state.iter().map(|state| state.as_str()).collect();
    let states = (!states.is_empty()).then(|| format!("in state {}", states.join(" or ")));
    let under = args
        .policy
        .as_ref()
        .map(|policy| format!("under policy {policy}"));
    let found = args
        .search
        .as_ref()
        .map(|text| format!("found by {text:?}"));
    let blocked = args.blocked.then(|| "who cannot register".to_owned());
    let unreachable = args.unreachable.then(|| "whom nobody can reach".to_owned());
    let asked: Vec<String> = [states, under, found, blocked, unreachable]
        .into_iter()
        .flatten()
        .collect();
    if asked.is_empty() {
        return "Nobody is known yet: the first pass reads who is there.".to_owned();
    }
    format!("There is nobody {}.", asked.join(", "))
}

fn fields(row: PersonView) -> [String; 11] {
    let window = row.window.as_ref();
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    [
        row.policy,
        row.user_principal_name,
        row.display_name.unwrap_or_default(),
        row.state.as_str().to_owned(),
        moment(window.map(|window| window.opened_at)),
        moment(window.and_then(|window| window.deadline)),
        moment(row.next.map(|next| next.at)),
        row.id,
        row.mail.unwrap_or_default(),
        row.registered.to_string(),
        row.enforcement
            .map_or("none", |enforcement| enforcement.state)
            .to_owned(),
    ]
}

fn cells(row: PersonView, is_rehearsed: bool, times: &Times) -> Vec<Cell> {
    let deadline = row.window.as_ref().and_then(|window| window.deadline);
    // Of who is done, it says nothing more.
    let deadline = deadline.filter(|_| !row.registered);
    let next = row.next.map(|next| {
        let what = words::next(next.action, is_rehearsed);
        format!("{}  {what}", times.at(next.at))
    });
    vec![
        row.user_principal_name.into(),
        row.display_name.unwrap_or_default().into(),
        words::state(row.state),
        times.maybe(deadline).into(),
        deadline
            .map(|at| times.how_far(at))
            .unwrap_or_default()
            .into(),
        next.unwrap_or_default().into(),
        row.policy.into(),
        row.id.into(),
    ]
}

impl From<SortBy> for Sort {
    fn from(by: SortBy) -> Self {
        match by {
            SortBy::Deadline => Self::Deadline,
            SortBy::Next => Self::Next,
            SortBy::User => Self::Name,
            SortBy::Id => Self::Id,
        }
    }
}
