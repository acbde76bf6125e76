//! `check`, and how every command loads its configuration.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::args::{Cli, Color};
use super::output::Printer;
use super::{DONE, Reader, Usage, WRONG};
use crate::capacity;
use crate::config::{Config, Directory, Fault, Faults, IncludeNames};
use crate::sources::Collection;
use crate::sources::files;

/// Loads the configuration, or says everything that is wrong with it.
pub(super) fn load(cli: &Cli) -> Result<Config, Usage> {
    let (config, warnings) =
        load_with_warnings(&path(cli)).map_err(|faults| Usage(render(&faults.0, cli.color)))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// The configuration at a path.
pub(super) fn load_with_warnings(path: &Path) -> Result<(Config, Vec<Fault>), Faults> {
    Config::load(path, Config::environment())
}

fn path(cli: &Cli) -> PathBuf {
    cli.config.clone().unwrap_or_else(Config::find)
}

fn render(faults: &[Fault], color: Color) -> String {
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let count = if faults.len() == 1 {
        "one fault".to_owned()
    } else {
        format!("{} faults", faults.len())
    };
    let text: String = faults.iter().map(|fault| fault.render(color)).collect();
    format!("{count} in the configuration\n{text}")
}

pub(super) async fn run(cli: &Cli, out: &mut Printer) -> anyhow::Result<u8> {
    let path = path(cli);
    let (config, warnings) = match load_with_warnings(&path) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("fortnight: {}", render(&faults.0, cli.color));
            return Ok(WRONG);
        }
    };
    for warning in &warnings {
        out.line(warning.render(false).trim_end())?;
    }
    let mut code = DONE;
    for line in names(&config).await? {
        code = WRONG;
        out.line(line)?;
    }
    let policies = match config.policies.len() {
        1 => "one policy".to_owned(),
        count => format!("{count} policies"),
    };
    out.line(format!("{}: {policies}", path.display()))?;
    out.line(format!(
        "passes: {}",
        config
            .schedule
            .poll
            .iter()
            .map(crate::time::CronPattern::describe)
            .collect::<Vec<_>>()
            .join("; ")
    ))?;
    if let Some(line) = capacity(&config).await? {
        out.line(format!("note: {line}"))?;
    }
    if code == DONE {
        out.line("the configuration is good")?;
    }
    Ok(code)
}

/// Names of people and groups that mean nothing: against the last snapshot, or the files.
async fn names(config: &Config) -> anyhow::Result<Vec<String>> {
    if let Ok(reader) = Reader::open(config).await
        && reader.world.users.is_some()
    {
        return Ok(reader
            .policies
            .iter()
            .flat_map(|policy| {
                policy.assignment.unresolved.iter().map(move |name| {
                    let matches = if name.matches == 0 {
                        "nothing".to_owned()
                    } else {
                        format!("{} groups: name it by object id", name.matches)
                    };
                    format!(
                        "policy {}: {} names {:?}, which matches {matches}",
                        policy.name,
                        name.list.key(),
                        name.name
                    )
                })
            })
            .collect());
    }
    let config = config.clone();
    Ok(tokio::task::spawn_blocking(move || names_in_files(&config)).await?)
}

/// The same against the files, where there is no snapshot yet; files that cannot be read say
/// nothing here, a pass will name them.
fn names_in_files(config: &Config) -> Vec<String> {
    let Directory::Files(path) = &config.directory else {
        return Vec::new();
    };
    let Ok(folder) = files::scan(path) else {
        return Vec::new();
    };
    let now = crate::time::Clock::system().now();
    let mut users = BTreeSet::new();
    for part in folder.parts(Collection::Users).unwrap_or(&[]) {
        for item in files::users(part, now) {
            if let Ok(crate::sources::Item::Fact(person)) = item {
                users.insert(person.id.as_str().to_owned());
                users.insert(person.user_principal_name.to_lowercase());
            }
        }
    }
    let mut groups: Vec<(String, String)> = Vec::new();
    for part in folder.parts(Collection::Groups).unwrap_or(&[]) {
        for item in files::groups(part, now) {
            if let Ok(crate::sources::Item::Fact(group)) = item {
                groups.push((group.id.as_str().to_owned(), group.name.unwrap_or_default()));
            }
        }
    }
    if users.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for policy in &config.policies {
        let mut lists = vec![("exclude", &policy.exclude)];
        if let IncludeNames::Selected(names) = &policy.include {
            lists.push(("include", names));
        }
        for (list, names) in lists {
            for user in names
                .users
                .iter()
                .filter(|user| !users.contains(&user.trim().to_lowercase()))
            {
                lines.push(format!(
                    "policy {}: {list}.users names {user:?}, which matches nothing",
                    policy.name
                ));
            }
            for group in &names.groups {
                let key = group.trim().to_lowercase();
                let by_id = groups.iter().any(|(id, _)| *id == key);
                let by_name = groups
                    .iter()
                    .filter(|(_, name)| name.trim() == group.trim())
                    .map(|(id, _)| id)
                    .collect::<BTreeSet<_>>()
                    .len();
                if !by_id && by_name != 1 {
                    let matches = if by_name == 0 {
                        "nothing".to_owned()
                    } else {
                        format!("{by_name} groups: name it by object id")
                    };
                    lines.push(format!(
                        "policy {}: {list}.groups names {group:?}, which matches {matches}",
                        policy.name
                    ));
                }
            }
        }
    }
    lines
}

async fn capacity(config: &Config) -> anyhow::Result<Option<String>> {
    let Ok(reader) = Reader::open(config).await else {
        return Ok(None);
    };
    let people = reader.store.in_scope(&reader.policies).await?;
    Ok(capacity::shortage(config, people as u64))
}
