//! `demo`: the sample organisation, played through five weeks by the real engine on the real
//! sources, store and mails — only the days are short.

mod people;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::people::{FIRST_DAY, Part, Someone, everybody};
use super::output::Printer;
use super::progress::Bar;
use super::words;
use crate::config::Config;
use crate::delivery::text::clean_line;
use crate::desk::person::PersonView;
use crate::domain::facts::Channel;
use crate::domain::hold::HoldKind;
use crate::domain::state::State;
use crate::engine::{Engine, Wake};
use crate::exit::DONE;
use crate::pass::{self};
use crate::private;
use crate::report::PassReport;
use crate::store::acts::Actor;
use crate::store::lock::PassLock;
use crate::store::{Store, Whom};
use crate::time::Clock;

/// Five weeks.
const DAYS: i64 = 35;
/// Passes a day, by the hour after seven.
const HOURS: [i64; 2] = [0, 9];

const CONFIGURATION: &str = r#"# The configuration of the demo. Try: fortnight -c THIS_FILE status
timezone = "Europe/Berlin"

[database]
url = "sqlite:fortnight.db"

[directory]
source = "files"
[directory.files]
path = "tenant"

[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
exclude = { users = ["breakglass1@contoso.example", "breakglass2@contoso.example"], groups = ["Registration exceptions"] }

[email]
from = "Identity team <identity@contoso.example>"
operators = ["identity-oncall@contoso.example"]
organisation = "Contoso"
help = "Service desk, room 12, extension 4711. This notice is also on the intranet under Security."
transport = "file"
[email.file]
path = "outbox"
"#;

/// Plays the demo and tells what happened.
pub(crate) async fn play(folder: Option<&Path>, out: &mut Printer) -> anyhow::Result<u8> {
    let folder = prepare(folder)?;
    let file = folder.join("fortnight.toml");
    let (config, _) = Config::load(&file, []).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let people = everybody();
    out.text(&format!(
        "Contoso switches on a registration policy for {} accounts. Five weeks follow, played by the real program on made-up data, in {}.",
        people.len(),
        folder.display()
    ))?;
    let bar = Bar::new();
    let mut story = Story::default();
    let lock = PassLock::take(&config.database, "demo", FIRST_DAY)?;
    let store = Store::open(&config.database).await?;
    for count in 0..DAYS {
        let week = usize::try_from(count / 7).ok().filter(|_| count % 7 == 0);
        if let Some((week, about)) = week.and_then(|week| Some((week, WEEKS.get(week)?))) {
            bar.aside(|| {
                out.line("")?;
                out.heading(&format!("Week {}", week + 1))?;
                out.text(about)
            })?;
        }
        let (mut reports, mut lines) = (Vec::new(), Vec::new());
        for hours in HOURS {
            let now = crate::domain::window::later(
                FIRST_DAY,
                SignedDuration::from_hours(24 * count + hours),
            );
            export(&folder.join("tenant"), &people, now, count)?;
            let report = story.pass(&store, &config, &bar, now).await?;
            let held = story.holds(&store, &report, now).await?;
            reports.push(report);
            // What a pass did stands before what follows from it.
            if !held.is_empty() {
                lines.extend(happened(&reports));
                lines.extend(held);
                reports.clear();
            }
        }
        lines.extend(happened(&reports));
        let day = crate::domain::window::later(FIRST_DAY, SignedDuration::from_hours(24 * count));
        let begin = format!("  {}  ", day.strftime("%a %d %b"));
        bar.aside(|| {
            lines
                .into_iter()
                .try_for_each(|line| out.item(&begin, &line))
        })?;
    }
    bar.finish();
    summary(&store, &config, &people, &folder, &story, out).await?;
    store.close().await;
    drop(lock);
    Ok(DONE)
}

/// A folder of the demo's own: what stands in another would be overwritten.
fn prepare(folder: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = match folder {
        Some(folder) => {
            if folder.exists() {
                let mut inside = std::fs::read_dir(folder)
                    .with_context(|| format!("looking into {}", folder.display()))?;
                if inside.next().is_some() || private::stranger(folder).is_some() {
                    anyhow::bail!(
                        "{} is not empty, or somebody else's: name a new folder",
                        folder.display()
                    );
                }
            }
            private::folder(folder).with_context(|| format!("making {}", folder.display()))?;
            folder.to_owned()
        }
        None => private::temporary("fortnight-demo-")
            .context("making a folder")?
            .keep(),
    };
    let tenant = folder.join("tenant");
    private::folder(&tenant).with_context(|| format!("making {}", tenant.display()))?;
    private::create_new(&folder.join("fortnight.toml"))
        .and_then(|mut file| file.write_all(CONFIGURATION.as_bytes()))
        .context("writing the configuration")?;
    Ok(folder)
}

/// Writes what Graph would answer at that moment.
fn export(folder: &Path, people: &[Someone], now: Timestamp, day: i64) -> anyhow::Result<()> {
    let each = |row: &dyn Fn(&Someone) -> Option<Value>| -> Vec<Value> {
        people.iter().filter_map(row).collect()
    };
    write(folder, "users.json", &each(&|someone| someone.user(now)))?;
    write(
        folder,
        "registration.json",
        &each(&|someone| someone.registration(now)),
    )?;
    // Whom the exceptions group holds: one person from day 17 on.
    let excepted: Vec<String> = people
        .iter()
        .filter(|someone| matches!(someone.part, Part::ExcludedLate) && day >= 17)
        .map(Someone::id)
        .collect();
    let group = json!({ "id": "0a0a0a0a-0000-4000-8000-000000000001", "displayName": "Registration exceptions", "members": excepted });
    write(folder, "groups.json", &[group])?;
    if day == 0 {
        return write(folder, "sign-ins-before.json", &[]);
    }
    // The log of a day is complete the morning after.
    let yesterday = day - 1;
    let sign_ins: Vec<Value> = people
        .iter()
        .flat_map(|someone| someone.sign_ins(yesterday))
        .collect();
    write(folder, &format!("sign-ins-{yesterday:02}.json"), &sign_ins)?;
    let audits = each(&|someone| someone.audits(yesterday));
    write(folder, &format!("audits-{yesterday:02}.json"), &audits)
}

fn write(folder: &Path, name: &str, rows: &[Value]) -> anyhow::Result<()> {
    let path = folder.join(name);
    let text = serde_json::to_vec(&json!({ "value": rows }))?;
    if std::fs::read(&path).is_ok_and(|before| before == text) && name.starts_with(['s', 'a']) {
        return Ok(());
    }
    private::create(&path)
        .and_then(|mut file| file.write_all(&text))
        .with_context(|| format!("writing {}", path.display()))
}

/// What each week is about, told before it is played.
const WEEKS: [&str; 5] = [
    "People sign in. With the first sign-in a window of 14 days opens, and a mail says by when to register.",
    "Many register, and hear no more. The others are reminded seven days, three days and one day before their deadline.",
    "The first deadlines pass. Whoever has still not registered is flagged: put on a list for you to act on.",
    "Late ones: who has no address or cannot register waits a week longer before the flag.",
    "Nothing changes any more: people on leave were never asked, and some of those who were flagged do not register.",
];

const HOLD: &str = "A hold: new flags wait until better data or an operator ends it, so that a mistake flags nobody. Mails and windows go on.";

/// What happened, for the summary.
#[derive(Debug, Default)]
struct Story {
    opened: u64,
    flagged: u64,
    released: u64,
    sent: u64,
    approved: bool,
    held: BTreeMap<String, String>,
}

impl Story {
    async fn pass(
        &mut self,
        store: &Store,
        config: &Config,
        bar: &Bar,
        now: Timestamp,
    ) -> anyhow::Result<PassReport> {
        let clock = Clock::fixed_at(now);
        let engine = Engine::new(store.clone(), config.clone(), clock, bar.progress())?;
        let mut report = PassReport::new(now);
        engine
            .pass(Wake::Sources, &mut report, &CancellationToken::new())
            .await?;
        self.opened += report.windows.opened;
        self.flagged += report.flagged;
        self.released += report.released;
        self.sent += report.deliveries.sent;
        Ok(report)
    }

    /// Holds that are new, and the approval of the one that an operator has looked at.
    async fn holds(
        &mut self,
        store: &Store,
        report: &PassReport,
        now: Timestamp,
    ) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for hold in &report.holds {
            let before = self.held.insert(hold.id.clone(), hold.text.clone());
            if before.is_none() {
                let explained = if self.held.len() == 1 { HOLD } else { "" };
                lines.push(format!("held ({}): {}. {explained}", hold.id, hold.text));
            }
            if hold.kind == HoldKind::Mass && !self.approved && hold.since < now {
                let by = Actor {
                    name: "demo".to_owned(),
                    uid: None,
                };
                let reason = "the department was told in person; the flags are right";
                let shown = store.shown(&hold.id).await?;
                let shown = shown.context("the hold of the demo is gone")?;
                self.approved = store.approve(&shown, &by, reason, now).await?;
                lines.push(format!(
                    "an operator looks at the people and approves the hold {}: the next pass flags them",
                    hold.id
                ));
            }
        }
        Ok(lines)
    }
}

/// What the passes of a day did, where they did something.
fn happened(reports: &[PassReport]) -> Option<String> {
    let sum = |count: fn(&PassReport) -> u64| reports.iter().map(count).sum::<u64>();
    let counts = [
        (
            sum(|pass| pass.windows.opened),
            "window opens",
            "windows open",
        ),
        (sum(|pass| pass.windows.closed), "closes", "close"),
        (sum(|pass| pass.windows.paused), "is paused", "are paused"),
        (sum(|pass| pass.windows.resumed), "goes on", "go on"),
        (
            sum(|pass| pass.deliveries.sent),
            "mail goes out",
            "mails go out",
        ),
        (
            sum(|pass| pass.flagged),
            "person is flagged",
            "people are flagged",
        ),
        (
            sum(|pass| pass.released),
            "flag is taken back",
            "flags are taken back",
        ),
    ];
    let words: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| words::counted(count, one, several))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

async fn summary(
    store: &Store,
    config: &Config,
    people: &[Someone],
    folder: &Path,
    story: &Story,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let now = store.newest_pass().await?.unwrap_or(FIRST_DAY);
    let policies = pass::policies(store, config, now).await?;
    let world = pass::world(store, config, Channel::Works, now).await?;
    let mut states: BTreeMap<State, u64> = BTreeMap::new();
    let mut rows: BTreeMap<String, PersonView> = BTreeMap::new();
    let everyone = Whom::these(people.iter().map(Someone::id));
    for dossier in store.load(&everyone).await? {
        for row in PersonView::of(&pass::look(dossier, &policies, &world, now), now) {
            *states.entry(row.state).or_default() += 1;
            rows.insert(row.id.clone(), row);
        }
    }
    out.line("")?;
    out.heading("After five weeks")?;
    out.item(
        "  ",
        &format!(
            "{} windows opened, {} people flagged, {} flags taken back, {} mails accepted",
            story.opened, story.flagged, story.released, story.sent
        ),
    )?;
    for (state, count) in states {
        let begin = format!("  {count:>4}  {:<23}", state.as_str());
        out.item(&begin, &words::meaning(state))?;
    }
    out.line("")?;
    out.heading("Some of their stories")?;
    for someone in people {
        if let (Some(told), Some(row)) = (told(someone.part), rows.get(&someone.id())) {
            let name = clean_line(&someone.name, 27);
            let state = row.state.as_str();
            out.item("  · ", &format!("{name}, {state}: {told}"))?;
        }
    }
    next(people, folder, out)
}

/// What to try on what was played.
fn next(people: &[Someone], folder: &Path, out: &mut Printer) -> anyhow::Result<()> {
    let file = folder.join("fortnight.toml");
    let command = format!("{} -c {}", program(), file.display());
    out.line("")?;
    out.heading("What to try next")?;
    out.line(format!("  {command} status"))?;
    out.line(format!("  {command} users --state enforcement_needed"))?;
    if let Some(someone) = people
        .iter()
        .find(|someone| someone.part == Part::NoAddress)
    {
        out.line(format!(
            "  {command} explain {}",
            someone.user_principal_name()
        ))?;
    }
    out.line(format!("  {command} deliveries list"))?;
    out.item(
        "  ",
        &format!(
            "and the mails themselves, in {}",
            folder.join("outbox").display()
        ),
    )?;
    Ok(())
}

/// How this program was called, as a person would type it.
fn program() -> String {
    let Ok(program) = std::env::current_exe() else {
        return "fortnight".to_owned();
    };
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(here).map_or_else(
        |_| program.display().to_string(),
        |path| format!("./{}", path.display()),
    )
}

/// What the summary says about a part; one person of each.
fn told(part: Part) -> Option<&'static str> {
    Some(match part {
        Part::BreakGlass => "excluded by name; it signed in, and nothing happened",
        Part::Sync => "the synchronisation's account cannot register",
        Part::Leaver => "left in the middle of the window; nobody was told again",
        Part::ReEnabled => {
            "disabled for six days: the clock stopped, and went on with what was left"
        }
        Part::Blocked => "could not register (53004): the flag waited, the help desk looked",
        Part::LateLog => "the log came three days late; the window counts from the sign-in",
        Part::ExcludedLate => "flagged, then excluded: the flag went at once",
        Part::LosesMethod => "deleted the method after ten days: with no window before, a full one",
        Part::AdminReset => "methods reset by an administrator: a full new window",
        Part::NoAddress => "no mail address: operators were told, and the flag waited a week more",
        Part::Attacked => "forty wrong passwords: an attacker starts nobody's clock",
        Part::RefreshOnly => "only a phone refreshing in the background, and a hostile name",
        Part::OnLeave => "never signed in: nobody has asked yet",
        Part::Registered | Part::Registers { .. } | Part::Never { .. } | Part::Guest => {
            return None;
        }
    })
}
