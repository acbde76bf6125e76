//! `man`: the manual, made from the commands as the parser knows them and from what no option says of
//! itself (`text`).
//!
//! The page of the program holds every command, so that one search finds everything; each command
//! has a page of its own beside it, on every level, for those who know what they want.

mod text;

use std::fs::{self, Permissions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};
use roff::{Inline, Roff, bold, italic, roman};

use super::Usage;
use super::args::Man;
use super::output::Printer;
use crate::exit::{DONE, MEANINGS};

/// The section of commands that any user may call.
const SECTION: &str = "1";

/// Whoever may look may read a page.
const MODE: u32 = 0o644;

pub(super) fn run(args: &Man, program: &Command, out: &mut Printer) -> anyhow::Result<u8> {
    if let Some(folder) = &args.folder {
        let pages = write(program, folder)?;
        out.line(format!("wrote {pages} pages into {}", folder.display()))?;
    } else {
        let page = match args.command.as_slice() {
            [] => whole_page(program),
            words => command_page(program, &words.join(" "), named(program, words)?),
        };
        out.bytes(page.as_bytes())?;
        if io::stdout().is_terminal() {
            out.note("That is the page's source; to read it: fortnight man | man -l -")?;
        }
    }
    Ok(DONE)
}

/// A file for each page; how many.
fn write(program: &Command, folder: &Path) -> anyhow::Result<usize> {
    let mut pages = vec![(program.get_name().to_owned(), whole_page(program))];
    for (line, command) in below("", program) {
        pages.push((
            page_name(program, &line),
            command_page(program, &line, command),
        ));
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for (name, page) in &pages {
        let file = folder.join(format!("{name}.{SECTION}"));
        replace(&file, folder, page).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(pages.len())
}

/// Puts a page in the place of what was there: a link is replaced, and not followed.
fn replace(file: &Path, folder: &Path, page: &str) -> io::Result<()> {
    let mut new = tempfile::Builder::new()
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    new.write_all(page.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

/// Every command below one, and those below them, each with the words that call it.
fn below<'a>(line: &str, command: &'a Command) -> Vec<(String, &'a Command)> {
    let commands = command.get_subcommands().flat_map(|command| {
        let line = format!("{line} {}", command.get_name()).trim().to_owned();
        let further = below(&line, command);
        std::iter::once((line, command)).chain(further)
    });
    commands.collect()
}

fn named<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command, Usage> {
    let mut above = program;
    for word in words {
        above = above.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = above.get_subcommands().map(Command::get_name).collect();
            match known.as_slice() {
                [] => Usage(format!("no command follows {:?}", above.get_name())),
                known => Usage(format!(
                    "there is no command {word:?}; the commands are {}",
                    known.join(", ")
                )),
            }
        })?;
    }
    Ok(above)
}

/// The program with everything.
fn whole_page(program: &Command) -> String {
    let mut page = Page::begin(program.get_name(), program, program);
    page.heading("SYNOPSIS");
    page.synopsis(program.get_name(), program);
    page.heading("DESCRIPTION");
    page.description(program);
    page.paragraphs(text::DESCRIPTION);
    page.heading("COMMANDS");
    for command in program.get_subcommands() {
        page.command("", command);
    }
    page.heading("OPTIONS");
    page.roff.text(prose(text::OPTIONS));
    page.options(program);
    page.heading("EXIT STATUS");
    for (code, meaning) in MEANINGS {
        page.entry(vec![bold(code.to_string())], meaning);
    }
    page.heading("ENVIRONMENT");
    page.entries(text::ENVIRONMENT);
    page.heading("FILES");
    page.entries(text::FILES);
    page.heading("EXAMPLES");
    page.entries(text::EXAMPLES);
    page.heading("SEE ALSO");
    let pages: Vec<String> = program
        .get_subcommands()
        .map(|command| format!("`{}`({SECTION})", page_name(program, command.get_name())))
        .collect();
    page.roff.text(prose(&pages.join(", ")));
    page.end()
}

/// One command, by the words that call it, with those below it.
fn command_page(program: &Command, words: &str, command: &Command) -> String {
    let mut page = Page::begin(&page_name(program, words), command, program);
    let line = format!("{} {words}", program.get_name());
    page.heading("SYNOPSIS");
    page.synopses(&line, command);
    page.heading("DESCRIPTION");
    page.description(command);
    if command.get_arguments().next().is_some() {
        page.heading("OPTIONS");
        page.options(command);
    }
    if command.has_subcommands() {
        page.heading("COMMANDS");
        let below = format!("{words} ");
        for command in command.get_subcommands() {
            page.command(&below, command);
        }
    }
    let shown: Vec<(&str, &str)> = text::EXAMPLES
        .iter()
        .copied()
        .filter(|(example, _)| *example == line || example.starts_with(&format!("{line} ")))
        .collect();
    if !shown.is_empty() {
        page.heading("EXAMPLES");
        page.entries(&shown);
    }
    page.heading("SEE ALSO");
    let whole = program.get_name();
    page.roff.text(prose(&format!(
        "`{whole}`({SECTION}) has the options that every command takes, the exit status, the \
         environment and the files."
    )));
    page.end()
}

fn page_name(program: &Command, words: &str) -> String {
    format!("{}-{}", program.get_name(), words.replace(' ', "-"))
}

/// A page that is being written.
struct Page {
    roff: Roff,
}

impl Page {
    fn begin(name: &str, of: &Command, program: &Command) -> Self {
        let mut roff = Roff::new();
        let version = program.get_version().unwrap_or_default();
        let source = format!("{} {version}", program.get_name());
        let title = name.to_uppercase();
        let manual = format!("The manual of {}", program.get_name());
        roff.control("TH", [title.as_str(), SECTION, "\"\"", &source, &manual]);
        // Names are copied from here: none is broken or stretched.
        roff.control("nh", []).control("ad", ["l"]);
        let about = about(of);
        let about = about.trim_end_matches('.');
        let mut page = Self { roff };
        page.heading("NAME");
        page.roff.text([roman(format!("{name} - {about}"))]);
        page
    }

    fn end(self) -> String {
        self.roff.render()
    }

    fn heading(&mut self, heading: &str) {
        self.roff.control("SH", [heading]);
    }

    /// A command on the page of all, or below another one; what is below it follows.
    fn command(&mut self, above: &str, command: &Command) {
        let name = format!("{above}{}", command.get_name());
        if !command.has_subcommands() {
            self.roff.control("SS", [name.as_str()]);
            self.synopsis(&format!("fortnight {name}"), command);
            self.roff.control("PP", []);
            self.description(command);
            self.options(command);
        }
        for command in command.get_subcommands() {
            self.command(&format!("{name} "), command);
        }
    }

    /// How a command is called; of one that only holds others, each of them.
    fn synopses(&mut self, line: &str, command: &Command) {
        if !command.has_subcommands() {
            self.synopsis(line, command);
        }
        for (nth, command) in command.get_subcommands().enumerate() {
            if nth > 0 {
                self.roff.control("br", []);
            }
            self.synopses(&format!("{line} {}", command.get_name()), command);
        }
    }

    fn synopsis(&mut self, line: &str, command: &Command) {
        let mut words = vec![bold(line)];
        let (positional, options): (Vec<&Arg>, Vec<&Arg>) =
            command.get_arguments().partition(|arg| arg.is_positional());
        for arg in options.into_iter().chain(positional) {
            words.extend(called(arg));
        }
        if command.has_subcommands() {
            words.extend([roman(" "), italic("COMMAND")]);
        }
        self.roff.text(words);
    }

    fn description(&mut self, command: &Command) {
        self.roff.text(prose(&sentence(&about(command))));
    }

    fn paragraphs(&mut self, paragraphs: &[&str]) {
        for paragraph in paragraphs {
            self.roff.control("PP", []);
            self.roff.text(prose(paragraph));
        }
    }

    fn options(&mut self, command: &Command) {
        for arg in command.get_arguments() {
            self.entry(heads(arg), &said_of(arg));
        }
    }

    fn entries(&mut self, entries: &[(&str, &str)]) {
        for (term, meaning) in entries {
            self.entry(vec![bold(*term)], meaning);
        }
    }

    fn entry(&mut self, term: Vec<Inline>, meaning: &str) {
        self.roff.control("TP", []);
        self.roff.text(term);
        self.roff.text(prose(&sentence(meaning)));
    }
}

/// An argument as it stands in a call.
fn called(arg: &Arg) -> Vec<Inline> {
    let (open, close) = if arg.is_required_set() {
        (" ", "")
    } else {
        (" [", "]")
    };
    let mut words = vec![roman(open)];
    if arg.is_positional() {
        words.push(italic(value_of(arg)));
    } else {
        words.push(bold(flag(arg)));
        if arg.get_action().takes_values() {
            words.extend([roman(" "), italic(value_of(arg))]);
        }
    }
    words.push(roman(close));
    if matches!(arg.get_action(), ArgAction::Append | ArgAction::Count) {
        words.push(roman("..."));
    }
    words
}

/// An argument as the list of options has it.
fn heads(arg: &Arg) -> Vec<Inline> {
    if arg.is_positional() {
        return vec![italic(value_of(arg))];
    }
    let mut words = Vec::new();
    if let (Some(short), Some(_)) = (arg.get_short(), arg.get_long()) {
        words.extend([bold(format!("-{short}")), roman(", ")]);
    }
    words.push(bold(flag(arg)));
    if arg.get_action().takes_values() {
        words.extend([roman(" "), italic(value_of(arg))]);
    }
    words
}

fn flag(arg: &Arg) -> String {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, short) => format!("-{}", short.unwrap_or_default()),
    }
}

fn value_of(arg: &Arg) -> String {
    match arg.get_value_names() {
        Some(names) => names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        None => arg.get_id().as_str().to_uppercase(),
    }
}

/// The help of an argument, what it may be, and what it is otherwise.
fn said_of(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut said = vec![sentence(&help.map(ToString::to_string).unwrap_or_default())];
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        if !values.is_empty() {
            let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
            said.push(format!("One of {}.", names.join(", ")));
        }
        let defaults = arg.get_default_values().iter();
        said.extend(defaults.map(|default| format!("Default: `{}`.", default.to_string_lossy())));
    }
    said.join(" ")
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    about.unwrap_or_default()
}

fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '…']) {
        ""
    } else {
        "."
    };
    format!("{text}{end}")
}

/// Text in which what stands between backticks is bold.
fn prose(text: &str) -> Vec<Inline> {
    let words = text.split('`').enumerate();
    words
        .map(|(nth, words)| match nth % 2 {
            0 => roman(words),
            _ => bold(words),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn the_page_of_the_program_has_every_command_option_and_exit_status() {
        fn holds(page: &str, what: &str) {
            let what = what.replace('-', r"\-");
            assert!(page.contains(&what), "{what} is not in the manual");
        }
        fn look(page: &str, name: &str, command: &Command) {
            for arg in command.get_arguments() {
                holds(page, &flag_or_value(arg));
            }
            for command in command.get_subcommands() {
                let name = format!("{name} {}", command.get_name());
                if !command.has_subcommands() {
                    holds(page, &format!(r"\fB{name}\fR"));
                }
                look(page, &name, command);
            }
        }
        fn flag_or_value(arg: &Arg) -> String {
            if arg.is_positional() {
                value_of(arg)
            } else {
                flag(arg)
            }
        }
        let program = Cli::command();
        let page = whole_page(&program);
        look(&page, "fortnight", &program);
        for (code, meaning) in MEANINGS {
            holds(&page, &format!("\\fB{code}\\fR\n{meaning}"));
        }
    }

    #[test]
    fn every_example_is_one_that_the_parser_takes() {
        let mut shown = Vec::new();
        for (example, _) in text::EXAMPLES {
            let words = example.split('"').enumerate();
            let words = words.flat_map(|(nth, words)| match nth % 2 {
                0 => words.split_whitespace().collect(),
                _ => vec![words],
            });
            let taken = Cli::try_parse_from(words);
            assert!(taken.is_ok(), "{example}: {}", taken.unwrap_err());
            shown.push(*example);
        }
        let program = Cli::command();
        let window = named(&program, &["window".to_owned()]).unwrap();
        let page = command_page(&program, "window", window);
        for example in shown {
            let here = example.starts_with("fortnight window ");
            assert_eq!(
                page.contains(&example.replace('-', r"\-")),
                here,
                "{example}"
            );
        }
    }

    #[test]
    fn a_page_of_a_command_that_holds_others() {
        let program = Cli::command();
        let page = command_page(
            &program,
            "test",
            named(&program, &["test".to_owned()]).unwrap(),
        );
        let page = page.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(page, @r#"
        .ie \n(.g .ds Aq \(aq
        .el .ds Aq '
        .TH FORTNIGHT-TEST 1 "" "fortnight VERSION" "The manual of fortnight"
        .nh
        .ad l
        .SH NAME
        fortnight\-test \- Sends one marked test message
        .SH SYNOPSIS
        \fBfortnight test email\fR [\fB\-\-to\fR \fIADDRESS\fR]
        .br
        \fBfortnight test webhook\fR \fINAME\fR
        .SH DESCRIPTION
        Sends one marked test message.
        .SH COMMANDS
        .SS "test email"
        \fBfortnight test email\fR [\fB\-\-to\fR \fIADDRESS\fR]
        .PP
        One mail, marked as a test.
        .TP
        \fB\-\-to\fR \fIADDRESS\fR
        To whom; default: the operators.
        .SS "test webhook"
        \fBfortnight test webhook\fR \fINAME\fR
        .PP
        One event, marked as a test.
        .TP
        \fINAME\fR
        To which webhook.
        .SH "SEE ALSO"
        \fBfortnight\fR(1) has the options that every command takes, the exit status, the environment and the files.
        "#);
    }

    #[test]
    fn what_is_between_backticks_is_bold_and_nothing_is_a_request() {
        let mut roff = Roff::new();
        roff.text(prose(".so /etc/passwd is no `request`"));
        assert!(
            roff.to_roff()
                .contains(r"\&.so /etc/passwd is no \fBrequest\fR")
        );
    }
}
