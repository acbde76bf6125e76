//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::known::{delivery_states, events, languages, mails, states};
use super::moment::Moment;
use super::output::Format;
use super::screen::Color;
use crate::desk::log;
use crate::domain::delivery;
use crate::domain::language::Language;
use crate::domain::message::EventKind;
use crate::domain::state::State;
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
    /// The configuration; without it what `FORTNIGHT_CONFIG` names, then ./fortnight.toml, then
    /// /etc/fortnight/fortnight.toml
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Tell each step in the log; twice: each decision and connection too
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The daemon: scheduler, delivery, health. SIGTERM drains, SIGHUP reloads
    Run,
    /// One whole pass, then exit: read, decide, write, deliver what is due
    Cycle(Cycle),
    /// Checks the configuration without any network, every fault at once
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// End with 3 where a name means nobody in the directory
        #[arg(long)]
        strict: bool,
    },
    /// Tries every outside part for real: database, directory, mail, clock; each with its remedy
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor {
        /// Measure the age of exports as if it were this time (RFC 3339, or a date: its midnight in `timezone`)
        #[arg(long, value_name = "TIME")]
        as_of: Option<Moment>,
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
    /// What happened, newest last: windows, mails accepted, flags, holds, operators' acts
    #[command(after_help = LOG_EXAMPLES)]
    Log(Log),
    /// An operator's act on people's windows, audited
    #[command(after_help = WINDOW_EXAMPLES)]
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
    /// Writes an annotated report-only configuration to begin with; asks for what no option says
    #[command(after_help = INIT_EXAMPLES)]
    Init(Init),
    /// The configuration as it counts, and its schema
    #[command(after_help = CONFIG_EXAMPLES)]
    Config {
        /// What to print
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// A sample organisation of about 300 people, played through five weeks
    Demo {
        /// Where to keep database, exports and mails; default: a new folder
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        folder: Option<PathBuf>,
    },
    /// Completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual: all of it, one command's page, or a file for each
    Man(Man),
}

/// Which pages of the manual.
#[derive(Debug, Args)]
pub struct Man {
    /// Only the page of this command: `explain`, `enforcement approve`
    pub command: Vec<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub folder: Option<PathBuf>,
}

/// A configuration to begin with.
#[derive(Debug, Args)]
pub struct Init {
    /// Where facts come from
    #[arg(long, value_enum)]
    pub source: Option<InitSource>,
    /// The folder of exports, for files; it is made where it is missing. Default: tenant
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
    /// The tenant, by id or by one of its domains, for graph
    #[arg(long, value_name = "ID")]
    pub tenant_id: Option<String>,
    /// The application (client) id of the app registration, for graph
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The file with the client secret, for graph
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "graph-secret")]
    pub client_secret_file: String,
    /// An emergency account, which is never asked; may be given several times
    #[arg(long, value_name = "USER")]
    pub exclude: Vec<String>,
    /// The mailbox that mails come from
    #[arg(long, value_name = "MAILBOX")]
    pub from: Option<String>,
    /// Who hears of holds and of what cannot be delivered; may be given several times
    #[arg(long, value_name = "MAILBOX")]
    pub operators: Vec<String>,
    /// The organisation, as mails name it
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// Whom people ask, and where they see that a mail is genuine
    #[arg(long, value_name = "TEXT")]
    pub help_text: Option<String>,
    /// The zone of people and of the schedule; default: that of this machine
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
}

/// Where facts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitSource {
    /// A folder of exports
    Files,
    /// Microsoft Graph
    Graph,
}

/// What to print of a configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every value that counts, with the line or the variable it came from; secrets as ***
    Show {
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// The JSON Schema of the file, for editors
    Schema,
}

/// One pass.
#[derive(Debug, Args)]
pub struct Cycle {
    /// Run the pass as if it were this time, 2026-01-31T08:00:00Z or a date; not earlier than the
    /// newest pass
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Moment>,
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

fn reason(text: &str) -> Result<String, String> {
    within(1_000, text)
}

fn ticket(text: &str) -> Result<String, String> {
    within(100, text)
}

/// What is told again in journals, tables and mails has an end.
fn within(limit: usize, text: &str) -> Result<String, String> {
    match text.chars().count() {
        length if length > limit => Err(format!("{length} characters are more than {limit}")),
        _ => Ok(text.to_owned()),
    }
}

/// Which people to list.
#[derive(Debug, Args)]
pub struct Users {
    /// Only these states; may be given several times
    #[arg(long, value_name = "STATE", value_parser = states())]
    pub state: Vec<State>,
    /// Only this policy
    #[arg(long)]
    pub policy: Option<String>,
    /// Only people a word of whose name, user principal name or mail begins with this, or whose id it is
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Only people whose newest sign-ins could not register
    #[arg(long)]
    pub blocked: bool,
    /// Only people whom nobody can reach
    #[arg(long)]
    pub unreachable: bool,
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
    /// Object ids, user principal names or mail addresses: all of them, or nothing is done
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<String>,
    /// Why, in at most 1,000 characters; kept in the journal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// For `extend`: by how many days of 24 hours, from the later of deadline and now
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "until",
        value_parser = clap::value_parser!(u32).range(1..=365))]
    pub days: Option<u32>,
    /// For `extend`: until this time, 2026-01-31T08:00:00Z or a date; not before the deadline
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// A ticket, in at most 100 characters
    #[arg(long, value_name = "ID", value_parser = ticket)]
    pub ticket: Option<String>,
    /// Only under this policy
    #[arg(long)]
    pub policy: Option<String>,
    /// In rehearsals: act as if it were this time, 2026-01-31T08:00:00Z or a date; default: the
    /// present, or the newest pass if that was a rehearsal
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Moment>,
}

const WINDOW_EXAMPLES: &str = "\
Examples:
  fortnight window extend ana@contoso.com --days 7 --reason \"on parental leave\"
  fortnight window extend ana@contoso.com bo@contoso.com --until 2026-01-31 --reason \"new phones\" --ticket INC-1
  fortnight window close ana@contoso.com --reason \"leaves in March\"";

/// What happened.
#[derive(Debug, Args)]
pub struct Log {
    /// From this time on, 2026-01-31T08:00:00Z or a date
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Before this time, 2026-01-31T08:00:00Z or a date
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Only about this person: an object id, a user principal name or a mail address
    #[arg(long)]
    pub user: Option<String>,
    /// Only this; may be given several times
    #[arg(long, value_name = "EVENT",
        value_parser = clap::builder::PossibleValuesParser::new(log::events()))]
    pub event: Vec<String>,
    /// Only the newest so many; default: 50 in a table, all in JSON and CSV
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// The form of the result
    #[arg(long, default_value = "table")]
    pub format: Format,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  fortnight check --config /etc/fortnight/fortnight.toml --strict";
const DOCTOR_EXAMPLES: &str = "\
Examples:
  fortnight doctor --as-of 2026-01-05";
const CONFIG_EXAMPLES: &str = "\
Examples:
  fortnight config show --format json
  fortnight config schema";
const INIT_EXAMPLES: &str = "\
Examples:
  fortnight init --source files --folder tenant --exclude breakglass1@contoso.com --from identity@contoso.com --timezone Europe/Berlin
  fortnight init --source graph --tenant-id contoso.com --client-id 00000000-0000-0000-0000-000000000000 --exclude breakglass1@contoso.com --from identity@contoso.com";
const LOG_EXAMPLES: &str = "\
JSON and CSV:
  at, event, policy, user {id, user_principal_name, display_name}, step, deadline, by, uid,
  reason and ticket of an operator, hold, mail {event, address}, rehearsed, detail

Examples:
  fortnight log --user ana@contoso.com
  fortnight log --since 2026-01-31 --event enforcement.needed --event enforcement.released
  fortnight log --event operator.extend --format csv";

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
        #[arg(long, value_name = "STATE", value_parser = delivery_states())]
        state: Vec<delivery::State>,
        /// Only this person's
        #[arg(long)]
        user: Option<String>,
        /// At most so many rows, the newest
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
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

const APPROVE_EXAMPLES: &str = "\
Examples:
  fortnight enforcement approve mass --reason \"the first wave, 22 people, as planned\"
  fortnight enforcement approve mass --withdraw --reason \"the service desk is not ready\"";

/// Flags.
#[derive(Debug, Subcommand)]
pub enum EnforcementCommand {
    /// Who is flagged, who would be, and what keeps them
    Plan {
        /// The form of the result
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Let through what a hold holds, for 24 hours; says first whom that covers, and asks
    #[command(after_help = APPROVE_EXAMPLES)]
    Approve {
        /// The hold's id, as `status` and `cycle` list it
        hold: String,
        /// Why, in at most 1,000 characters; kept in the journal
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        /// Do not ask; where stdin is no terminal nobody is asked, and nothing of it is read
        #[arg(short, long)]
        yes: bool,
        /// Take an approval back that no pass has used yet
        #[arg(long)]
        withdraw: bool,
        /// In rehearsals: act as if it were this time, 2026-01-31T08:00:00Z or a date; default: the
        /// present, or the newest pass if that was a rehearsal
        #[arg(long, value_name = "TIME")]
        as_of: Option<Moment>,
    },
}

/// What to render.
#[derive(Debug, Subcommand)]
pub enum Preview {
    /// A mail as the configuration has it sent: its text on a terminal, else the whole message (.eml)
    Email {
        /// The message, by its event
        #[arg(long, default_value = "window.opened", value_name = "EVENT", value_parser = mails())]
        message: EventKind,
        /// The language; default: that of `email.language`
        #[arg(long, value_name = "LANGUAGE", value_parser = languages())]
        language: Option<Language>,
        /// How many days are left; default: 7, and none where a message follows the deadline
        #[arg(long, value_name = "DAYS")]
        days_left: Option<u32>,
        /// To whom the newest sign-in ended with this result code: 50072 (told to register) or 53010
        /// (kept from it), for example
        #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
        sign_in_code: Option<i64>,
        /// Where to write the whole message; default: stdout. FILE.html gets the HTML part alone
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The body of a webhook
    Webhook {
        /// As this one would get it; default: the first that is configured
        name: Option<String>,
        /// The message, by its event
        #[arg(long, default_value = "window.opened", value_name = "EVENT", value_parser = events())]
        message: EventKind,
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
