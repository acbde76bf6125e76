//! The commands: they parse, ask the floors below, and print. Exit codes are contract 1's.

pub mod args;
mod check;
mod cycle;
mod deliveries;
mod demo;
mod doctor;
mod enforcement;
mod explain;
pub mod later;
mod output;
mod preview;
mod progress;
mod status;
mod users;
mod view;
mod window;

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use jiff::Timestamp;

use self::args::{Cli, Command};
use self::output::Printer;
use crate::config::Config;
use crate::domain::facts::{Channel, World};
use crate::domain::id::UserId;
use crate::domain::policy::Policy;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, FAILED, WRONG};
use crate::pass;
use crate::store::outcome::Outcome;
use crate::store::{Store, StoreError, Whom};
use crate::time::Clock;

/// People whom a reader loads at once.
const AT_ONCE: u32 = 2_000;

/// Runs a command.
pub async fn run(cli: Cli) -> ExitCode {
    let mut out = Printer::stdout();
    match command(cli, &mut out).await {
        Ok(code) => ExitCode::from(code),
        Err(error) if output::reader_went_away(&error) => ExitCode::from(DONE),
        Err(error) => {
            eprintln!("fortnight: {}", chain(error.as_ref()));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What an error means to whoever called.
fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        return WRONG;
    }
    match error.downcast_ref::<StoreError>() {
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
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "fortnight", &mut text);
            out.bytes(&text)?;
            return Ok(DONE);
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            out.bytes(&text)?;
            return Ok(DONE);
        }
        Command::Demo { folder } => return demo::play(folder.as_deref(), out).await,
        Command::Check => return check::run(&cli, out).await,
        _ => {}
    }
    let config = check::load(&cli)?;
    match cli.command {
        Command::Run => crate::daemon::run(config, cli.config).await,
        Command::Cycle(args) => cycle::run(&config, &args, out).await,
        Command::Doctor { format } => doctor::run(&config, format, out).await,
        Command::Status { format } => status::run(&config, format, out).await,
        Command::Users(args) => users::run(&config, &args, out).await,
        Command::Explain {
            user,
            policy,
            format,
        } => explain::run(&config, &user, policy.as_deref(), format, out).await,
        Command::Window(args) => window::run(&config, &args, out).await,
        Command::Deliveries { command } => deliveries::run(&config, command, out).await,
        Command::Enforcement { command } => enforcement::run(&config, command, out).await,
        Command::Preview { command } => preview::preview(&config, &command, out).await,
        Command::Test { command } => preview::test(&config, &command, out).await,
        Command::Completions { .. } | Command::Man | Command::Demo { .. } | Command::Check => {
            Ok(DONE)
        }
    }
}

/// What every reader needs: the store, the policies as they are, and the time of the newest pass,
/// by which states are told.
pub(super) struct Reader {
    pub(super) store: Store,
    pub(super) policies: Vec<Policy>,
    pub(super) world: World,
    pub(super) now: Timestamp,
}

impl Reader {
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Store::open_existing(&config.database).await?;
        let now = store
            .newest_pass()
            .await?
            .unwrap_or_else(|| Clock::system().now());
        let channel = if config.can_tell() {
            Channel::Works
        } else {
            Channel::None
        };
        let policies = pass::policies(&store, config, now).await?;
        let world = pass::world(&store, config, channel).await?;
        Ok(Self {
            store,
            policies,
            world,
            now,
        })
    }

    /// Decides about some people, the effects thrown away.
    pub(super) async fn look(&self, whom: &Whom) -> anyhow::Result<Vec<Outcome>> {
        let dossiers = self.store.load(whom).await?;
        Ok(dossiers
            .into_iter()
            .map(|dossier| pass::look(dossier, &self.policies, &self.world, self.now))
            .collect())
    }

    /// Walks over everybody, by id.
    pub(super) async fn everybody(&self, mut each: impl FnMut(Outcome)) -> anyhow::Result<()> {
        let mut above = String::new();
        loop {
            let ids = self.store.ids_above(&above, AT_ONCE).await?;
            let Some(last) = ids.last().cloned() else {
                return Ok(());
            };
            for outcome in self.look(&Whom::Range(above, last.clone())).await? {
                each(outcome);
            }
            above = last;
        }
    }

    /// Refuses a policy that is not in the configuration.
    pub(super) fn knows_policy(&self, name: &str) -> Result<(), Usage> {
        let known: Vec<&str> = self
            .policies
            .iter()
            .map(|policy| policy.name.as_str())
            .collect();
        if known.contains(&name) {
            return Ok(());
        }
        let known = known.join(", ");
        Err(Usage(format!(
            "there is no policy {name:?}; the policies are {known}"
        )))
    }

    /// The one person whom a name means.
    pub(super) async fn person(&self, name: &str) -> anyhow::Result<UserId> {
        one(&self.store, name).await
    }
}

/// The one person whom an id, a user principal name or a mail address means.
pub(super) async fn one(store: &Store, name: &str) -> anyhow::Result<UserId> {
    let found = store.find(name).await?;
    let by_id: HashSet<&UserId> = found
        .iter()
        .filter(|id| id.as_str() == name.trim().to_lowercase())
        .collect();
    match (found.as_slice(), by_id.into_iter().next()) {
        (_, Some(id)) | ([id], None) => Ok(id.clone()),
        ([], None) => Err(Usage(format!("nobody is known by {name:?}: give an object id, a user principal name or a mail address")).into()),
        (several, None) => {
            let whom = Whom::these(several.iter().map(UserId::as_str));
            let list: Vec<String> = store
                .load(&whom)
                .await?
                .into_iter()
                .map(|dossier| format!("  {}  {}", dossier.person.id, crate::delivery::text::clean_line(&dossier.person.user_principal_name, 100)))
                .collect();
            Err(Usage(format!("{name:?} fits {} people; say which by object id:\n{}", several.len(), list.join("\n"))).into())
        }
    }
}

/// Who acts, for the journal: the account of the operating system.
pub(super) fn operator() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// The moment of an operator's act: `--as-of`, or now, and never before the newest pass.
pub(super) async fn act_time(store: &Store, as_of: Option<Timestamp>) -> anyhow::Result<Timestamp> {
    let newest = store
        .newest_pass()
        .await
        .context("reading the newest pass")?;
    Ok(match as_of {
        Some(at) => at,
        None => newest.map_or_else(
            || Clock::system().now(),
            |newest| newest.max(Clock::system().now()),
        ),
    })
}
