//! Which columns of the portal's exports carry which property, and what to do where a needed
//! one is missing.

use jiff::Timestamp;

use super::csv::{Cells, Column};
use super::long;
use crate::domain::audit::AuditEvent;
use crate::domain::person::Person;
use crate::domain::sign_in::SignIn;
use crate::sources::wire::{
    self, AuditRow, Entry, Group, GroupRow, Loose, Recorded, RegistrationRow, Report, Row,
    RowError, Scalar, SignInRow, Status, Target, UserRow,
};

const fn needed(
    name: &'static str,
    aliases: &'static [&'static str],
    remedy: &'static str,
) -> Column {
    Column {
        name,
        aliases,
        remedy: Some(remedy),
    }
}

const fn optional(name: &'static str, aliases: &'static [&'static str]) -> Column {
    Column {
        name,
        aliases,
        remedy: None,
    }
}

const CHOOSE: &str =
    "choose that column in the portal's download (Users, Download users) and export again";
const NO_PERSON: &str = "it is an older export that does not say who signed in: download InteractiveSignIns as CSV or JSON anew";
const SIGN_INS: &str = "download InteractiveSignIns as CSV or JSON anew";
const REPORT: &str = "download it from Authentication methods, User registration details";
const MEMBERS: &str = "the portal's group list does not export members: write groups.json with the members of each group";
const AUDITS: &str = "download the audit log as JSON";

pub(super) const USERS: &[Column] = &[
    needed("id", &["id", "objectid"], CHOOSE),
    needed("userPrincipalName", &["userprincipalname"], CHOOSE),
    needed("accountEnabled", &["accountenabled"], CHOOSE),
    optional("displayName", &["displayname"]),
    optional("mail", &["mail", "email"]),
    optional("userType", &["usertype"]),
    optional("createdDateTime", &["createddatetime"]),
    optional("preferredLanguage", &["preferredlanguage"]),
];

pub(super) fn user(cells: &Cells<'_>) -> Result<Row<Person>, RowError> {
    UserRow {
        id: cells.value("id")?,
        user_principal_name: cells.value("userPrincipalName")?,
        account_enabled: cells.value("accountEnabled")?,
        display_name: Loose(cells.value("displayName").unwrap_or_default()),
        mail: Loose(cells.value("mail").unwrap_or_default()),
        user_type: cells.value("userType")?,
        created_date_time: cells.time("createdDateTime")?,
        preferred_language: cells.value("preferredLanguage")?,
        ..UserRow::default()
    }
    .person()
}

pub(super) const GROUPS: &[Column] = &[
    needed("id", &["id", "objectid"], MEMBERS),
    needed("members", &["members"], MEMBERS),
    optional("displayName", &["displayname"]),
];

pub(super) fn group(cells: &Cells<'_>) -> Result<Row<Group>, RowError> {
    let members = cells.value("members")?;
    let is_between = |byte: &u8| matches!(byte, b',' | b';' | b'\n');
    let between = members.as_str().unwrap_or_default().bytes();
    if between.filter(is_between).count() >= long::MOST_MEMBERS {
        return Err(long::too_many());
    }
    GroupRow {
        id: cells.value("id")?,
        members: cells.members("members")?,
        display_name: cells.value("displayName")?,
        ..GroupRow::default()
    }
    .group()
}

pub(super) const REGISTRATION: &[Column] = &[
    optional("id", &["id", "userid", "objectid"]),
    // Either will do: where there is an id, the row is joined by it.
    needed(
        "userPrincipalName",
        &["userprincipalname", "upn", "id", "userid", "objectid"],
        REPORT,
    ),
    needed(
        "isMfaCapable",
        &[
            "ismfacapable",
            "mfacapable",
            "multifactorauthenticationcapable",
        ],
        REPORT,
    ),
    optional("isMfaRegistered", &["ismfaregistered", "mfaregistered"]),
    optional(
        "isPasswordlessCapable",
        &["ispasswordlesscapable", "passwordlesscapable"],
    ),
    optional("isSsprRegistered", &["isssprregistered", "ssprregistered"]),
    optional("methodsRegistered", &["methodsregistered"]),
    optional(
        "lastUpdatedDateTime",
        &["lastupdateddatetime", "lastupdated"],
    ),
];

pub(super) fn registration(cells: &Cells<'_>) -> Result<Row<Report>, RowError> {
    RegistrationRow {
        id: cells.value("id")?,
        user_principal_name: cells.value("userPrincipalName")?,
        is_mfa_capable: cells.value("isMfaCapable")?,
        is_mfa_registered: cells.value("isMfaRegistered")?,
        is_passwordless_capable: cells.value("isPasswordlessCapable")?,
        is_sspr_registered: cells.value("isSsprRegistered")?,
        methods_registered: cells.list("methodsRegistered")?,
        last_updated_date_time: cells.time("lastUpdatedDateTime")?,
    }
    .report()
}

pub(super) const SIGN_IN: &[Column] = &[
    needed("User ID", &["userid"], NO_PERSON),
    // Either will do; a table of Log Analytics has both.
    needed(
        "Date (UTC)",
        &["dateutc", "createddatetime", "timegenerated"],
        SIGN_INS,
    ),
    optional("createdDateTime", &["createddatetime"]),
    needed("Request ID", &["requestid", "id"], SIGN_INS),
    needed(
        "Sign-in error code",
        &[
            "signinerrorcode",
            "statuserrorcode",
            "errorcode",
            "resulttype",
        ],
        SIGN_INS,
    ),
    optional("Status", &["status"]),
    optional("Client app", &["clientapp", "clientappused"]),
    optional("Application", &["application", "appdisplayname"]),
    optional("Authentication Protocol", &["authenticationprotocol"]),
    optional("Cross tenant access type", &["crosstenantaccesstype"]),
    optional("Authentication requirement", &["authenticationrequirement"]),
    optional("isInteractive", &["isinteractive"]),
    optional("signInEventTypes", &["signineventtypes"]),
    optional("Category", &["category"]),
    optional("Type", &["type"]),
];

pub(super) fn sign_in(
    cells: &Cells<'_>,
    recorded: Recorded,
    now: Timestamp,
) -> Result<Row<SignIn>, RowError> {
    let mut error_code = cells.value("Sign-in error code")?;
    let status = cells.value("Status")?;
    if let Some(text) = status.as_str().filter(|text| text.starts_with('{')) {
        let nested: Status<'_> = wire::parse(text.as_bytes())?;
        if let (false, Some(code)) = (error_code.is_present(), nested.error_code.number()) {
            error_code = Scalar::Int(code);
        }
    }
    // The portal leaves the code of a success empty, and scripts fill in their word for nothing.
    let is_success = status
        .as_str()
        .is_some_and(|status| status.eq_ignore_ascii_case("success"));
    if is_success && is_nothing(&error_code) {
        error_code = Scalar::Int(0);
    }
    // An empty cell is an account that the directory does not know, not a missing property.
    let user_id = match cells.value("User ID")? {
        Scalar::Null => Scalar::Text("".into()),
        present => present,
    };
    SignInRow {
        id: cells.value("Request ID")?,
        created_date_time: match cells.time("createdDateTime")? {
            Scalar::Null => cells.time("Date (UTC)")?,
            present => present,
        },
        user_id,
        app_display_name: cells.value("Application")?,
        is_interactive: cells.value("isInteractive")?,
        sign_in_event_types: cells.list("signInEventTypes")?,
        client_app_used: cells.value("Client app")?,
        authentication_protocol: cells.value("Authentication Protocol")?,
        cross_tenant_access_type: cells.value("Cross tenant access type")?,
        authentication_requirement: cells.value("Authentication requirement")?,
        category: match cells.value("Category")? {
            Scalar::Null => table_of(cells.value("Type")?),
            present => present,
        },
        status: Entry::Object(Status { error_code }),
        ..SignInRow::default()
    }
    .sign_in(recorded, now)
}

/// Whether a cell is empty, or says so in words.
fn is_nothing(cell: &Scalar<'_>) -> bool {
    let words = ["none", "null", "nan", "n/a", "-"];
    match cell {
        Scalar::Null => true,
        Scalar::Text(text) => words.iter().any(|word| text.eq_ignore_ascii_case(word)),
        Scalar::Bool(_) | Scalar::Int(_) | Scalar::Other => false,
    }
}

/// The table of Log Analytics that a row is of, if that is what stands there.
fn table_of(cell: Scalar<'_>) -> Scalar<'_> {
    let is_table = cell
        .as_str()
        .is_some_and(|table| table.to_ascii_lowercase().ends_with("signinlogs"));
    if is_table { cell } else { Scalar::Null }
}

pub(super) const AUDIT: &[Column] = &[
    needed("Date (UTC)", &["dateutc", "activitydatetime"], AUDITS),
    needed("Activity", &["activity", "activitydisplayname"], AUDITS),
    needed("Result", &["result"], AUDITS),
    needed("Target1ObjectId", &["target1objectid"], AUDITS),
    needed("CorrelationId", &["id", "correlationid"], AUDITS),
    optional("Target1Type", &["target1type"]),
];

pub(super) fn audit(cells: &Cells<'_>, now: Timestamp) -> Result<Row<AuditEvent>, RowError> {
    let (date, activity, target) = (
        cells.time("Date (UTC)")?,
        cells.value("Activity")?,
        cells.value("Target1ObjectId")?,
    );
    // The export has no id of the event: what tells events apart makes one.
    let correlation = cells.value("CorrelationId")?;
    let parts =
        [&correlation, &date, &activity, &target].map(|part| part.as_str().unwrap_or_default());
    let id = Scalar::Text(parts.join("/").into());
    let kind = match cells.value("Target1Type")? {
        Scalar::Null => Scalar::Text("User".into()),
        present => present,
    };
    AuditRow {
        id,
        activity_date_time: date,
        activity_display_name: activity,
        result: cells.value("Result")?,
        target_resources: Entry::List(vec![Entry::Object(Target { id: target, kind })]),
        ..AuditRow::default()
    }
    .event(now)
}
