//! `docs/commands.md`: the commands and their options, made from the words of the parser, as `--help`
//! has them.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use fortnight::cli::args::Cli;

use crate::config::published;

pub(crate) const FILE: &str = "docs/commands.md";

const INTRODUCTION: &str = "\
# Commands

Made from the program's own words, as `fortnight COMMAND --help` has them, too. What to do with them and when is in
[operations.md](operations.md), and what they end with under [exit codes](operations.md#exit-codes).

Results go to stdout; the log and progress go to stderr.
";

#[test]
fn the_published_commands_are_those_of_the_program() {
    published(FILE, &markdown());
}

/// The program as the parser knows it.
pub(crate) fn program() -> Command {
    let mut program = Cli::command();
    program.build();
    program
}

/// Every command that is run by itself, as it is typed.
pub(crate) fn runnable(command: &Command) -> Vec<&Command> {
    let below: Vec<&Command> = subcommands(command).collect();
    if below.is_empty() {
        return vec![command];
    }
    below.into_iter().flat_map(runnable).collect()
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

/// The reference: a section for each command, and one for what all of them take.
pub(crate) fn markdown() -> String {
    let program = program();
    let mut text = String::from(INTRODUCTION);
    let everywhere = arguments(&program).filter(|argument| argument.is_global_set());
    let _ = writeln!(text, "\n## Options of every command\n");
    table(&mut text, everywhere);
    for command in subcommands(&program) {
        section(&mut text, command, 2);
    }
    text
}

fn section(text: &mut String, command: &Command, level: usize) {
    let _ = writeln!(text, "\n{} `{}`\n", "#".repeat(level), typed(command));
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "{}.", about.trim_end_matches('.'));
    let below: Vec<&Command> = subcommands(command).collect();
    for command in &below {
        section(text, command, level + 1);
    }
    if !below.is_empty() {
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(text, "\n```\n{usage}\n```");
    let own: Vec<&Arg> = arguments(command)
        .filter(|argument| !argument.is_global_set())
        .collect();
    if !own.is_empty() {
        text.push('\n');
        table(text, own.into_iter());
    }
    let examples = command
        .get_after_long_help()
        .or_else(|| command.get_after_help());
    if let Some(examples) = examples {
        let _ = writeln!(text, "\n```\n{}\n```", examples.to_string().trim_end());
    }
}

/// The command as it is typed.
pub(crate) fn typed(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

/// What a command takes, but for what every program does.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| {
        !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
    })
}

fn table<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    text.push_str("| takes | default | meaning |\n| --- | --- | --- |\n");
    for argument in arguments {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            name(argument),
            default(argument),
            meaning(argument)
        );
    }
}

fn name(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .and_then(<[_]>::first)
        .filter(|_| argument.get_action().takes_values())
        .map(ToString::to_string);
    let short = argument.get_short().map(|short| format!("`-{short}`"));
    let long = argument.get_long().map(|long| format!("`--{long}`"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let value = value.map(|value| format!("`{value}`"));
    if names.is_empty() {
        return value.unwrap_or_default();
    }
    let value = value.map(|value| format!(" {value}")).unwrap_or_default();
    format!("{}{value}", names.join(", "))
}

fn default(argument: &Arg) -> String {
    let defaults: Vec<_> = argument.get_default_values().iter().collect();
    match defaults.first() {
        _ if argument.is_required_set() => "**required**".to_owned(),
        Some(value) if argument.get_action().takes_values() => {
            format!("`{}`", value.to_string_lossy())
        }
        _ => String::new(),
    }
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut sentences = vec![format!("{}.", cell(&help).trim_end_matches('.'))];
    let values = argument.get_possible_values();
    if argument.get_action().takes_values() && !values.is_empty() {
        let values: Vec<String> = values
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| {
                let help = value.get_help().map(ToString::to_string);
                let help = help.map(|help| format!(" ({})", cell(&help).trim_end_matches('.')));
                format!("`{}`{}", value.get_name(), help.unwrap_or_default())
            })
            .collect();
        sentences.push(format!("One of {}.", values.join(", ")));
    }
    sentences.join(" ")
}

/// Words that stand in a cell of a table.
fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "\\<")
}
