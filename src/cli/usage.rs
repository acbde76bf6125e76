//! The parser's complaint or help in the colours that were asked for, and what stands below a complaint:
//! the examples of the command that was meant.

use std::ffi::OsString;
use std::io::{self, ErrorKind::BrokenPipe, Write};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, ValueEnum as _};

use super::args::Cli;
use super::screen::{Color, width_of_help};

/// How the help of a command begins its examples.
const EXAMPLES: &str = "Examples:\n";

/// What the words of this process ask for. Help is as wide as the terminal, whatever a variable says.
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command().term_width(width_of_help());
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

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
    let text = if color.is_wanted(to.is_terminal()) {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    write!(to, "{}", without_escape(error, &text))?;
    to.flush()
}

/// How the parser begins its advice to write an option that is none behind `--`: the act would be done to somebody
/// of that name.
const ESCAPE: &str = "to pass '";

/// The complaint without that advice.
fn without_escape(error: &clap::Error, text: &str) -> String {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if error.kind() == ErrorKind::UnknownArgument => {
            unknown
        }
        _ => return text.to_owned(),
    };
    let advice = match unknown.as_str() {
        "--yes" => "  what asks nothing has no --yes",
        _ => "",
    };
    let parts = text.split("\n\n").map(|part| {
        let lines = part.split('\n');
        let kept = lines.map(|line| if line.contains(ESCAPE) { advice } else { line });
        kept.filter(|line| !line.is_empty() || part.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    });
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    format!("{}\n", parts.join("\n\n"))
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
    fn no_option_is_advised_to_be_written_as_a_person() {
        for (line, advice) in [
            (
                "fortnight window close ana --reason x --yes",
                "\n  what asks nothing has no --yes\n",
            ),
            ("fortnight window close ana --reason x --force", ""),
            (
                "fortnight explain ana --yes",
                "\n  what asks nothing has no --yes\n",
            ),
            ("fortnight window close ana --raeson x", "'--reason'"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            let said = without_escape(&error, &error.render().to_string());
            assert!(said.starts_with("error: unexpected argument '--"), "{said}");
            assert!(
                said.contains(advice) && said.contains("\n\nUsage: "),
                "{said}"
            );
            assert!(
                !said.contains("-- --") && !said.contains("\n\n\n"),
                "{said}"
            );
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
