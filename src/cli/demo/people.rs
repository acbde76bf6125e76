//! The sample organisation: who works there, and what each of them does in five weeks.
//!
//! Everything is a function of a person's number and the day, so that the same five weeks are
//! played every time.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::domain::window::later;

/// The Monday on which the policy is switched on, at seven in the morning UTC.
pub(super) const FIRST_DAY: Timestamp = Timestamp::constant(1_767_596_400, 0);

const GIVEN: [&str; 20] = [
    "Ana", "Bela", "Chidi", "Dana", "Emil", "Fatima", "Goran", "Hana", "Ivo", "Jana", "Kofi",
    "Lena", "Mei", "Noor", "Oskar", "Priya", "Quim", "Rosa", "Sami", "Tove",
];
const FAMILY: [&str; 17] = [
    "Abel", "Berg", "Costa", "Dietz", "Eder", "Faber", "Grau", "Horn", "Ilic", "Jansen", "Kern",
    "Lund", "Moser", "Novak", "Okafor", "Park", "Reyes",
];

/// How a person behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Registered before the policy was switched on.
    Registered,
    /// First signs in on a day, and registers some days after that.
    Registers { first: i64, after: i64 },
    /// First signs in on a day, and never registers.
    Never { first: i64 },
    /// Never signs in.
    OnLeave,
    /// An emergency account: excluded, and it signs in.
    BreakGlass,
    /// Invited from elsewhere.
    Guest,
    /// The account of the directory synchronisation.
    Sync,
    /// Leaves the organisation in the middle of the window.
    Leaver,
    /// Disabled in the middle of the window, and enabled again.
    ReEnabled,
    /// Cannot register: every attempt is blocked by risk, until the help desk looks.
    Blocked,
    /// The log of the first sign-in arrives three days late.
    LateLog,
    /// Flagged, and then excluded.
    ExcludedLate,
    /// Was registered, and deletes the method.
    LosesMethod,
    /// Was registered; an administrator resets the methods.
    AdminReset,
    /// Has no mail address.
    NoAddress,
    /// Somebody guesses passwords, forty times; the person never signs in.
    Attacked,
    /// Only a phone that refreshes in the background.
    RefreshOnly,
}

/// A person of the sample organisation.
#[derive(Debug, Clone)]
pub(super) struct Someone {
    pub(super) number: usize,
    pub(super) part: Part,
    pub(super) name: String,
}

/// The stories that the summary tells, one person each.
const STORIES: [Part; 14] = [
    Part::BreakGlass,
    Part::BreakGlass,
    Part::Sync,
    Part::Leaver,
    Part::ReEnabled,
    Part::Blocked,
    Part::LateLog,
    Part::ExcludedLate,
    Part::LosesMethod,
    Part::AdminReset,
    Part::NoAddress,
    Part::Attacked,
    Part::RefreshOnly,
    Part::OnLeave,
];

/// Everybody.
pub(super) fn everybody() -> Vec<Someone> {
    let mut parts: Vec<Part> = STORIES.to_vec();
    parts.extend([Part::Guest; 12]);
    // A department that starts on the same day and does not register: the day of the mass brake.
    parts.extend([Part::Never { first: 2 }; 22]);
    parts.extend((0..80).map(|n| Part::Registers {
        first: n % 6,
        after: 1 + n * 7 % 13,
    }));
    parts.extend((0..3).map(|n| Part::Never { first: 7 + n }));
    parts.extend([Part::Registered; 170]);
    parts
        .into_iter()
        .enumerate()
        .map(|(number, part)| {
            let name = match part {
                Part::BreakGlass => format!("Emergency access {}", number + 1),
                Part::Sync => "On-Premises Directory Synchronization Service Account".to_owned(),
                // A directory is edited by people, and some are playful.
                Part::RefreshOnly => "Robert\r\nBcc: everyone@example.org <b>Tables</b>".to_owned(),
                _ => format!(
                    "{} {}",
                    GIVEN[number % GIVEN.len()],
                    FAMILY[number % FAMILY.len()]
                ),
            };
            Someone { number, part, name }
        })
        .collect()
}

fn day(count: i64) -> Timestamp {
    later(FIRST_DAY, SignedDuration::from_hours(24 * count))
}

impl Someone {
    pub(super) fn id(&self) -> String {
        format!("0f0e0d0c-0000-4000-8000-{:012}", self.number + 1)
    }

    pub(super) fn user_principal_name(&self) -> String {
        match self.part {
            Part::BreakGlass => format!("breakglass{}@contoso.example", self.number + 1),
            Part::Sync => "Sync_DC01_000000000000@contoso.example".to_owned(),
            Part::Guest => format!("guest{}_partner.example#EXT#@contoso.example", self.number),
            Part::RefreshOnly => "robert@contoso.example".to_owned(),
            _ => {
                let name: String = self.name.to_lowercase().replace(' ', ".");
                format!("{name}{}@contoso.example", self.number)
            }
        }
    }

    /// The row of the users export on a day; none once the person has left.
    pub(super) fn user(&self, now: Timestamp) -> Option<Value> {
        if self.part == Part::Leaver && now >= day(9) {
            return None;
        }
        let away = self.part == Part::ReEnabled && now >= day(6) && now < day(12);
        let mail = match self.part {
            Part::NoAddress | Part::BreakGlass | Part::Sync => None,
            _ => Some(self.user_principal_name().replace("#EXT#", "_ext_")),
        };
        Some(json!({
            "id": self.id(),
            "userPrincipalName": self.user_principal_name(),
            "displayName": self.name,
            "mail": mail,
            "accountEnabled": !away,
            "userType": if self.part == Part::Guest { "Guest" } else { "Member" },
            "createdDateTime": "2024-03-01T08:00:00Z",
            "preferredLanguage": if self.number.is_multiple_of(3) { "de-DE" } else { "en-US" },
        }))
    }

    /// Whether the person is registered at a moment.
    fn is_registered(&self, now: Timestamp) -> bool {
        match self.part {
            Part::Registered | Part::Guest => true,
            Part::Registers { first, after } => now >= day(first + after),
            Part::LosesMethod => now < day(10) || now >= day(27),
            Part::AdminReset => now < day(8) || now >= day(20),
            Part::Blocked => now >= day(19),
            Part::ReEnabled => now >= day(18),
            Part::LateLog => now >= day(12),
            // Some of the flagged register when they have to.
            Part::Never { first: 2 } => self.number.is_multiple_of(4) && now >= day(19),
            _ => false,
        }
    }

    /// The row of the registration report; reports lag by some hours.
    pub(super) fn registration(&self, now: Timestamp) -> Option<Value> {
        self.user(now)?;
        let as_of = later(now, -SignedDuration::from_hours(3));
        let registered = self.is_registered(as_of);
        Some(json!({
            "id": self.id(),
            "userPrincipalName": self.user_principal_name(),
            "isMfaRegistered": registered,
            "isMfaCapable": registered,
            "isPasswordlessCapable": false,
            "methodsRegistered": if registered { vec!["microsoftAuthenticatorPush"] } else { vec![] },
            "lastUpdatedDateTime": as_of.to_string(),
        }))
    }

    /// The sign-ins that the log shows for the day that began at `morning`.
    pub(super) fn sign_ins(&self, count: i64) -> Vec<Value> {
        let at = later(
            day(count),
            SignedDuration::from_mins(10 + i64::try_from(self.number % 200).unwrap_or(0)),
        );
        let interactive = |code: i64| vec![self.sign_in(at, code, true, "Browser", 0)];
        match self.part {
            _ if self.signs_in(count) => interactive(0),
            Part::Blocked if (13..19).contains(&count) => interactive(53_004),
            // What happened on day 1 is in the log of day 4.
            Part::LateLog if count == 4 => {
                let at = later(day(1), SignedDuration::from_mins(30));
                vec![self.sign_in(at, 0, true, "Browser", 0)]
            }
            Part::Attacked if count == 5 => (0..40)
                .map(|n| {
                    let at = later(at, SignedDuration::from_secs(n));
                    self.sign_in(at, 50_126, true, "Browser", n)
                })
                .collect(),
            Part::RefreshOnly => {
                vec![self.sign_in(at, 0, false, "Mobile Apps and Desktop clients", 0)]
            }
            _ => Vec::new(),
        }
    }

    /// Whether an ordinary sign-in completes on a day.
    fn signs_in(&self, count: i64) -> bool {
        match self.part {
            Part::Never { first } | Part::Registers { first, .. } => {
                count >= first && count % 5 < 4
            }
            Part::Registered | Part::Guest => {
                (count + i64::try_from(self.number).unwrap_or(0)) % 4 == 0
            }
            Part::BreakGlass => count == 11,
            Part::Leaver | Part::ExcludedLate | Part::NoAddress | Part::Blocked => count == 1,
            Part::ReEnabled => matches!(count, 1 | 13),
            Part::LosesMethod => matches!(count, 1 | 12..=13),
            Part::AdminReset => matches!(count, 1 | 10),
            Part::OnLeave | Part::Sync | Part::LateLog | Part::Attacked | Part::RefreshOnly => {
                false
            }
        }
    }

    fn sign_in(&self, at: Timestamp, code: i64, interactive: bool, client: &str, n: i64) -> Value {
        json!({
            "id": format!("{:08x}-0000-4000-9000-{:012}", at.as_second(), self.number * 100 + usize::try_from(n).unwrap_or(0)),
            "createdDateTime": at.to_string(),
            "userId": self.id(),
            "isInteractive": interactive,
            "clientAppUsed": client,
            "appDisplayName": "Office 365",
            "status": { "errorCode": code },
        })
    }

    /// The security-info events that the audit log shows for a day.
    pub(super) fn audits(&self, count: i64) -> Option<Value> {
        let activity = match (self.part, count) {
            (Part::LosesMethod, 10) => "User deleted security info",
            (Part::AdminReset, 8) => "Admin deleted security info",
            (Part::Registers { first, after }, _) if first + after == count => {
                "User registered security info"
            }
            _ => return None,
        };
        let at = later(day(count), SignedDuration::from_mins(1));
        Some(json!({
            "id": format!("Authentication Methods_{}_{count}", self.id()),
            "activityDateTime": at.to_string(),
            "activityDisplayName": activity,
            "loggedByService": "Authentication Methods",
            "result": "success",
            "targetResources": [{ "id": self.id(), "type": "User" }],
        }))
    }
}
