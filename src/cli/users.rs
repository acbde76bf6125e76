//! `users`: one row per policy and person.

use std::io::{self, Write as _};

use serde::Serializer as _;
use serde::ser::SerializeSeq as _;

use super::args::{SortBy, Users};
use super::output::{Escaping, Format, Printer};
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
        sort: args.sort.into(),
        limit: args.limit,
    };
    let reader = Reader::open(config).await?;
    let mut rows = users::list(&reader, query).await?;
    match args.format {
        Format::Json => json(&mut rows, out).await?,
        Format::Csv => csv(&mut rows, out).await?,
        Format::Table => table(&mut rows, out).await?,
    }
    Ok(DONE)
}

const HEADINGS: [&str; 8] = [
    "policy", "user", "name", "state", "opened", "deadline", "next", "id",
];

/// One row after the other, as they are read.
async fn json(rows: &mut users::Users<'_>, out: &mut Printer) -> anyhow::Result<()> {
    let mut out = out.buffered();
    let mut json = serde_json::Serializer::with_formatter(&mut out, Escaping::default());
    let mut array = json.serialize_seq(None).map_err(io::Error::from)?;
    while let Some(row) = rows.next().await? {
        array.serialize_element(&row).map_err(io::Error::from)?;
    }
    array.end().map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

async fn csv(rows: &mut users::Users<'_>, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&HEADINGS)?;
    while let Some(row) = rows.next().await? {
        csv.row(&cells(row, Format::Csv))?;
    }
    Ok(csv.end()?)
}

/// A table is as wide as its widest cells: it is there once all rows are.
async fn table(rows: &mut users::Users<'_>, out: &mut Printer) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    while let Some(row) = rows.next().await? {
        lines.push(cells(row, Format::Table));
    }
    Ok(out.rows(Format::Table, &HEADINGS, lines)?)
}

fn cells(row: PersonView, format: Format) -> Vec<String> {
    let window = row.window.as_ref();
    vec![
        row.policy,
        row.user_principal_name,
        row.display_name.unwrap_or_default(),
        row.state.as_str().to_owned(),
        format.moment(window.map(|window| window.opened_at)),
        format.moment(window.and_then(|window| window.deadline)),
        format.moment(row.next.map(|next| next.at)),
        row.id,
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
