//! `completions`: what a shell offers. Where a person, a hold or a text is wanted no file is offered.
//!
//! The trap: what the library makes for bash and fish falls back to files wherever it offers nothing else.

use clap::builder::PossibleValue;
use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;

use super::output::Printer;
use crate::exit::DONE;

/// What bash falls back to where nothing is offered.
const FILES_OF_BASH: &str = " -o bashdefault -o default";

pub(super) fn run(shell: Shell, program: Command, out: &mut Printer) -> anyhow::Result<u8> {
    out.bytes(script(shell, hinted(program)).as_bytes())?;
    Ok(DONE)
}

fn script(shell: Shell, mut program: Command) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut program, "fortnight", &mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match shell {
        Shell::Bash => text.replace(FILES_OF_BASH, ""),
        Shell::Fish => text + &words_of_fish(&program),
        _ => text,
    }
}

/// The command, each of its arguments with what is offered for it.
fn hinted(command: Command) -> Command {
    command.mut_args(hint).mut_subcommands(hinted)
}

fn hint(arg: Arg) -> Arg {
    let takes_any = arg.get_action().takes_values() && arg.get_possible_values().is_empty();
    match arg.get_value_hint() {
        ValueHint::Unknown if takes_any => arg.value_hint(ValueHint::Other),
        ValueHint::AnyPath => arg.value_hint(ValueHint::FilePath),
        _ => arg,
    }
}

/// For fish, which is told nothing of arguments without a name: no files, and the words there are. And of the
/// options before a command, whose value the library's own condition does not let through.
fn words_of_fish(program: &Command) -> String {
    let mut lines = vec!["complete -c fortnight -f".to_owned()];
    let options = program.get_opts().filter_map(|arg| {
        let values = match words(arg).as_str() {
            "" => "-F".to_owned(),
            words => format!("-f -a \"{words}\""),
        };
        let long = arg.get_long()?;
        Some(format!("complete -c fortnight -l {long} -r {values}"))
    });
    lines.extend(options);
    for command in program.get_subcommands() {
        let name = command.get_name();
        let words = command.get_positionals().map(words);
        lines.extend(words.filter(|words| !words.is_empty()).map(|words| {
            format!("complete -c fortnight -n \"__fish_fortnight_using_subcommand {name}; and not __fish_seen_subcommand_from {words}\" -f -a \"{words}\"")
        }));
    }
    lines.join("\n") + "\n"
}

/// What an argument may be, where there is only so much.
fn words(arg: &Arg) -> String {
    let words = arg.get_possible_values();
    let words: Vec<&str> = words.iter().map(PossibleValue::get_name).collect();
    words.join(" ")
}
