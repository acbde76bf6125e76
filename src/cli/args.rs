//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;

use super::output::Format;
use crate::time::parse_duration;

/// Runs an Entra multi-factor registration rollout: 14-day windows, reminders before the
/// deadline, and a reason for everything.
#[derive(Debug, Parser)]
#[command(
    name = "fortnight",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The configuration; without it ./fortnight.toml, then /etc/fortnight/fortnight.toml
    #[arg(
        short,
        long,
        global = true,
        env = "FORTNIGHT_CONFIG",
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,
    /// More log; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Only errors in the log
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// The form of the log on stderr; default: text on a terminal, json otherwise
    #[arg(long, global = true, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
    /// Colours
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For log collectors.
    Json,
    /// Native fields of the journal.
    Journald,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The daemon: scheduler, delivery, health. SIGTERM drains, SIGHUP reloads
    Run,
    /// One whole pass, then exit: read, decide, write, deliver what is due
    Cycle(Cycle),
    /// Checks the configuration without any network, every fault at once
    Check {
        /// End with 3 where a name means nobody in the directory
        #[arg(long)]
        strict: bool,
    },
    /// Tries every outside part for real: database, directory, mail, clock; each with its remedy
    Doctor {
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Health, last pass, age of the data, counts per state, what is due next, holds
    Status {
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// One row per policy and person
    Users(Users),
    /// Why a person is in this state, with the evidence, and what comes next
    Explain {
        /// An object id, a user principal name or a mail address
        user: String,
        /// Only under this policy
        #[arg(long)]
        policy: Option<String>,
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// An operator's act on a person's window, audited
    Window(Window),
    /// The outbox
    Deliveries {
        /// What to do
        #[command(subcommand)]
        command: Deliveries,
    },
    /// Flags: what would be enforced and why, and the release of a hold
    Enforcement {
        /// What to do
        #[command(subcommand)]
        command: EnforcementCommand,
    },
    /// Renders a message to a file or to stdout
    Preview {
        /// What to render
        #[command(subcommand)]
        command: Preview,
    },
    /// Sends one marked test message
    Test {
        /// What to send
        #[command(subcommand)]
        command: Test,
    },
    /// A sample organisation of about 300 people, played through five weeks
    Demo {
        /// Where to keep database, exports and mails; default: a new folder
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual page
    Man,
}

/// One pass.
#[derive(Debug, Args)]
pub struct Cycle {
    /// Run the pass as if it were this time (RFC 3339); not earlier than the newest pass
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    /// Write and send nothing; print what would have been done
    #[arg(long)]
    pub dry_run: bool,
    /// How long mails that are due may wait for a budget, 10m for example; none waits under --as-of
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub max_wait: Duration,
    /// The form of the result
    #[arg(long, default_value = "table")]
    pub format: Format,
}

fn duration(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text).map_err(|error| error.to_string())?;
    Duration::try_from(length).map_err(|error| error.to_string())
}

/// Which people to list.
#[derive(Debug, Args)]
pub struct Users {
    /// Only these states; may be given several times
    #[arg(long, value_name = "STATE")]
    pub state: Vec<String>,
    /// Only this policy
    #[arg(long)]
    pub policy: Option<String>,
    /// Only people whose name, user principal name, mail or id contains this
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// By what the rows are ordered; whoever has none of it comes last
    #[arg(long, value_enum, value_name = "KEY", default_value = "deadline")]
    pub sort: SortBy,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// The form of the result
    #[arg(long, default_value = "table")]
    pub format: Format,
}

/// What rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// The deadline of windows that run
    Deadline,
    /// What comes next
    Next,
    /// The user principal name
    User,
    /// The object id, which no pass changes meanwhile: for programs
    Id,
}

/// An operator's act.
#[derive(Debug, Args)]
pub struct Window {
    /// What to do
    #[arg(value_enum)]
    pub act: Act,
    /// An object id, a user principal name or a mail address
    pub user: String,
    /// Why; kept in the journal
    #[arg(long)]
    pub reason: String,
    /// By how many days of 24 hours, for `extend`
    #[arg(long, required_if_eq("act", "extend"), allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=365))]
    pub days: Option<u32>,
    /// A ticket
    #[arg(long, value_name = "ID")]
    pub ticket: Option<String>,
    /// Only under this policy
    #[arg(long)]
    pub policy: Option<String>,
    /// In rehearsals: act as if it were this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
}

/// What an operator can do to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Act {
    /// Move the deadline out and take a flag back
    Extend,
    /// Window and flag go; the next qualifying sign-in opens a full one
    Reset,
    /// No message, flag or new window until `reopen`
    Close,
    /// End a `close`
    Reopen,
}

/// The outbox.
#[derive(Debug, Subcommand)]
pub enum Deliveries {
    /// Every row, oldest first, unless filtered
    List {
        /// Only these states; may be given several times
        #[arg(long, value_name = "STATE")]
        state: Vec<String>,
        /// Only this person's
        #[arg(long)]
        user: Option<String>,
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Try rows again now, with the same Message-ID or webhook-id
    Retry {
        /// Ids of rows, as `deliveries list` has them; or --destination
        ids: Vec<String>,
        /// Everything that waits for this webhook, or died with it: it is well again
        #[arg(long, value_name = "NAME", conflicts_with = "ids")]
        destination: Option<String>,
    },
    /// Set rows aside for good
    Discard {
        /// Ids of rows
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Flags.
#[derive(Debug, Subcommand)]
pub enum EnforcementCommand {
    /// Who is flagged, who would be, and what keeps them
    Plan {
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Let through what a hold holds
    Approve {
        /// The hold's id, as `status` and `cycle` list it
        hold: String,
        /// Why; kept in the journal
        #[arg(long)]
        reason: String,
        /// In rehearsals: act as if it were this time (RFC 3339)
        #[arg(long, value_name = "TIME")]
        as_of: Option<Timestamp>,
    },
}

/// What to render.
#[derive(Debug, Subcommand)]
pub enum Preview {
    /// A mail, as .eml; as the configuration has it sent
    Email {
        /// The message, by its event: window.opened, window.reminder, …
        #[arg(long, default_value = "window.opened", value_name = "EVENT")]
        message: String,
        /// The language; default: that of [email]
        #[arg(long)]
        language: Option<String>,
        /// How many days are left; default: 7, and none where a message follows the deadline
        #[arg(long, value_name = "DAYS")]
        days_left: Option<u32>,
        /// To whom the newest sign-in ended with this result code: 50072 (told to register) or 53010
        /// (kept from it), for example
        #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
        sign_in_code: Option<i64>,
        /// Where to write; default: stdout. FILE.html gets the HTML part alone
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The body of a webhook
    Webhook {
        /// As this one would get it; default: the first that is configured
        name: Option<String>,
        /// The message, by its event: window.opened, hold.raised, …
        #[arg(long, default_value = "window.opened", value_name = "EVENT")]
        message: String,
        /// Where to write; default: stdout
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What to send.
#[derive(Debug, Subcommand)]
pub enum Test {
    /// One mail, marked as a test
    Email {
        /// To whom; default: the operators
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// One event, marked as a test
    Webhook {
        /// To which webhook
        name: String,
    },
}
