//! The checked configuration: what the rest of the program may trust.
//!
//! [`Config::load`] reads a file and the environment and gives either a whole configuration with
//! its warnings, or every fault at once. Values of later versions are refused by name.

mod codes;
mod directory;
mod document;
mod email;
pub mod fault;
mod kinds;
mod mask;
mod no_toml;
mod policies;
mod reader;
mod record;
pub mod reference;
mod secret;
mod sections;
mod suggest;
mod text;
mod values;
mod webhooks;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lettre::message::Mailbox;
use toml::de::DeTable;

pub use self::codes::default_result_codes;
pub use self::directory::{Directory, Exports};
pub use self::document::{KeyDoc, Kind, Setting};
pub use self::fault::{Fault, Faults, Place, Severity};
pub(crate) use self::suggest::nearest;
pub(crate) use self::zones::{
    is_of_people as is_zone_of_people, named as zone_named, remedy as zone_remedy,
};

use self::document::Document;
use self::fault::Source;
use crate::delivery::mail::Sender;
use crate::delivery::smtp::SmtpConfig;
use crate::delivery::webhook::Endpoint;
use crate::domain::assignment::NameList;
use crate::domain::facts::{Freshness, NoticeBy};
use crate::domain::id::PolicyName;
use crate::domain::language::{Language, Manner, Wording};
use crate::domain::message::EventKind;
use crate::domain::policy::{Enforce, Mode, StartOn, Step};
use crate::domain::sign_in::ResultCodes;
use crate::time::CronPattern;

/// The configuration of the service that the packages bring.
pub const OF_SERVICE: &str = "/etc/fortnight/fortnight.toml";

/// Where a configuration is looked for when none is named.
const PLACES: [&str; 2] = ["fortnight.toml", OF_SERVICE];

/// The default of a key that has none.
const REQUIRED: &str = "required";

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The zone of people and of the schedule.
    pub zone: TimeZone,
    /// The database file.
    pub database: PathBuf,
    /// Where facts come from.
    pub directory: Directory,
    /// When passes run.
    pub schedule: Schedule,
    /// How old facts may be that flag somebody.
    pub freshness: Freshness,
    /// The policies, in the order of the file.
    pub policies: Vec<PolicyConfig>,
    /// How people are told; absent: not at all.
    pub email: Option<Email>,
    /// Where events go.
    pub webhooks: Vec<Webhook>,
    /// What follows from a flag.
    pub mode: Mode,
    /// Where health is served.
    pub http: Option<Http>,
    /// The classes of result codes, overrides included.
    pub result_codes: ResultCodes,
    /// Nothing is sent: a dry run.
    pub is_rehearsal: bool,
    /// Keys that name the file of a secret which others can read.
    pub exposed: Vec<String>,
    /// The value that counts of each key, in the order in which they are read.
    pub settings: Vec<Setting>,
    source: Arc<Source>,
}

/// When passes run.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Cron patterns with seconds, in the configured zone.
    pub poll: Vec<CronPattern>,
    /// How often Graph's whole registration report is read.
    pub registration: SignedDuration,
}

/// Where health is served.
#[derive(Debug, Clone, Copy)]
pub struct Http {
    /// The address.
    pub listen: SocketAddr,
}

/// A policy with names as the file spells them.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of the configuration, each by its name"
)]
pub struct PolicyConfig {
    /// Its name.
    pub name: PolicyName,
    /// What people read instead.
    pub title: Option<Wording>,
    /// On, report-only or off.
    pub enforce: Enforce,
    /// The length of the window.
    pub window: SignedDuration,
    /// The least time between a notice and a flag.
    pub min_notice: SignedDuration,
    /// Whom it includes.
    pub include: IncludeNames,
    /// Whom it excludes.
    pub exclude: Names,
    /// Where the names of both stand in the file.
    places: NamePlaces,
    /// When messages are due.
    pub reminders: Vec<Step>,
    /// When the policy was switched on, if that was before the first pass.
    pub since: Option<Timestamp>,
    /// Whether guests are eligible.
    pub guests: bool,
    /// Whether members of nested groups count.
    pub nested: bool,
    /// Whether passwordless methods alone are enough.
    pub accept_passwordless: bool,
    /// Which sign-ins open a window.
    pub start_on: StartOn,
    /// Microsoft's own manner: no notice, no floors.
    pub strict: bool,
}

impl PolicyConfig {
    /// Every group that it names, in its inclusion or its exclusion.
    pub fn groups(&self) -> impl Iterator<Item = &String> {
        self.names().flat_map(|names| &names.groups)
    }

    /// Every user whom it names, likewise.
    pub fn users(&self) -> impl Iterator<Item = &String> {
        self.names().flat_map(|names| &names.users)
    }

    fn names(&self) -> impl Iterator<Item = &Names> {
        let included = match &self.include {
            IncludeNames::Selected(names) => Some(names),
            IncludeNames::AllUsers => None,
        };
        included.into_iter().chain([&self.exclude])
    }
}

/// Where each name of a policy stands.
type NamePlaces = BTreeMap<(NameList, String), Place>;

/// Whom a policy includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncludeNames {
    /// All users.
    AllUsers,
    /// These.
    Selected(Names),
}

/// Users and groups by name or object id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Users by object id or user principal name.
    pub users: Vec<String>,
    /// Groups by object id or display name.
    pub groups: Vec<String>,
}

/// How people are told.
#[derive(Debug, Clone)]
pub struct Email {
    /// Who writes, and in which words.
    pub sender: Sender,
    /// Told of holds and of what cannot be delivered.
    pub operators: Vec<Mailbox>,
    /// Domains whose user principal names are mailboxes.
    pub upn_domains: Vec<String>,
    /// How mails leave.
    pub transport: EmailTransport,
    /// How many may leave.
    pub budgets: Budgets,
}

/// Where events go, and which of them.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What it gets.
    pub events: BTreeSet<EventKind>,
}

impl Webhook {
    /// Whether it can serve as notice, where no mail is configured (rule 7.11): whoever hears
    /// of some deadlines only would leave those who come back, say, untold for ever.
    #[must_use]
    pub fn gives_notice(&self) -> bool {
        let mut announcing = EventKind::ALL.into_iter().filter(|kind| kind.announces());
        !self.endpoint.dialect.folds() && announcing.all(|kind| self.events.contains(&kind))
    }
}

/// How mails leave.
#[derive(Debug, Clone)]
pub enum EmailTransport {
    /// By SMTP.
    Smtp(SmtpConfig),
    /// Into a folder, one `.eml` each.
    File(PathBuf),
}

/// How many mails may leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budgets {
    /// In any minute.
    pub per_minute: Option<u32>,
    /// In any 24 hours.
    pub per_day: Option<u32>,
}

impl Email {
    /// The addresses of the operators.
    #[must_use]
    pub fn operator_addresses(&self) -> Vec<String> {
        self.operators
            .iter()
            .map(|mailbox| mailbox.email.to_string())
            .collect()
    }
}

impl Config {
    /// Reads a configuration. The warnings come with it; faults refuse it, all at once.
    pub fn load(
        path: &Path,
        variables: impl IntoIterator<Item = (String, OsString)>,
    ) -> Result<(Self, Vec<Fault>), Faults> {
        let text = text::read(path).map_err(|unread| {
            let source = Source::new(path.display().to_string(), String::new());
            Faults(vec![Fault::new(
                Severity::Error,
                Place::Missing,
                unread.message,
                unread.remedy.to_owned(),
                Arc::new(source),
            )])
        })?;
        let document = Document::new(path, text, variables);
        let config = read(&document);
        tracing::debug!("read the configuration {}", path.display());
        let faults = Faults::sorted(document.faults.into_inner());
        match config {
            Some(config) if faults.are_warnings() => Ok((config, faults.0)),
            _ => Err(faults),
        }
    }

    /// Reads the configuration of this process: the file that was named, or the first of the usual
    /// places, and the environment; and judges what the time decides.
    pub fn of_process(file: Option<&Path>, now: Timestamp) -> Result<(Self, Vec<Fault>), Faults> {
        let path = file.map_or_else(Self::find, Path::to_owned);
        let (config, mut warnings) = Self::load(&path, Self::environment())?;
        let ahead = config.ahead(now);
        if ahead.is_empty() {
            return Ok((config, warnings));
        }
        warnings.extend(ahead);
        Err(Faults::sorted(warnings))
    }

    /// Policies whose `since` lies ahead: no sign-in would count, in silence.
    fn ahead(&self, now: Timestamp) -> Vec<Fault> {
        let policies = self.policies.iter().enumerate();
        policies
            .filter(|(_, policy)| policy.since.is_some_and(|since| since > now))
            .map(|(number, policy)| {
                let message = format!("`since` of policy {} lies ahead: until then no sign-in would count", policy.name);
                let remedy = "leave it out to begin with the first pass, or name a day that is past; until it is to begin, enforce = \"off\" keeps it waiting";
                self.fault_of_key(&format!("policy[{number}].since"), message, remedy)
            })
            .collect()
    }

    /// A fault of the value of a key, which the file alone does not show.
    #[must_use]
    pub fn fault_of_key(
        &self,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Fault {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        let place = setting.map_or(Place::Missing, |setting| setting.place.clone());
        let source = Arc::clone(&self.source);
        Fault::new(
            Severity::Error,
            place,
            message.into(),
            remedy.into(),
            source,
        )
    }

    /// The file and the line of a setting, where it stands in the file.
    #[must_use]
    pub fn line_of(&self, setting: &Setting) -> Option<(&str, usize)> {
        let line = self.source.line(&setting.place)?;
        Some((self.source.name(), line))
    }

    /// The environment, as [`Self::load`] takes it; a variable whose name is no text is none of ours.
    pub fn environment() -> impl Iterator<Item = (String, OsString)> {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
    }

    /// The file that the environment names.
    #[must_use]
    pub fn named_by_environment() -> Option<PathBuf> {
        let named = std::env::var_os("FORTNIGHT_CONFIG");
        named.filter(|name| !name.is_empty()).map(PathBuf::from)
    }

    /// The file that is read when none is named: the first of the usual places that exists.
    pub fn find() -> PathBuf {
        PLACES
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .unwrap_or_else(|| PathBuf::from(PLACES[0]))
    }

    /// The webhook of that name.
    #[must_use]
    pub fn webhook(&self, name: &str) -> Option<&Webhook> {
        self.webhooks
            .iter()
            .find(|webhook| webhook.endpoint.name == name)
    }

    /// A fault of a name in a policy, which only whoever knows the directory can see.
    #[must_use]
    pub fn fault_of_name(
        &self,
        policy: &PolicyConfig,
        (list, name): (NameList, &str),
        message: String,
        remedy: String,
    ) -> Fault {
        let place = policy.places.get(&(list, name.to_owned()));
        let place = place.cloned().unwrap_or(Place::Missing);
        let source = Arc::clone(&self.source);
        Fault::new(Severity::Warning, place, message, remedy, source)
    }

    /// The domain of Message-IDs: that of the sender.
    #[must_use]
    pub fn sender_domain(&self) -> String {
        self.email.as_ref().map_or_else(
            || "fortnight.invalid".to_owned(),
            |email| email.sender.from.email.domain().to_owned(),
        )
    }

    /// How operators are written to.
    #[must_use]
    pub fn manner(&self) -> Manner {
        let language = self.email.as_ref().map(|email| &email.sender.language);
        Manner {
            language: Language::choose(None, language.map_or("", String::as_str)),
            zone: self.zone.clone(),
        }
    }

    /// What an accepted message is to count as notice (rule 7.11).
    #[must_use]
    pub fn notice_by(&self) -> NoticeBy {
        if self.email.is_none() && self.webhooks.iter().any(Webhook::gives_notice) {
            NoticeBy::Webhook
        } else {
            NoticeBy::Mail
        }
    }

    /// Whether people can be told at all.
    #[must_use]
    pub fn can_tell(&self) -> bool {
        self.email.is_some() || self.notice_by() == NoticeBy::Webhook
    }

    /// Has nothing go out, for a dry run: the outbox is planned and not delivered.
    pub fn rehearse(&mut self) {
        self.is_rehearsal = true;
        if let Some(email) = &mut self.email {
            email.budgets = Budgets {
                per_minute: Some(0),
                per_day: Some(0),
            };
        }
    }

    /// Keys whose change takes a restart.
    #[must_use]
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if self.database != other.database {
            keys.push("database.url");
        }
        if self.http.map(|http| http.listen) != other.http.map(|http| http.listen) {
            keys.push("http.listen");
        }
        keys
    }
}

fn read(document: &Document) -> Option<Config> {
    let parsed = match DeTable::parse(document.text()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let place = error.span().map_or(Place::Missing, Place::File);
            let remedy = match error.span() {
                Some(span) => no_toml::remedy(document.text(), span),
                None => "",
            };
            document.error(
                place,
                format!("this is no TOML: {}", error.message()),
                remedy,
            );
            return None;
        }
    };
    let root = document.root(parsed.get_ref());
    let zone = sections::zone(&root);
    let database = sections::database(&root.section("database"));
    let (directory, graph) = directory::read(&root.section("directory"));
    let schedule = sections::schedule(&root.section("schedule"));
    let freshness = sections::freshness(&root.section("freshness"));
    let email_section = root.section("email");
    let mut email = email::read(&email_section, &zone, graph.as_ref());
    let (webhooks, notice) = webhooks::read(&root);
    // A configured but faulty [email] is one fault, not two.
    let mail = email_section.is_there() || !root.lacks("email");
    let mode = sections::enforcement(&root.section("enforcement"));
    let policies = policies::read(&root, mail || notice, mode);
    if let Some(Email { sender, .. }) = &mut email {
        sender.mode = mode;
        let titles = policies.iter().filter_map(|policy| {
            let title = policy.title.clone()?;
            Some((policy.name.clone(), title))
        });
        sender.titles = titles.collect();
    }
    let http = sections::http(&root.section("http"));
    let result_codes = codes::read(&root);
    root.close();
    document.refuse_unused_variables();
    Some(Config {
        zone,
        database: database?,
        directory: directory?,
        schedule: schedule?,
        freshness,
        policies,
        email,
        webhooks,
        mode,
        http,
        result_codes,
        is_rehearsal: false,
        exposed: document.exposed.take(),
        settings: document.settings.take(),
        source: document.source(),
    })
}
