//! A tenant of any size, as Graph would export it: folders of pages.
//!
//! Of each 1,000 people 25 have no method: 20 who signed in an hour before the export, and five
//! of whom only background tokens are known. Everybody else signed in some time in the 36 hours
//! before it.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const WITHOUT_METHOD: u32 = 25;
const DUE: u32 = 20;

/// The tenant and the time of its export.
pub(crate) struct Tenant {
    /// How many people there are.
    pub(crate) people: u32,
    /// Rows of a page; Graph serves 999.
    pub(crate) page: u32,
    /// When it was exported.
    pub(crate) at: Timestamp,
}

/// What differs from one export to the next: the pages up to this one in a hundred.
#[derive(Clone, Copy)]
pub(crate) enum Edition {
    First,
    /// Other names and levels in 1 % of the pages, and 1 % as many new sign-ins.
    OnePercent,
}

impl Tenant {
    /// Writes the pages that an edition has anew.
    pub(crate) fn export(&self, folder: &Path, edition: Edition) {
        let pages = self.people.div_ceil(self.page);
        for collection in ["users", "userRegistrationDetails", "signIns"] {
            fs::create_dir_all(folder.join(collection)).unwrap();
        }
        let (pages, from) = match edition {
            Edition::First => (pages, 0),
            Edition::OnePercent => (pages.div_ceil(100), pages),
        };
        for page in 0..pages {
            let rows = page * self.page..((page + 1) * self.page).min(self.people);
            let users = rows.clone().map(|index| user(index, edition));
            write(folder, "users", page, users);
            let details = rows.clone().map(|index| self.registration(index, edition));
            write(folder, "userRegistrationDetails", page, details);
            let sign_ins = rows.map(|index| self.sign_in(index, from));
            write(folder, "signIns", from + page, sign_ins);
        }
    }

    fn registration(&self, index: u32, edition: Edition) -> String {
        let id = id("user", index);
        // In a second edition one more of each thousand has registered.
        let missing = match edition {
            Edition::First => index % 1000 < WITHOUT_METHOD,
            Edition::OnePercent => index % 1000 < WITHOUT_METHOD - 1,
        };
        let methods = if missing {
            ""
        } else {
            r#""microsoftAuthenticatorPush","softwareOneTimePasscode""#
        };
        let done = !missing;
        format!(
            r#"{{"id":"{id}","userPrincipalName":"person{index}@contoso.com","userDisplayName":"Person {index}","userType":"member","isAdmin":false,"isSsprRegistered":{done},"isSsprEnabled":true,"isSsprCapable":{done},"isMfaRegistered":{done},"isMfaCapable":{done},"isPasswordlessCapable":false,"methodsRegistered":[{methods}],"isSystemPreferredAuthenticationMethodEnabled":true,"systemPreferredAuthenticationMethods":[],"userPreferredMethodForSecondaryAuthentication":"push","lastUpdatedDateTime":"{at}"}}"#,
            at = self.at
        )
    }

    fn sign_in(&self, index: u32, from: u32) -> String {
        let number = from * self.page + index;
        let due = index % 1000 < DUE;
        let ago = if due {
            3_600
        } else {
            60 + i64::from(index) % 129_540
        };
        let at = self.at - SignedDuration::from_secs(ago);
        let interactive = due || (index % 1000 >= WITHOUT_METHOD && index % 10 < 4);
        format!(
            r#"{{"id":"{}","createdDateTime":"{at}","userDisplayName":"Person {index}","userPrincipalName":"person{index}@contoso.com","userId":"{}","appId":"00000002-0000-0ff1-ce00-000000000000","appDisplayName":"Office 365 Exchange Online","ipAddress":"198.51.100.7","clientAppUsed":"Browser","correlationId":"{}","conditionalAccessStatus":"notApplied","isInteractive":{interactive},"riskDetail":"none","riskLevelAggregated":"none","riskLevelDuringSignIn":"none","riskState":"none","riskEventTypes":[],"riskEventTypes_v2":[],"resourceDisplayName":"Office 365 Exchange Online","resourceId":"00000002-0000-0ff1-ce00-000000000000","status":{{"errorCode":0,"failureReason":"Other.","additionalDetails":null}},"deviceDetail":{{"deviceId":"","displayName":"PC-{index}","operatingSystem":"Windows11","browser":"Edge 126.0.0","isCompliant":true,"isManaged":false,"trustType":null}},"location":{{"city":"Berlin","state":"Berlin","countryOrRegion":"DE","geoCoordinates":{{"altitude":null,"latitude":52.52,"longitude":13.4}}}},"appliedConditionalAccessPolicies":[{{"id":"{}","displayName":"Require MFA for pilots","enforcedGrantControls":["Mfa"],"enforcedSessionControls":[],"result":"notApplied"}}]}}"#,
            id("sign-in", number),
            id("user", index),
            id("correlation", number),
            id("policy", index % 4),
        )
    }
}

fn user(index: u32, edition: Edition) -> String {
    let id = id("user", index);
    let name = match edition {
        Edition::First => format!("Person {index}"),
        Edition::OnePercent => format!("Person {index} (married)"),
    };
    format!(
        r#"{{"id":"{id}","userPrincipalName":"person{index}@contoso.com","displayName":"{name}","mail":"person{index}@contoso.com","otherMails":["person{index}@fabrikam.com"],"accountEnabled":true,"userType":"Member","createdDateTime":"2015-03-04T05:06:07Z","preferredLanguage":"de-DE","usageLocation":"DE","department":"Department {}"}}"#,
        index % 40
    )
}

fn id(kind: &str, index: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{kind}/{index}").as_bytes())
}

fn write(folder: &Path, collection: &str, page: u32, rows: impl Iterator<Item = String>) {
    let rows: Vec<String> = rows.collect();
    let text = format!(r#"{{"value":[{}]}}"#, rows.join(","));
    fs::write(
        folder.join(collection).join(format!("{page:06}.json")),
        text,
    )
    .unwrap();
}
