//! The fake of Graph is as strict as the real one: what other tests rest on is tested here.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::graph::{
    CLIENT, FakeGraph, Fault, Kind, Removal, RetryAfter, RetryForm, SECRET, TENANT,
};

const LOGS: &str = "/v1.0/auditLogs/signIns";
const AUDITS: &str = "/v1.0/auditLogs/directoryAudits";
const DELTA: &str = "/v1.0/users/delta?$select=id,displayName,accountEnabled,mail";
const REPORT: &str = "/v1.0/reports/authenticationMethods/userRegistrationDetails";

/// Monday, 5 January 2026, and hours after it.
fn hour(number: i64) -> Timestamp {
    Timestamp::from_second(1_767_571_200 + number * 3_600).unwrap()
}

/// A client of the fake.
struct Caller {
    graph: FakeGraph,
    http: reqwest::Client,
    token: String,
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Caller {
    /// One with a token, on a tenant whose clock stands at the first hour.
    async fn new() -> Self {
        let graph = FakeGraph::start();
        graph.set_now(hour(0));
        let http = reqwest::Client::builder().build().unwrap();
        let mut caller = Self {
            graph,
            http,
            token: String::new(),
        };
        caller.renew().await;
        caller
    }

    async fn renew(&mut self) {
        let answer = self.prove(&[("client_secret", SECRET)]).await;
        let token = answer.body["access_token"].as_str();
        token.unwrap().clone_into(&mut self.token);
    }

    async fn prove(&self, proof: &[(&str, &str)]) -> Answer {
        let scope = format!("{}/.default", self.graph.url());
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("scope", scope.as_str()),
        ];
        form.extend(proof);
        let endpoint = format!("{}/{TENANT}/oauth2/v2.0/token", self.graph.url());
        read(self.http.post(endpoint).form(&form).send().await.unwrap()).await
    }

    async fn get(&self, target: &str) -> Answer {
        read(self.request(target).send().await.unwrap()).await
    }

    async fn eventually(&self, target: &str) -> Answer {
        let request = self.request(target).header("ConsistencyLevel", "eventual");
        read(request.send().await.unwrap()).await
    }

    fn request(&self, target: &str) -> reqwest::RequestBuilder {
        let url = if target.starts_with("http") {
            target.to_owned()
        } else {
            format!("{}{target}", self.graph.url())
        };
        self.http.get(url).bearer_auth(&self.token)
    }

    /// All rows, and where changes will be told.
    async fn all(&self, target: &str) -> (Vec<Value>, String) {
        let (mut rows, mut target) = (Vec::new(), target.to_owned());
        loop {
            let answer = self.eventually(&target).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            rows.extend(answer.body["value"].as_array().unwrap().iter().cloned());
            let Some(next) = answer.body["@odata.nextLink"].as_str() else {
                let delta = answer.body["@odata.deltaLink"].as_str();
                return (rows, delta.unwrap_or_default().to_owned());
            };
            next.clone_into(&mut target);
        }
    }

    async fn ids(&self, target: &str) -> Vec<String> {
        let (rows, _) = self.all(target).await;
        rows.iter().map(id).collect()
    }
}

async fn read(response: reqwest::Response) -> Answer {
    let headers = response.headers().iter();
    Answer {
        status: response.status().as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: response.json().await.unwrap(),
    }
}

fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

fn user(id: &str) -> Value {
    json!({ "id": id, "displayName": id, "userPrincipalName": format!("{id}@contoso.example"), "accountEnabled": true, "mail": null })
}

fn sign_in(id: &str, at: Timestamp) -> Value {
    json!({ "id": id, "createdDateTime": at.to_string(), "userId": "ana", "isInteractive": true, "status": { "errorCode": 0 } })
}

fn code(answer: &Answer) -> &str {
    answer.body["error"]["code"].as_str().unwrap_or_default()
}

/// What a client that believes the newest row ends with.
fn fold(known: &mut BTreeMap<String, Value>, rows: Vec<Value>) {
    for row in rows {
        if row["@removed"].is_object() {
            known.remove(&id(&row));
        } else {
            known.insert(id(&row), row);
        }
    }
}

#[tokio::test]
async fn a_delta_tells_everybody_and_then_whoever_changed() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    graph.set_page_size(2);
    for name in ["ana", "ben", "cleo", "dora", "emil"] {
        graph.put_user(user(name));
    }
    let (rows, link) = caller.all(DELTA).await;
    assert_eq!(rows.len(), 5);
    // Never set is absent, unset is null.
    assert!(rows[0].get("mail").is_none(), "{}", rows[0]);
    graph.put_user(json!({ "id": "ana", "mail": "ana@contoso.example" }));
    graph.put_user(json!({ "id": "ana", "mail": null }));
    graph.remove_user("ben", Removal::Soft);
    graph.remove_user("cleo", Removal::Hard);
    graph.remove_user("dora", Removal::Soft);
    graph.restore_user("dora");
    let (rows, link) = caller.all(&link).await;
    assert_eq!(
        rows,
        [
            json!({ "id": "ana", "displayName": "ana", "accountEnabled": true, "mail": null }),
            json!({ "id": "ben", "@removed": { "reason": "changed" } }),
            json!({ "id": "cleo", "@removed": { "reason": "deleted" } }),
            json!({ "id": "dora", "displayName": "dora", "accountEnabled": true }),
        ]
    );
    let (rows, link) = caller.all(&link).await;
    assert!(rows.is_empty(), "{rows:?}");
    // Thirty days in the bin, and ben is gone for good; by then the link is dead, so daily.
    let mut link = link;
    let mut told = Vec::new();
    for days in 1..=32 {
        graph.set_now(hour(24 * days));
        let (rows, next) = caller.all(&link).await;
        told.extend(rows);
        link = next;
    }
    assert_eq!(
        told,
        [json!({ "id": "ben", "@removed": { "reason": "deleted" } })]
    );
}

#[tokio::test]
async fn replays_and_empty_pages_end_with_the_same_people() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    graph.set_page_size(2);
    graph.send_empty_pages();
    graph.replay_changes(3);
    for name in ["ana", "ben", "cleo"] {
        graph.put_user(user(name));
    }
    let (rows, link) = caller.all(DELTA).await;
    let mut known = BTreeMap::new();
    fold(&mut known, rows);
    graph.remove_user("ben", Removal::Soft);
    graph.put_user(json!({ "id": "cleo", "displayName": "Cleo" }));
    graph.put_user(user("dora"));
    let (rows, _) = caller.all(&link).await;
    assert!(rows.len() > 3, "something is told again: {rows:?}");
    fold(&mut known, rows);
    assert_eq!(known.keys().collect::<Vec<_>>(), ["ana", "cleo", "dora"]);
    assert_eq!(known["cleo"]["displayName"], "Cleo");
}

#[tokio::test]
async fn whoever_changes_while_everybody_is_told_is_told_later() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    graph.set_page_size(1);
    graph.put_user(user("ana"));
    graph.put_user(user("ben"));
    let first = caller.get(DELTA).await;
    graph.put_user(json!({ "id": "ana", "displayName": "Ana" }));
    let (_, link) = caller
        .all(first.body["@odata.nextLink"].as_str().unwrap())
        .await;
    let (rows, _) = caller.all(&link).await;
    assert_eq!(rows[0]["displayName"], "Ana");
}

#[tokio::test]
async fn a_delta_link_lives_seven_days() {
    let caller = Caller::new().await;
    caller.graph.put_user(user("ana"));
    let (_, link) = caller.all(DELTA).await;
    caller.graph.set_now(hour(7 * 24));
    assert_eq!(caller.get(&link).await.status, 200);
    caller.graph.set_now(hour(7 * 24 + 1));
    let answer = caller.get(&link).await;
    assert_eq!((answer.status, code(&answer)), (410, "syncStateNotFound"));
    assert!(answer.headers["location"].ends_with("/v1.0/users/delta?$deltatoken="));
    let answer = caller.get("/v1.0/users/delta?$deltatoken=made-up").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn properties_must_be_selected_and_exist() {
    let caller = Caller::new().await;
    caller.graph.put_user(user("ana"));
    let (rows, _) = caller.all("/v1.0/users/delta").await;
    assert!(rows[0].get("accountEnabled").is_none(), "{}", rows[0]);
    for (query, status) in [
        ("$select=id,signInActivity", 501),
        ("$select=id,mailboxSettings", 501),
        ("$select=id,accountEnable", 400),
        ("$select=id&$top=5", 400),
    ] {
        let answer = caller.get(&format!("/v1.0/users/delta?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
    }
    let answer = caller.get("/v1.0/users/nobody?$select=id").await;
    assert_eq!(
        (answer.status, code(&answer)),
        (404, "Request_ResourceNotFound")
    );
}

#[tokio::test]
async fn case_12_members_are_flattened_through_cycles_and_asked_for_properly_on_each_page() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    for name in ["ana", "ben", "cleo"] {
        graph.put_user(user(name));
    }
    graph.put_group("outer", "Outer", &["ana", "inner"]);
    graph.put_group("inner", "O'Brien's", &["ben", "cleo", "ana", "outer"]);
    graph.set_page_size(2);
    let members =
        "/v1.0/groups/outer/transitiveMembers/microsoft.graph.user?$select=id&$count=true";
    assert_eq!(caller.ids(members).await, ["ana", "ben", "cleo"]);
    let direct = "/v1.0/groups/outer/members/microsoft.graph.user?$select=id&$count=true";
    assert_eq!(caller.ids(direct).await, ["ana"]);
    // Without the header, or on its second page, it is refused.
    let next = caller.eventually(members).await.body["@odata.nextLink"].clone();
    for target in [members, next.as_str().unwrap()] {
        let answer = caller.get(target).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (400, "Request_UnsupportedQuery")
        );
    }
    let uncounted = members.replace("&$count=true", "");
    assert_eq!(caller.eventually(&uncounted).await.status, 400);
    let named = "/v1.0/groups?$filter=displayName%20eq%20'o''brien''s'&$select=id";
    assert_eq!(caller.ids(named).await, ["inner"]);
    graph.hide_members("inner", true);
    let hidden = members.replace("outer", "inner");
    assert_eq!(caller.eventually(&hidden).await.status, 403);
    graph.remove_group("inner");
    assert_eq!(caller.eventually(&hidden).await.status, 404);
}

#[tokio::test]
async fn logs_take_only_the_comparisons_that_the_service_takes() {
    let caller = Caller::new().await;
    for number in 1..=4 {
        let row = sign_in(&format!("s{number}"), hour(number));
        caller.graph.add_sign_in(row);
    }
    let mut quiet = sign_in("refresh", hour(2));
    quiet["isInteractive"] = json!(false);
    caller.graph.add_sign_in(quiet);
    caller.graph.set_now(hour(10));
    caller.graph.set_page_size(2);
    let log = |filter: &str| format!("{LOGS}?$filter={filter}").replace(' ', "%20");
    let between = log(&format!(
        "createdDateTime ge {} and createdDateTime le {}",
        hour(2),
        hour(4)
    ));
    assert_eq!(caller.ids(&between).await, ["s4", "s3", "s2"]);
    // As if nothing had been asked.
    let after = log(&format!("createdDateTime gt {}", hour(3)));
    assert_eq!(caller.ids(&after).await, ["s4", "s3", "s2", "s1"]);
    let oldest = log(&format!("createdDateTime ge {}", hour(10 - 30 * 24)));
    assert_eq!(caller.get(&oldest).await.status, 200);
    for filter in [
        format!("createdDateTime ge {}", hour(9 - 30 * 24)),
        format!("createdDateTime ge '{}'", hour(1)),
        "createdDateTime ge soon".to_owned(),
        "isInteractive eq 'true'".to_owned(),
    ] {
        let answer = caller.get(&log(&filter)).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (400, "BadRequest"),
            "{filter}"
        );
    }
    assert_eq!(caller.get(&format!("{LOGS}?$top=1001")).await.status, 400);
}

#[tokio::test]
async fn what_is_late_appears_late_and_moves_no_page() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    graph.set_lag(SignedDuration::from_hours(1));
    graph.add_sign_in(sign_in("s1", hour(1)));
    graph.add_sign_in(sign_in("s3", hour(3)));
    graph.add_sign_in_late(sign_in("s2", hour(2)), SignedDuration::from_hours(30));
    graph.set_now(hour(4));
    graph.set_page_size(1);
    let first = caller.get(LOGS).await;
    assert_eq!(id(&first.body["value"][0]), "s3");
    graph.add_sign_in(sign_in("s0", hour(0)));
    graph.change_sign_in("s1", &json!({ "status": { "errorCode": 50_074 } }));
    let next = first.body["@odata.nextLink"].as_str().unwrap();
    let (rest, _) = caller.all(next).await;
    assert_eq!(rest[0]["status"]["errorCode"], 50_074);
    assert_eq!(rest.iter().map(id).collect::<Vec<_>>(), ["s1", "s0"]);
    graph.set_now(hour(32));
    assert_eq!(caller.ids(LOGS).await, ["s3", "s2", "s1", "s0"]);
    graph.set_retention(SignedDuration::from_hours(30));
    assert_eq!(caller.ids(LOGS).await, ["s3", "s2"]);
}

#[tokio::test]
async fn the_report_shows_what_was_true_when_it_was_refreshed() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    for name in ["ana", "ben", "cleo"] {
        graph.put_user(user(name));
    }
    graph.leave_out_of_report("cleo");
    graph.refresh_report();
    graph.set_now(hour(5));
    graph.set_registration(
        "ana",
        json!({ "isMfaCapable": true, "methodsRegistered": ["fido2"] }),
    );
    let one = format!("{REPORT}/ana");
    assert_eq!(caller.get(&one).await.body["isMfaCapable"], false);
    assert_eq!(caller.ids(REPORT).await, ["ana", "ben"]);
    graph.remove_user("ben", Removal::Soft);
    graph.refresh_report();
    let row = caller.get(&one).await.body;
    assert_eq!(row["isMfaCapable"], true);
    assert_eq!(row["lastUpdatedDateTime"], hour(5).to_string());
    assert_eq!(caller.ids(REPORT).await, ["ana"]);
    assert_eq!(caller.get(&format!("{REPORT}/cleo")).await.status, 404);
}

#[tokio::test]
async fn a_token_ends_and_permits_what_was_granted_when_it_was_given() {
    let mut caller = Caller::new().await;
    caller.graph.revoke_permission("AuditLog.Read.All");
    assert_eq!(caller.get(LOGS).await.status, 200, "it is in the token");
    caller.renew().await;
    let answer = caller.get(LOGS).await;
    assert_eq!(
        (answer.status, code(&answer)),
        (403, "Authorization_RequestDenied")
    );
    assert_eq!(caller.get(DELTA).await.status, 200);
    caller.graph.grant_permission("AuditLog.Read.All");
    caller.graph.set_licensed(false);
    caller.renew().await;
    let answer = caller.get(LOGS).await;
    assert_eq!(
        code(&answer),
        "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
    );
    assert_eq!(caller.get(AUDITS).await.status, 403);
    caller.graph.expire_tokens();
    let answer = caller.get(DELTA).await;
    assert_eq!(
        (answer.status, code(&answer)),
        (401, "InvalidAuthenticationToken")
    );
    caller.graph.set_token_lifetime(0);
    caller.renew().await;
    assert_eq!(caller.get(DELTA).await.status, 401);
    "unknown".clone_into(&mut caller.token);
    assert_eq!(caller.get(DELTA).await.status, 401);
}

#[tokio::test]
async fn who_cannot_prove_who_it_is_gets_no_token() {
    let caller = Caller::new().await;
    let answer = caller.prove(&[("client_secret", "wrong")]).await;
    assert_eq!(
        (answer.status, &answer.body["error_codes"]),
        (401, &json!([7_000_215]))
    );
    let federated = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", "somebody.else's.token"),
    ];
    assert_eq!(caller.prove(&federated).await.status, 401);
    caller.graph.federate("somebody.else's.token");
    assert_eq!(caller.prove(&federated).await.status, 200);
    let machine = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com";
    assert_eq!(caller.get(machine).await.status, 400);
    let asked = caller.request(machine).header("Metadata", "true");
    assert_eq!(read(asked.send().await.unwrap()).await.status, 200);
    let service = "/msi/token?api-version=2019-08-01&resource=https://graph.microsoft.com";
    let asked = caller
        .request(service)
        .header("X-IDENTITY-HEADER", "guessed");
    assert_eq!(read(asked.send().await.unwrap()).await.status, 400);
    caller.graph.refuse_tokens(Some(7_000_222));
    let answer = caller.prove(&federated).await;
    assert_eq!(answer.body["error_codes"], json!([7_000_222]));
}

#[tokio::test]
async fn case_53_the_bucket_of_reports_holds_five_and_says_when_it_is_free() {
    let caller = Caller::new().await;
    for (form, expected) in [
        (RetryForm::Seconds, "10"),
        (RetryForm::Fraction, "."),
        (RetryForm::Date, "GMT"),
        (RetryForm::Absent, ""),
    ] {
        caller.graph.throttle(5);
        caller.graph.retry_after(form);
        for _ in 0..5 {
            assert_eq!(caller.get(LOGS).await.status, 200);
        }
        let answer = caller.get(REPORT).await;
        assert_eq!((answer.status, code(&answer)), (429, "TooManyRequests"));
        let said = answer
            .headers
            .get("retry-after")
            .cloned()
            .unwrap_or_default();
        assert!(said.contains(expected), "{form:?}: {said}");
        // Users and groups have another bucket.
        assert_eq!(caller.get(DELTA).await.status, 200);
    }
}

#[tokio::test]
async fn faults_meet_the_request_they_are_meant_for() {
    let caller = Caller::new().await;
    let graph = &caller.graph;
    graph.put_user(user("ana"));
    graph.fail(Kind::Users, 2, Fault::Status(503, "serviceNotAvailable"));
    graph.fail(
        Kind::Users,
        3,
        Fault::LinkTo("https://graph.example.net".to_owned()),
    );
    graph.fail(Kind::Users, 4, Fault::DeadEnd);
    graph.fail(Kind::Users, 5, Fault::Busy(429, RetryAfter::Text("2.128")));
    assert_eq!(caller.get(DELTA).await.status, 200);
    assert_eq!(caller.get(DELTA).await.status, 503);
    let page = caller.get(DELTA).await.body;
    assert!(
        page["@odata.nextLink"]
            .as_str()
            .unwrap()
            .contains("example.net")
    );
    let page = caller.get(DELTA).await.body;
    assert!(page["@odata.deltaLink"].is_null(), "{page}");
    assert_eq!(caller.get(DELTA).await.headers["retry-after"], "2.128");
    for fault in [Fault::Cut, Fault::Garbled] {
        graph.fail(Kind::Users, 1, fault.clone());
        let response = caller.request(DELTA).send().await.unwrap();
        let read = response.bytes().await;
        let broken = read.map_or(true, |bytes| {
            serde_json::from_slice::<Value>(&bytes).is_err()
        });
        assert!(broken, "{fault:?}");
    }
    let statuses: Vec<u16> = graph.requests().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [200, 200, 503, 200, 200, 429, 200, 200]);
}

#[tokio::test]
async fn a_folder_of_exports_becomes_the_tenant() {
    let caller = Caller::new().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "users.json",
        &json!({ "value": [user("ana"), user("ben")] }).to_string(),
    );
    write(
        "groups.json",
        &json!([{ "id": "g", "displayName": "G", "members": ["ben@contoso.example"] }]).to_string(),
    );
    write(
        "registration.json",
        &json!([{ "id": "ana", "isMfaCapable": true }]).to_string(),
    );
    let lines = format!("{}\n{}\n", sign_in("s1", hour(1)), sign_in("s2", hour(2)));
    write("sign-ins-1.ndjson", &lines);
    caller.graph.set_now(hour(3));
    caller.graph.load_folder(folder.path());
    let (_, link) = caller.all(DELTA).await;
    assert_eq!(caller.ids(LOGS).await, ["s2", "s1"]);
    assert_eq!(caller.ids(REPORT).await, ["ana"]);
    let members = "/v1.0/groups/g/members/microsoft.graph.user?$count=true";
    assert_eq!(caller.ids(members).await, ["ben"]);
    write(
        "users.json",
        &json!({ "value": [user("ben"), user("cleo")] }).to_string(),
    );
    caller.graph.load_folder(folder.path());
    let (rows, _) = caller.all(&link).await;
    assert_eq!(
        rows[0],
        json!({ "id": "ana", "@removed": { "reason": "changed" } })
    );
    assert_eq!(rows.iter().map(id).collect::<Vec<_>>(), ["ana", "cleo"]);
    assert_eq!(caller.ids(LOGS).await, ["s2", "s1"], "no event twice");
}

#[tokio::test]
async fn the_sample_goes_on_living() {
    let caller = Caller::new().await;
    caller.graph.set_now(hour(1));
    caller.graph.load_sample();
    let before = caller.ids(LOGS).await.len();
    let soon = hour(1) + jiff::SignedDuration::from_mins(3);
    caller.graph.set_now(soon);
    assert!(
        caller.ids(LOGS).await.len() > before + 3,
        "at once, not later"
    );
    caller.graph.set_now(hour(3));
    assert!(caller.ids(LOGS).await.len() > before + 100);
    assert!(!caller.ids(AUDITS).await.is_empty());
    assert_eq!(caller.ids("/v1.0/users?$select=id").await.len(), 26);
}
