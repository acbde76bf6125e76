//! An example of the right form, for whoever got a command line wrong.

use clap::error::ErrorKind;

/// An example of each command that takes something.
const EXAMPLES: [(&str, &str); 4] = [
    (
        "check",
        "fortnight check --config /etc/fortnight/fortnight.toml --strict",
    ),
    (
        "doctor",
        "fortnight doctor --as-of 2026-01-05T08:00:00+01:00",
    ),
    ("config", "fortnight config show --format json"),
    (
        "init",
        "fortnight init --source files --folder tenant --exclude breakglass1@contoso.com --from identity@contoso.com --timezone Europe/Berlin",
    ),
];

/// The example of the command among these words; none where help was all that was asked for.
#[must_use]
pub fn of(error: &clap::Error, words: impl IntoIterator<Item = String>) -> Option<&'static str> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return None;
    }
    words.into_iter().find_map(|word| {
        let (_, example) = EXAMPLES.iter().find(|(command, _)| *command == word)?;
        Some(*example)
    })
}

/// The example of a command.
#[must_use]
pub(super) fn of_command(command: &str) -> &'static str {
    let found = EXAMPLES.iter().find(|(name, _)| *name == command);
    found.map_or("fortnight help", |(_, example)| example)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_example_is_understood() {
        for (command, example) in EXAMPLES {
            let cli = Cli::try_parse_from(example.split(' '));
            assert!(cli.is_ok(), "{example}");
            assert_eq!(of_command(command), example);
        }
    }

    #[test]
    fn a_wrong_command_line_is_answered_with_an_example_and_a_question_for_help_is_not() {
        for (line, example) in [
            ("doctor --as-of 26-01-05", Some("fortnight doctor --as-of")),
            ("--quiet config", Some("fortnight config show")),
            ("init --source ldap", Some("fortnight init --source files")),
            ("init --help", None),
            ("status --nonsense", None),
        ] {
            let words = || line.split(' ').map(str::to_owned);
            let error = Cli::try_parse_from(["fortnight".to_owned()].into_iter().chain(words()));
            let said = of(&error.unwrap_err(), words());
            assert_eq!(said.is_some(), example.is_some(), "{line}");
            assert!(
                said.unwrap_or_default()
                    .starts_with(example.unwrap_or_default())
            );
        }
    }
}
