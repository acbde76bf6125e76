//! A small made-up organisation that lives in real time: each time somebody asks, what happened
//! since the last time is told first. People sign in, are told to register, and some do.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::service::Service;

/// Something happens this often.
const PACE: SignedDuration = SignedDuration::from_secs(20);
/// What had happened before the service was started.
const PAST: SignedDuration = SignedDuration::from_hours(36);
/// In the past it was quieter.
const PAST_PACE: SignedDuration = SignedDuration::from_mins(25);
/// The report is refreshed this often.
const REFRESH: SignedDuration = SignedDuration::from_mins(2);
/// An event appears in the log so long after it happened.
const LAG: SignedDuration = SignedDuration::from_secs(45);

const NAMES: [&str; 25] = [
    "Ana Marin",
    "Ben Okafor",
    "Chiara Rossi",
    "Dmitri Volkov",
    "Elif Demir",
    "Farid Haddad",
    "Greta Lindqvist",
    "Hiro Tanaka",
    "Ines Duarte",
    "Jonas Weber",
    "Kavita Rao",
    "Liam Byrne",
    "Mei Chen",
    "Nora Haugen",
    "Omar Said",
    "Paula Novak",
    "Quentin Morel",
    "Rosa Jimenez",
    "Sven Olsen",
    "Tala Reyes",
    "Uma Pillai",
    "Viktor Horvat",
    "Wanda Kowalska",
    "Yusuf Kaya",
    "Zoe Papadaki",
];

/// Where the story is.
pub struct Sample {
    next_at: Timestamp,
    refresh_at: Timestamp,
    events: u64,
}

/// Fills an empty tenant.
pub fn found(service: &mut Service) {
    let now = service.now();
    for (number, name) in NAMES.iter().enumerate() {
        let upn = format!("{}@contoso.example", name.to_lowercase().replace(' ', "."));
        service.put_user(&json!({
            "id": person(number), "userPrincipalName": upn, "displayName": name, "mail": upn,
            "accountEnabled": true, "userType": "Member", "createdDateTime": "2024-03-01T08:00:00Z",
            "preferredLanguage": if number % 4 == 0 { json!("de-DE") } else { Value::Null },
        }));
        if number % 3 == 0 {
            service.report.set(&person(number), registered());
        }
    }
    let emergency = person(NAMES.len());
    service.put_user(&json!({
        "id": emergency, "userPrincipalName": "breakglass@contoso.example", "displayName": "Emergency access",
        "accountEnabled": true, "userType": "Member", "createdDateTime": "2024-03-01T08:00:00Z",
    }));
    let group = Uuid::from_u128(0xa0).to_string();
    service.put_group(&group, "Emergency", [emergency].into());
    service.refresh_report();
    let mut sample = Sample {
        next_at: now - PAST,
        refresh_at: now + REFRESH,
        events: 0,
    };
    while sample.next_at < now {
        sample.sign_in(service);
        sample.next_at += PAST_PACE;
    }
    sample.next_at = now;
    service.sign_ins.lag = LAG;
    service.audits.lag = LAG;
    service.sample = Some(sample);
}

impl Sample {
    /// Tells what happened up to now.
    pub fn live(&mut self, service: &mut Service) {
        let now = service.now();
        while self.next_at < now {
            self.sign_in(service);
            if self.events.is_multiple_of(8) {
                self.registration(service);
            }
            self.next_at += PACE;
        }
        if self.refresh_at < now {
            service.refresh_report();
            self.refresh_at = now + REFRESH;
        }
    }

    fn sign_in(&mut self, service: &mut Service) {
        let who = self.somebody();
        let code = match self.events % 5 {
            0 => 50_126,
            1 => 50_072,
            _ => 0,
        };
        let row = json!({
            "id": Uuid::from_u128(0x5100_0000 + u128::from(self.events)).to_string(),
            "createdDateTime": self.next_at.to_string(), "userId": person(who), "isInteractive": true,
            "clientAppUsed": "Browser", "appDisplayName": "Office 365", "status": { "errorCode": code },
        });
        service.sign_ins.add(row, None);
    }

    fn registration(&mut self, service: &mut Service) {
        let who = self.somebody();
        service.report.set(&person(who), registered());
        let row = json!({
            "id": format!("Authentication Methods_{}", self.events), "activityDateTime": self.next_at.to_string(),
            "activityDisplayName": "User registered security info", "loggedByService": "Authentication Methods",
            "category": "UserManagement", "result": "success",
            "targetResources": [{ "id": person(who), "type": "User" }],
        });
        service.audits.add(row, None);
    }

    /// Everybody has a turn, in an order that looks like chance.
    fn somebody(&mut self) -> usize {
        self.events += 1;
        let turn = self.events.wrapping_mul(7) % NAMES.len() as u64;
        usize::try_from(turn).unwrap()
    }
}

fn person(number: usize) -> String {
    Uuid::from_u128(0x0f0e_0000 + number as u128).to_string()
}

fn registered() -> Value {
    json!({ "isMfaCapable": true, "isMfaRegistered": true, "methodsRegistered": ["microsoftAuthenticatorPush"] })
}
