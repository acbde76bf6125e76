//! The parser's complaint or help in the colours that were asked for, and what stands below a complaint:
//! the examples of the command that was meant.

use std::ffi::OsString;
use std::io::{self, ErrorKind::BrokenPipe, Write};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, ValueEnum as _};

use super::args::Cli;
use super::screen::Color;

/// How the help of a command begins its examples.
const EXAMPLES: &str = "Examples:\n";

/// Prints what the parser says of these words. A reader that goes away is no error.
pub fn print(error: &clap::Error, words: impl Iterator<Item = OsString>) -> io::Result<()> {
    let color = color(words);
    let printed = if error.use_stderr() {
        write(error, color, io::stderr().lock())
    } else {
        write(error, color, io::stdout().lock())
    };
    printed.or_else(|error| match error.kind() {
        BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

fn write(error: &clap::Error, color: Color, mut to: impl Write + io::IsTerminal) -> io::Result<()> {
    let text = error.render();
    if color.is_wanted(to.is_terminal()) {
        write!(to, "{}", text.ansi())?;
    } else {
        write!(to, "{text}")?;
    }
    to.flush()
}

/// The colours that these words ask for, which the parser could not read to their end.
fn color(words: impl Iterator<Item = OsString>) -> Color {
    let words: Vec<String> = words.filter_map(|word| word.into_string().ok()).collect();
    let asked =
        words
            .iter()
            .enumerate()
            .find_map(|(at, word)| match word.strip_prefix("--color")? {
                "" => words.get(at + 1).map(String::as_str),
                value => value.strip_prefix('='),
            });
    let asked = asked.and_then(|asked| Color::from_str(asked, false).ok());
    asked.unwrap_or(Color::Auto)
}

/// The examples of the command that these words name, if the parser did not show them already.
#[must_use]
pub fn examples(error: &clap::Error, words: impl Iterator<Item = OsString>) -> Option<String> {
    let has_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || has_help {
        return None;
    }
    let mut command = Cli::command();
    for word in words {
        if let Some(named) = word.to_str().and_then(|word| command.find_subcommand(word)) {
            command = named.clone();
        }
    }
    shown(&command)
}

/// The examples of a command.
pub(super) fn of_command(name: &str) -> Option<String> {
    shown(Cli::command().find_subcommand(name)?)
}

fn shown(command: &clap::Command) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let (_, examples) = help.split_once(EXAMPLES)?;
    Some(format!("{EXAMPLES}{examples}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn what_was_meant_is_shown_below_a_complaint_and_below_nothing_else() {
        let below = |line: &str| {
            let words = || line.split(' ').map(OsString::from);
            let error = Cli::try_parse_from(words()).unwrap_err();
            examples(&error, words())
        };
        let shown = below("fortnight window extend ana@contoso.com").unwrap();
        assert!(shown.starts_with("Examples:\n  fortnight window extend ana"));
        let shown = below("fortnight -v log --since yesterday").unwrap();
        assert!(shown.contains("  fortnight log --since 2026-01-31"));
        let shown = below("fortnight enforcement approve mass").unwrap();
        assert!(shown.contains("approve mass --reason"));
        for line in ["fortnight cicle", "fortnight window --help", "fortnight"] {
            assert_eq!(below(line), None, "{line}");
        }
    }

    #[test]
    fn the_colours_of_help_and_complaints_are_those_that_were_asked_for() {
        for (line, asked) in [
            ("fortnight --color never --help", Color::Never),
            ("fortnight cicle --color=always", Color::Always),
            ("fortnight --color", Color::Auto),
            ("fortnight --color loud", Color::Auto),
            ("fortnight --help", Color::Auto),
        ] {
            assert_eq!(color(line.split(' ').map(OsString::from)), asked, "{line}");
        }
    }

    #[test]
    fn every_example_is_one_that_the_parser_takes() {
        let mut seen = 0;
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string);
            let lines = help.iter().flat_map(|help| help.lines());
            for line in lines.filter_map(|line| line.strip_prefix("  fortnight ")) {
                let words = line
                    .split('"')
                    .enumerate()
                    .flat_map(|(at, piece)| match at % 2 {
                        0 => piece.split_whitespace().collect(),
                        _ => vec![piece],
                    });
                let parsed = Cli::try_parse_from(["fortnight"].into_iter().chain(words));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                seen += 1;
            }
        }
        assert!(seen > 5, "the examples were not found");
    }
}
