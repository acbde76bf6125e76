//! The commands: they parse, ask the floors below, and print. They end with 0 done, 1 failed, 2 wrong
//! usage or configuration, 3 done but held or degraded.

pub mod args;
mod check;
mod completions;
mod config;
mod cycle;
mod deliveries;
mod demo;
mod doctor;
mod enforcement;
mod explain;
pub mod filter;
mod init;
pub mod known;
pub mod later;
mod log;
mod man;
pub mod moment;
mod operator;
mod output;
mod plan;
mod preview;
pub mod progress;
mod screen;
mod status;
mod table;
mod times;
pub mod usage;
mod users;
mod window;
mod words;

use std::process::ExitCode;

use clap::CommandFactory as _;

use self::args::{Cli, Command, ConfigCommand};
use self::output::Printer;
use self::screen::Screen;
use crate::desk::DeskError;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, FAILED, WRONG};
use crate::store::StoreError;

/// Runs a command.
pub async fn run(cli: Cli) -> ExitCode {
    let (screen, errors) = (Screen::stdout(cli.color), Screen::stderr(cli.color));
    let mut out = Printer::stdout(screen);
    match Box::pin(command(cli, &mut out)).await {
        Ok(code) => ExitCode::from(code),
        Err(error) if output::reader_went_away(&error) => ExitCode::from(DONE),
        Err(error) => {
            eprintln!("{}", errors.complaint(&chain(error.as_ref())));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What an error means to whoever called.
fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        return WRONG;
    }
    let store = match error.downcast_ref::<DeskError>() {
        Some(DeskError::Unknown(_) | DeskError::Several(_) | DeskError::Refused(_)) => {
            return WRONG;
        }
        Some(DeskError::NotYet(_)) => return FAILED,
        Some(DeskError::Store(error)) => Some(error),
        None => error.downcast_ref::<StoreError>(),
    };
    match store {
        Some(StoreError::Vanished { .. }) => DEGRADED,
        _ => FAILED,
    }
}

/// The command cannot be carried out as it was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

async fn command(cli: Cli, out: &mut Printer) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Completions { shell } => {
            return completions::run(*shell, Cli::command(), out);
        }
        Command::Man(args) => return man::run(args, &Cli::command(), out),
        Command::Init(args) => return init::run(args, cli.config.as_deref(), out),
        Command::Config {
            command: ConfigCommand::Schema,
        } => return config::schema(out),
        Command::Demo { folder } => return demo::play(folder.as_deref(), out).await,
        Command::Check { strict } => return check::run(&cli, *strict, out).await,
        _ => {}
    }
    let config = check::load(&cli)?;
    match cli.command {
        Command::Run => Box::pin(crate::daemon::run(config, cli.config)).await,
        Command::Cycle(args) => cycle::run(&config, &args, out).await,
        Command::Doctor { as_of, format } => doctor::run(&config, as_of, format, out).await,
        Command::Config {
            command: ConfigCommand::Show { format },
        } => config::show(&config, format, out),
        Command::Status { format } => status::run(&config, format, out).await,
        Command::Users(args) => users::run(&config, &args, out).await,
        Command::Explain {
            user,
            policy,
            format,
        } => explain::run(&config, &user, policy.as_deref(), format, out).await,
        Command::Log(args) => log::run(&config, args, out).await,
        Command::Window(args) => window::run(&config, &args, out).await,
        Command::Deliveries { command } => deliveries::run(&config, command, out).await,
        Command::Enforcement { command } => enforcement::run(&config, command, out).await,
        Command::Preview { command } => preview::preview(&config, &command, out).await,
        Command::Test { command } => preview::test(&config, &command, out).await,
        Command::Completions { .. }
        | Command::Man(_)
        | Command::Init(_)
        | Command::Config {
            command: ConfigCommand::Schema,
        }
        | Command::Demo { .. }
        | Command::Check { .. } => Ok(DONE),
    }
}
