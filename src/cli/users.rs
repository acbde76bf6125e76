//! `users`: one row per policy and person.

use super::args::Users;
use super::output::{Format, Printer};
use super::view::PersonView;
use super::{Reader, Usage};
use crate::config::Config;
use crate::domain::state::State;
use crate::exit::DONE;

pub(super) async fn run(config: &Config, args: &Users, out: &mut Printer) -> anyhow::Result<u8> {
    for state in &args.state {
        if State::parse(state).is_none() {
            let known: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
            return Err(Usage(format!(
                "there is no state {state:?}; the states are {}",
                known.join(", ")
            ))
            .into());
        }
    }
    let reader = Reader::open(config).await?;
    if let Some(policy) = &args.policy {
        reader.knows_policy(policy)?;
    }
    let search = args.search.as_ref().map(|text| text.to_lowercase());
    let mut rows = Vec::new();
    reader
        .everybody(|outcome| {
            rows.extend(PersonView::of(&outcome).into_iter().filter(|row| {
                (args.state.is_empty()
                    || args.state.iter().any(|state| state == row.state.as_str()))
                    && args
                        .policy
                        .as_ref()
                        .is_none_or(|policy| *policy == row.policy)
                    && search.as_ref().is_none_or(|text| contains(row, text))
            }));
        })
        .await?;
    if args.format == Format::Json {
        out.json(&rows)?;
        return Ok(DONE);
    }
    let headings = [
        "policy", "user", "name", "state", "opened", "deadline", "next", "id",
    ];
    let cells = rows.into_iter().map(|row| {
        let window = row.window.as_ref();
        vec![
            row.policy,
            row.user_principal_name,
            row.display_name.unwrap_or_default(),
            row.state.as_str().to_owned(),
            args.format.moment(window.map(|window| window.opened_at)),
            args.format
                .moment(window.and_then(|window| window.deadline)),
            args.format.moment(row.next.map(|next| next.at)),
            row.id,
        ]
    });
    out.rows(args.format, &headings, cells.collect())?;
    Ok(DONE)
}

fn contains(row: &PersonView, text: &str) -> bool {
    [
        Some(&row.id),
        Some(&row.user_principal_name),
        row.display_name.as_ref(),
        row.mail.as_ref(),
    ]
    .into_iter()
    .flatten()
    .any(|field| field.to_lowercase().contains(text))
}
