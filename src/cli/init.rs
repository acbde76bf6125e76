//! `init`: writes a configuration to begin with, made from the annotated example, so that both say the
//! same. It is report-only, tells nobody, and names nothing that was not asked for.
//!
//! What an option does not say is asked for on a terminal. Nothing is ever overwritten.

mod ask;
mod text;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;

use self::ask::Asking;
use self::text::{Answers, Facts};
use super::args::{Init, InitSource};
use super::output::Printer;
use super::{Usage, usage};
use crate::config::{OF_SERVICE, is_zone_of_people, zone_named, zone_remedy as remedy};
use crate::delivery::text::own_mailbox;
use crate::exit::DONE;
use crate::private;

/// Where a configuration is written when no place is named.
const HERE: &str = "fortnight.toml";
/// The folder of exports, as the example calls it.
const FOLDER: &str = "tenant";
/// The zone where nobody says another one.
const UTC: &str = "UTC";
const NO_ZONE: &str = "there is no such time zone";
/// Where the service writes; of its configuration alone the database and the rest lie apart.
const STATE: &str = "/var/lib/fortnight";
/// The configuration has no secrets: whoever may look may read it.
const MODE: u32 = 0o644;

pub(super) fn run(args: &Init, file: Option<&Path>, out: &mut Printer) -> anyhow::Result<u8> {
    let path = file.unwrap_or_else(|| Path::new(HERE));
    if path.symlink_metadata().is_ok() {
        return Err(taken(path).into());
    }
    let answers = answers(args, path)?;
    let text = text::written(&answers);
    let folder = match &answers.facts {
        Facts::Files { folder } => Some(beside(path, folder)),
        Facts::Graph { .. } => None,
    };
    if let Some(folder) = folder
        .as_ref()
        .filter(|folder| folder.exists() && !folder.is_dir())
    {
        let text = format!(
            "{} is no folder: name the one that exports are put into",
            folder.display()
        );
        return Err(Usage(text).into());
    }
    let is_new = folder.as_ref().is_some_and(|folder| !folder.exists());
    if let Some(state) = &answers.state {
        made(state, private::folder)?;
        // What is in it, all may read.
        made(private::folder_of(path), |folder| {
            std::fs::create_dir_all(folder)
        })?;
    }
    write(path, &text)?;
    if let Some(folder) = &folder {
        made(folder, private::folder)?;
    }
    for line in told(&answers, path, folder.as_deref(), is_new) {
        out.text(&line)?;
    }
    for (command, about) in next(file) {
        out.entry(&command, about, 34)?;
    }
    Ok(DONE)
}

/// Makes a folder where it is missing.
fn made(folder: &Path, make: fn(&Path) -> std::io::Result<()>) -> anyhow::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    make(folder).with_context(|| format!("making the folder {}", folder.display()))
}

/// Where the service of the packages keeps what it writes, if this is its configuration.
fn state(path: &Path) -> Option<PathBuf> {
    (path == Path::new(OF_SERVICE)).then(|| PathBuf::from(STATE))
}

fn taken(path: &Path) -> Usage {
    Usage(format!(
        "{} is there already and stays as it is: name another file with --config",
        path.display()
    ))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(MODE).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(taken(path).into()),
        opened => opened.with_context(|| format!("writing {}", path.display()))?,
    };
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a configuration would stand in the way of the next try.
        std::fs::remove_file(path).ok();
    }
    written.with_context(|| format!("writing {}", path.display()))
}

/// What the options say, and whoever sits at the terminal.
fn answers(args: &Init, path: &Path) -> Result<Answers, Usage> {
    let mut asking = Asking::begin();
    let source = match (args.source, &args.folder) {
        (Some(InitSource::Graph), Some(_)) => {
            return Err(wrong("--folder is of --source files"));
        }
        (Some(source), _) => source,
        (None, Some(_)) => InitSource::Files,
        (None, None) if args.tenant_id.is_some() || args.client_id.is_some() => InitSource::Graph,
        (None, None) => match asking.ask(
            "Where facts come from, files or graph",
            Some("files"),
            source_of,
        )? {
            Some(source) => source,
            None => InitSource::Files,
        },
    };
    let facts = facts(source, args, path, &mut asking)?;
    let given = (!args.exclude.is_empty()).then(|| args.exclude.join(","));
    let exclude = asking.needed(
        "--exclude",
        given.as_deref(),
        "Emergency accounts, which are never asked, between commas",
        accounts,
    )?;
    let from = asking.needed(
        "--from",
        args.from.as_deref(),
        "The mailbox that mails will come from",
        mailbox,
    )?;
    let given = (!args.operators.is_empty()).then(|| args.operators.join(","));
    let operators = asking.wished(
        "--operators",
        given.as_deref(),
        "Who hears of what holds flags back, between commas (may be empty)",
        mailboxes,
    )?;
    let organisation = asking.wished(
        "--organisation",
        args.organisation.as_deref(),
        "The organisation, as mails name it (may be empty)",
        line,
    )?;
    let help = asking.wished(
        "--help-text",
        args.help_text.as_deref(),
        "Whom people ask, and where they see that a mail is genuine (may be empty)",
        line,
    )?;
    let zone = if let Some(name) = args.timezone.as_deref() {
        let wrong = |why| wrong(format!("--timezone: {why}: {}", remedy(name)));
        Some(zone(name).map_err(wrong)?)
    } else {
        let here = of_this_machine();
        let usual = here.as_deref().unwrap_or(UTC);
        asking.ask("The time zone", Some(usual), zone)?
    };
    asking.end().map_err(wrong)?;
    Ok(Answers {
        facts,
        state: state(path),
        exclude: exclude.unwrap_or_default(),
        from: from.unwrap_or_default(),
        operators: operators.unwrap_or_default(),
        organisation,
        help,
        zone: zone.or_else(of_this_machine),
    })
}

/// Where facts come from, with what that way needs.
fn facts(
    source: InitSource,
    args: &Init,
    path: &Path,
    asking: &mut Asking,
) -> Result<Facts, Usage> {
    Ok(match source {
        InitSource::Files => {
            let folder = match &args.folder {
                Some(folder) => Some(folder.clone()),
                None => asking.ask("The folder of exports", Some(FOLDER), |text| {
                    Ok(PathBuf::from(text))
                })?,
            };
            let folder = folder.unwrap_or_else(|| PathBuf::from(FOLDER));
            let folder = match state(path) {
                Some(state) if folder == Path::new(FOLDER) => state.join(folder),
                _ => folder,
            };
            let folder = seen_from(path, &folder)
                .map_err(|error| Usage(format!("the folder of exports: {error}")))?;
            Facts::Files { folder }
        }
        InitSource::Graph => Facts::Graph {
            tenant_id: asking.needed(
                "--tenant-id",
                args.tenant_id.as_deref(),
                "The tenant, by id or domain",
                plain,
            )?,
            client_id: asking.needed(
                "--client-id",
                args.client_id.as_deref(),
                "The application (client) id",
                plain,
            )?,
            client_secret_file: args.client_secret_file.clone(),
        },
    })
}

fn wrong(text: impl std::fmt::Display) -> Usage {
    let examples = usage::of_command("init").unwrap_or_default();
    Usage(format!("{text}\n\n{examples}"))
}

fn source_of(text: &str) -> Result<InitSource, &'static str> {
    match text {
        "files" => Ok(InitSource::Files),
        "graph" => Ok(InitSource::Graph),
        _ => Err("say files or graph"),
    }
}

fn plain(text: &str) -> Result<String, &'static str> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_one = !text.is_empty() && text.chars().all(is_id);
    is_one
        .then(|| text.to_owned())
        .ok_or("an id or a domain has letters, digits, - and . only")
}

fn accounts(text: &str) -> Result<Vec<String>, &'static str> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    if names.is_empty() || names.iter().any(|name| name.contains(char::is_control)) {
        return Err(
            "name at least one emergency account, so that it is never asked and never flagged",
        );
    }
    Ok(names)
}

fn mailbox(text: &str) -> Result<String, &'static str> {
    own_mailbox(text).map(|_| text.to_owned())
}

fn mailboxes(text: &str) -> Result<Vec<String>, &'static str> {
    text.split(',').map(str::trim).map(mailbox).collect()
}

fn line(text: &str) -> Result<String, &'static str> {
    let is_line = !text.contains(char::is_control);
    is_line.then(|| text.to_owned()).ok_or("one line of text")
}

fn zone(name: &str) -> Result<String, &'static str> {
    zone_named(name).map(|_| name.to_owned()).ok_or(NO_ZONE)
}

/// The zone of this machine, where it has one that a configuration can name.
fn of_this_machine() -> Option<String> {
    let zone = TimeZone::try_system().ok()?;
    let name = zone.iana_name().filter(|name| is_zone_of_people(name));
    name.map(str::to_owned)
}

/// A folder as the file has to name it: relative paths start at the file's own folder.
fn seen_from(file: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    let is_here = file
        .parent()
        .is_none_or(|above| above.as_os_str().is_empty());
    if is_here || folder.is_absolute() || folder == Path::new(FOLDER) {
        return Ok(folder.to_owned());
    }
    std::path::absolute(folder)
}

fn beside(file: &Path, folder: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(folder)
}

/// What was written, and what is still missing.
fn told(answers: &Answers, path: &Path, folder: Option<&Path>, is_new: bool) -> Vec<String> {
    let mut lines = vec![format!(
        "{} is written: report-only, so that everything is decided and shown and nobody is told. Times are those of {}.",
        path.display(),
        answers.zone.as_deref().unwrap_or(UTC)
    )];
    if answers.zone.is_none() {
        lines.push("note: this machine does not say which time zone it is in (TZ, /etc/localtime): write the one of your people into `timezone`, like \"Europe/Berlin\".".to_owned());
    }
    if let Some(folder) = folder {
        let files = || std::fs::read_dir(folder).map_or(0, Iterator::count);
        let lacks = match (is_new, files()) {
            (true, _) => Some("was missing and is made"),
            (false, 0) => Some("is empty"),
            (false, _) => None,
        };
        lines.extend(lacks.map(|lacks| {
            format!(
                "The folder of exports, {}, {lacks}: put users, registration and sign-ins there; docs/exports.md says where to get them and what they are called.",
                folder.display()
            )
        }));
    }
    if let Facts::Graph {
        client_secret_file, ..
    } = &answers.facts
    {
        let secret = beside(path, Path::new(client_secret_file));
        if !secret.exists() {
            lines.push(format!(
                "Write the client secret into {} first, readable for fortnight's user only (chmod 600); docs/graph.md has the commands, and the three other ways to prove who asks.",
                secret.display()
            ));
        }
    }
    lines.push("Next:".to_owned());
    lines
}

/// The three commands that follow.
fn next(file: Option<&Path>) -> [(String, &'static str); 3] {
    let named = file.map(|file| format!(" --config {}", file.display()));
    let named = named.unwrap_or_default();
    [
        (format!("  fortnight check{named}"), "what it would do"),
        (
            format!("  fortnight doctor{named}"),
            "tries every outside part",
        ),
        (
            format!("  fortnight cycle --dry-run{named}"),
            "a whole pass that writes and sends nothing",
        ),
    ]
}
