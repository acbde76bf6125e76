//! `users`: one row per policy and person.

use super::Usage;
use super::args::Users;
use super::output::{Format, Printer};
use crate::config::Config;
use crate::desk::Reader;
use crate::desk::users::{self, Filter};
use crate::domain::state::State;
use crate::exit::DONE;

pub(super) async fn run(config: &Config, args: &Users, out: &mut Printer) -> anyhow::Result<u8> {
    let filter = Filter {
        states: args
            .state
            .iter()
            .map(|name| state(name))
            .collect::<Result<_, _>>()?,
        policy: args.policy.clone(),
        search: args.search.clone(),
    };
    let reader = Reader::open(config).await?;
    let rows = users::list(&reader, &filter).await?;
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

fn state(name: &str) -> Result<State, Usage> {
    State::parse(name).ok_or_else(|| {
        let known: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
        let known = known.join(", ");
        Usage(format!(
            "there is no state {name:?}; the states are {known}"
        ))
    })
}
