//! Rows as tools other than Graph spell them: names of properties in another case, and dates in the
//! wrappings of Windows PowerShell (rule 3.2).

use serde_json::{Map, Value};

/// The properties that rows are read by, as Graph spells them.
const PROPERTIES: &[&str] = &[
    "accountEnabled",
    "activityDateTime",
    "activityDisplayName",
    "appDisplayName",
    "authenticationProtocol",
    "authenticationRequirement",
    "category",
    "clientAppUsed",
    "createdDateTime",
    "crossTenantAccessType",
    "displayName",
    "errorCode",
    "id",
    "isInteractive",
    "isMfaCapable",
    "isMfaRegistered",
    "isPasswordlessCapable",
    "isSsprRegistered",
    "lastSignInDateTime",
    "lastUpdatedDateTime",
    "mail",
    "members",
    "methodsRegistered",
    "preferredLanguage",
    "properties",
    "result",
    "resultType",
    "signInActivity",
    "signInEventTypes",
    "status",
    "targetResources",
    "time",
    "timeGenerated",
    "type",
    "userId",
    "userPrincipalName",
    "userType",
];

/// What older tools call the id.
const OBJECT_ID: &str = "objectId";

/// Properties that tables write as a text of JSON.
const NESTED: &[&str] = &["status", "targetResources"];

/// The row as Graph would spell it; none if it is spelled so already, or is no JSON.
#[must_use]
pub fn respelled(row: &[u8]) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(row).ok()?;
    respell(&mut value).then(|| value.to_string().into_bytes())
}

/// Whether anything had to be changed.
fn respell(value: &mut Value) -> bool {
    match value {
        Value::Array(values) => {
            let mut changed = false;
            for value in values {
                changed |= respell(value);
            }
            changed
        }
        Value::Object(properties) => {
            if let Some(date) = wrapped_date(properties) {
                *value = Value::String(date);
                return true;
            }
            respell_names(properties)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A name that Graph spells otherwise is Graph's, unless Graph's is there too.
fn respell_names(properties: &mut Map<String, Value>) -> bool {
    let renamed: Vec<(String, &'static str)> = properties
        .keys()
        .filter_map(|name| {
            let known = PROPERTIES
                .iter()
                .find(|known| known.eq_ignore_ascii_case(name))?;
            (*known != name && !properties.contains_key(*known)).then(|| (name.clone(), *known))
        })
        .collect();
    let mut changed = !renamed.is_empty();
    for (name, known) in renamed {
        if let Some(value) = properties.remove(&name) {
            properties.insert(known.to_owned(), value);
        }
    }
    if !properties.contains_key("id")
        && let Some(name) = properties
            .keys()
            .find(|name| name.eq_ignore_ascii_case(OBJECT_ID))
        && let Some(id) = properties.remove(&name.clone())
    {
        properties.insert("id".to_owned(), id);
        changed = true;
    }
    for name in NESTED {
        if let Some(value) = properties.get_mut(*name)
            && let Some(inner) = value.as_str().and_then(nested)
        {
            *value = inner;
            changed = true;
        }
    }
    for value in properties.values_mut() {
        changed |= respell(value);
    }
    changed
}

/// The object or list that a text holds.
fn nested(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

/// `{"value": "/Date(…)/", "DateTime": …}`: a date of Windows PowerShell 5.1.
fn wrapped_date(properties: &Map<String, Value>) -> Option<String> {
    let value = properties.get("value")?.as_str()?;
    let is_date = properties.contains_key("DateTime") && value.starts_with("/Date(");
    is_date.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respelled(row: &str) -> Option<Value> {
        super::respelled(row.as_bytes()).map(|row| serde_json::from_slice(&row).unwrap())
    }

    #[test]
    fn names_in_any_case_are_graphs_and_what_is_right_stays_as_it_is() {
        for right in [
            r#"{"id":"a","status":{"errorCode":0},"somethingElse":1}"#,
            r#"{"id":"a","Whatever":{"Other":1}}"#,
            "[1, 2]",
            "{",
        ] {
            assert_eq!(respelled(right), None, "{right}");
        }
        for (row, expected) in [
            (
                r#"{"Id":"a","UserPrincipalName":"b","Status":{"ErrorCode":7}}"#,
                r#"{"id":"a","userPrincipalName":"b","status":{"errorCode":7}}"#,
            ),
            (r#"{"ID":"a","id":"b"}"#, r#"{"ID":"a","id":"b"}"#),
            (
                r#"{"ObjectId":"a","UserPrincipalName":"b"}"#,
                r#"{"id":"a","userPrincipalName":"b"}"#,
            ),
            (
                r#"{"ObjectId":"a","id":"b"}"#,
                r#"{"ObjectId":"a","id":"b"}"#,
            ),
            (
                r#"{"createdDateTime":{"value":"\/Date(1767605400000)\/","DisplayHint":2,"DateTime":"Monday"}}"#,
                r#"{"createdDateTime":"/Date(1767605400000)/"}"#,
            ),
            (
                r#"{"Status":"{\"errorCode\": 7}","ResultType":"x"}"#,
                r#"{"status":{"errorCode":7},"resultType":"x"}"#,
            ),
            (
                r#"{"Properties":{"TargetResources":[{"Id":"a","Type":"User"}]}}"#,
                r#"{"properties":{"targetResources":[{"id":"a","type":"User"}]}}"#,
            ),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            let found = respelled(row).unwrap_or_else(|| serde_json::from_str(row).unwrap());
            assert_eq!(found, expected, "{row}");
        }
    }
}
