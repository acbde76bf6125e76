//! `fortnight`: see the library for the map.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use fortnight::cli::args::{Cli, Command, LogFormat};
use fortnight::cli::progress::Stderr;
use fortnight::cli::{filter, later, usage};
use fortnight::config::Config;
use fortnight::exit::WRONG;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// With musl's own a pass over 60,000 people took half as much time again as with glibc's.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut cli = match usage::parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    cli.config = cli.config.or_else(Config::named_by_environment);
    log(&cli);
    // One provider of cryptography for everything that speaks TLS.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(fortnight::cli::run(cli)),
        Err(error) => {
            eprintln!("fortnight: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A command line that is none, with an example of the right form; or help that was asked for.
fn refused(error: &clap::Error) -> ExitCode {
    if let Some(text) = later::refusal(error) {
        eprintln!("fortnight: {text}");
        return ExitCode::from(WRONG);
    }
    if let Err(error) = usage::print(error, std::env::args_os()) {
        eprintln!("fortnight: {error}");
        return ExitCode::FAILURE;
    }
    if let Some(examples) = usage::examples(error, std::env::args_os()) {
        eprintln!("\n{examples}");
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG))
}

/// The log goes to stderr: text on a terminal, native fields for the journal, JSON otherwise.
fn log(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "error",
        // The demo tells its story on stdout; the log would tell it twice.
        (_, 0) if matches!(cli.command, Command::Demo { .. }) => "error",
        (_, 0) => "info,sqlx=warn,tokio_cron_scheduler=warn",
        // What this program does, and not what its libraries do for it: they would drown it.
        (_, 1) => "info,fortnight=debug,sqlx=warn,tokio_cron_scheduler=warn",
        // No library at trace: what they say there can be what was sent, tokens among it.
        (_, _) => "debug,fortnight=trace,sqlx=info,tokio_cron_scheduler=info",
    };
    let asked = std::env::var_os(filter::VARIABLE).unwrap_or_default();
    let (filter, unknown) = filter::chosen(&asked.to_string_lossy(), level);
    let registry = tracing_subscriber::registry().with(filter);
    let format = cli.log_format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        }
    });
    let coloured = cli.color.is_wanted(std::io::stderr().is_terminal());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(Stderr::default)
        .with_ansi(coloured);
    match format {
        LogFormat::Text => registry.with(layer.with_target(false)).init(),
        LogFormat::Json => registry.with(layer.json()).init(),
        LogFormat::Journald => match tracing_journald::layer() {
            Ok(journal) => registry.with(journal).init(),
            Err(_) => registry.with(layer.json()).init(),
        },
    }
    if let Some(unknown) = unknown {
        tracing::warn!(
            "{} is not understood, the usual is logged: {unknown:?}; write a level (error, warn, info, debug, trace) or PART=LEVEL, as info,fortnight=debug",
            filter::VARIABLE
        );
    }
}
