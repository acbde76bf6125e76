//! What the program names, the documents tell: every state, hold, event, exit code, command and key, and
//! none that is not there. `docs/index.md` is where each is told.

use std::fmt::Write as _;
use std::path::Path;

use clap::Parser as _;
use clap::error::ErrorKind;
use fortnight::cli::args::Cli;
use fortnight::config::reference;
use fortnight::delivery::webhook::DIALECTS;
use fortnight::domain::delivery;
use fortnight::domain::hold::HoldKind;
use fortnight::domain::message::EventKind;
use fortnight::domain::state::State;
use fortnight::exit::MEANINGS;

use super::commands;
use super::pages::{Page, Section, page, pages, sections};
use super::repository::root;
use crate::config::published;

const OPERATIONS: &str = "docs/operations.md";
const WEBHOOKS: &str = "docs/webhooks.md";
const CONFIGURATION: &str = "docs/configuration.md";
const INDEX: &str = "docs/index.md";
const INTRODUCTION: &str = "\
# Where each word is told

Every state, hold, exit code, event, command and key of the program, and the page that says what it is. Made from the
program's own lists; a check fails where a page lacks one of them, or tells of one that is gone.

| word | is a | told in |
| --- | --- | --- |
";
/// Names that the program has for one thing, and the table that tells of each in a row of its own.
struct Kind {
    /// What one of them is.
    what: &'static str,
    /// What stands before a name where it is told of outside its table, as `email.` before `from`.
    prefix: String,
    names: Vec<String>,
    file: &'static str,
    heading: String,
}

#[test]
fn every_name_of_the_program_is_told_and_no_other() {
    let faults: Vec<String> = kinds()
        .iter()
        .flat_map(|kind| faults(kind, &telling(kind.file)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_name_that_is_missing_or_stale_is_found() {
    let kind = Kind {
        what: "hold",
        prefix: String::new(),
        names: vec!["mass".to_owned(), "stale".to_owned()],
        file: "x.md",
        heading: "Holds".to_owned(),
    };
    let page = |text: &str| Page {
        file: "x.md".to_owned(),
        sections: sections(text),
    };
    let good = page("# Holds\n| `stale` | a |\n| `mass` | b |\n");
    assert_eq!(faults(&kind, &good), Vec::<String>::new());
    let bad = page("# Holds\n| `mass` | b |\n| `sunshine` | `stale` |\n");
    assert_eq!(
        faults(&kind, &bad),
        [
            "x.md, \"Holds\": no row tells of the hold `stale`",
            "x.md, \"Holds\": there is no hold `sunshine` in the program",
        ]
    );
    assert_eq!(
        faults(&kind, &page("# Other\n")),
        [
            "x.md, \"Holds\": no row tells of the hold `mass`",
            "x.md, \"Holds\": no row tells of the hold `stale`",
        ]
    );
}

#[test]
fn the_published_index_says_where_each_name_is_told() {
    published(INDEX, &index());
}

#[test]
fn what_is_to_be_typed_is_taken_by_the_program() {
    let mut faults = Vec::new();
    for page in pages() {
        for section in &page.sections {
            let typed = section.typed.iter().map(|(line, text)| (line, text, true));
            let named = section.spans.iter().map(|(line, text)| (line, text, false));
            for (line, text, is_whole) in typed.chain(named) {
                if let Some(fault) = misunderstood(text, is_whole) {
                    faults.push(format!("{}:{line}: `{text}`: {fault}", page.file));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_the_program_does_not_take_is_found() {
    for (text, is_whole, good) in [
        ("fortnight status", true, true),
        ("sudo fortnight status   # by root", true, true),
        (
            "fortnight users --state in_grace --format json | wc",
            true,
            true,
        ),
        ("fortnight users --state asleep", true, false),
        ("fortnight users --colour", false, false),
        ("fortnight nap", false, false),
        ("fortnight explain", true, false),
        ("fortnight explain", false, true),
        (
            "fortnight enforcement approve mass --reason \"all are known\"",
            true,
            true,
        ),
        (
            "fortnight enforcement approve sunshine --reason x",
            true,
            false,
        ),
        ("fortnight COMMAND --help", false, true),
        ("fortnight.toml", false, true),
    ] {
        let fault = misunderstood(text, is_whole);
        assert_eq!(fault.is_none(), good, "{text}: {fault:?}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages: Vec<Page> = pages()
        .into_iter()
        .chain(["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(page))
        .collect();
    let mut faults = Vec::new();
    for page in &pages {
        for (line, to) in page.sections.iter().flat_map(|section| &section.links) {
            if let Some(fault) = dead(page, to) {
                faults.push(format!("{}:{line}: {fault}", page.file));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every list of names that the program has.
fn kinds() -> Vec<Kind> {
    let kind = |what, file, heading: &str, names: Vec<String>| Kind {
        what,
        prefix: String::new(),
        names,
        file,
        heading: heading.to_owned(),
    };
    let states = State::ALL.iter().map(|state| state.as_str().to_owned());
    let holds = HoldKind::ALL.iter().map(|kind| kind.as_str().to_owned());
    let events = EventKind::ALL.iter().map(|kind| kind.as_str().to_owned());
    let deliveries = delivery::State::ALL.iter();
    let deliveries = deliveries.map(|state| state.as_str().to_owned());
    let mut kinds = vec![
        kind("state", OPERATIONS, "Where people stand", states.collect()),
        kind("hold", OPERATIONS, "Holds", holds.collect()),
        kind("exit code", OPERATIONS, "Exit codes", exit_codes()),
        kind(
            "state of a delivery",
            OPERATIONS,
            "What became of a message",
            deliveries.collect(),
        ),
        kind("event", WEBHOOKS, "Events", events.collect()),
    ];
    for key in reference::keys() {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        let heading = heading_of(table);
        match kinds.iter_mut().find(|kind| kind.heading == heading) {
            Some(kind) => kind.names.push(name.to_owned()),
            None => kinds.push(Kind {
                prefix: key.path.trim_end_matches(name).replace("[]", ""),
                ..kind("key", CONFIGURATION, &heading, vec![name.to_owned()])
            }),
        }
    }
    kinds
}

fn exit_codes() -> Vec<String> {
    MEANINGS.map(|(code, _)| code.to_string()).to_vec()
}

/// The heading under which the reference of the configuration has a table's keys.
fn heading_of(table: &str) -> String {
    match table.split_once("[]") {
        None if table.is_empty() => "Top level".to_owned(),
        None => format!("`[{table}]`"),
        Some((list, "")) => format!("`[[{list}]]`"),
        Some((list, inline)) => {
            let inline = inline.trim_start_matches('.');
            format!("`{inline} = {{ … }}` of a {list}")
        }
    }
}

/// Names that no row tells of, and rows that tell of no name.
fn faults(kind: &Kind, page: &Page) -> Vec<String> {
    let Kind { what, heading, .. } = kind;
    let place = format!("{}, \"{heading}\"", page.file);
    let told: Vec<&str> = page
        .section(heading)
        .map(|section| section.terms.iter().map(String::as_str).collect())
        .unwrap_or_default();
    let missing = kind
        .names
        .iter()
        .filter(|name| !told.contains(&name.as_str()))
        .map(|name| format!("{place}: no row tells of the {what} `{name}`"));
    let formats = formats(heading);
    let stale = told
        .iter()
        .filter(|name| !kind.names.iter().any(|known| known == *name))
        .filter(|name| !formats.contains(*name))
        .map(|name| format!("{place}: there is no {what} `{name}` in the program"));
    missing.chain(stale).collect()
}

/// What the table of formats tells of, which stands under the keys of a webhook.
fn formats(heading: &str) -> Vec<&'static str> {
    if heading != "`[[webhook]]`" {
        return Vec::new();
    }
    let names = DIALECTS.iter().map(|dialect| dialect.name);
    ["format"].into_iter().chain(names).collect()
}

/// Every name, what it is, and a link to what tells of it, by the alphabet.
fn index() -> String {
    let mut rows = Vec::new();
    for kind in kinds() {
        for name in &kind.names {
            let word = format!("{}{name}", kind.prefix);
            rows.push((word, kind.what, link(kind.file, &kind.heading)));
        }
    }
    let program = commands::program();
    for command in commands::runnable(&program) {
        let typed = commands::typed(command).to_owned();
        let heading = format!("`{typed}`");
        rows.push((typed, "command", link(commands::FILE, &heading)));
    }
    rows.sort();
    let mut text = String::from(INTRODUCTION);
    for (word, what, link) in rows {
        let _ = writeln!(text, "| `{word}` | {what} | {link} |");
    }
    text
}

/// A link from the index to what stands under a heading.
fn link(file: &str, heading: &str) -> String {
    let page = telling(file);
    let anchor = page.section(heading).map(|section| section.anchor.as_str());
    let name = file.trim_start_matches("docs/");
    format!("[{name}]({name}#{})", anchor.unwrap_or_default())
}

/// The document as it is, or is about to be where the program makes it.
fn telling(file: &str) -> Page {
    let made = match file {
        CONFIGURATION => reference::markdown(),
        commands::FILE => commands::markdown(),
        _ => return page(file),
    };
    Page {
        file: file.to_owned(),
        sections: sections(&made),
    }
}

/// What is wrong with a command that is to be typed. A span in prose may only name a command; a whole line
/// is one that works as it stands.
fn misunderstood(text: &str, is_whole: bool) -> Option<String> {
    let words = words(text);
    let command = words.iter().position(|word| word == "fortnight")?;
    if words[..command]
        .iter()
        .any(|word| word != "$" && word != "sudo")
    {
        return None;
    }
    let arguments: Vec<&str> = words[command + 1..]
        .iter()
        .map(String::as_str)
        .take_while(|word| !["|", ">", "2>", "#", "&&"].contains(word))
        .collect();
    let first = arguments.iter().find(|word| !word.starts_with('-'))?;
    if is_stand_in(first) {
        return None;
    }
    let error =
        Cli::try_parse_from(std::iter::once("fortnight").chain(arguments.iter().copied())).err();
    match error.as_ref().map(clap::Error::kind) {
        None | Some(ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => nameless(&arguments),
        Some(
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ) if !is_whole => nameless(&arguments),
        Some(_) => error.map(|error| {
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        }),
    }
}

/// What follows a word that takes a name of ours, and is none.
fn nameless(arguments: &[&str]) -> Option<String> {
    arguments.windows(2).find_map(|pair| {
        let is_known = match pair[0] {
            "--state" => {
                State::parse(pair[1]).is_some() || delivery::State::parse(pair[1]).is_some()
            }
            "approve" => HoldKind::of_hold(pair[1]).is_some(),
            "--message" => EventKind::parse(pair[1]).is_some(),
            _ => true,
        };
        (!is_known && !is_stand_in(pair[1])).then(|| format!("there is no {:?}", pair[1]))
    })
}

/// Whether whoever types it puts something of their own there, as USER.
fn is_stand_in(word: &str) -> bool {
    word == "…" || word.starts_with(|c: char| c.is_ascii_uppercase()) && word.to_uppercase() == word
}

/// The words of a line as a shell takes them, as far as quotes go.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What is wrong with a link of a page. What is elsewhere on the web is not looked at.
fn dead(from: &Page, to: &str) -> Option<String> {
    if to.contains("://") {
        return None;
    }
    let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
    let folder = Path::new(&from.file).parent().unwrap_or(Path::new(""));
    let file = if path.is_empty() {
        from.file.clone()
    } else {
        folder.join(path).display().to_string()
    };
    if !root().join(&file).exists() {
        return Some(format!("there is no {file}"));
    }
    let is_there = |section: &Section| section.anchor == anchor;
    if anchor.is_empty() || page(&file).sections.iter().any(is_there) {
        return None;
    }
    Some(format!("{file} has no heading #{anchor}"))
}
