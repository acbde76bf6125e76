//! A value of the wrong kind, and what it should have been.
//!
//! The trap is a secret in the wrong place: nothing of a text is repeated, only what
//! [`mask`](super::mask) shows of the line anyhow.

use toml::de::DeValue;

use super::document::Kind;

/// How a moment is written.
pub(super) const FULL_DATE: &str =
    "write it like 2026-01-05T00:00:00Z: the year has four digits, and Z stands for UTC";

pub(super) fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// How the key is written, as near as possible to what was meant; empty where nobody can tell.
pub(super) fn instead(key: &str, kind: Kind, found: &DeValue<'_>) -> String {
    match (kind, found) {
        (Kind::OneOf(names), DeValue::Boolean(flag)) => {
            let meant = if *flag { "on" } else { "off" };
            let names = match names.iter().find(|name| **name == meant) {
                Some(meant) => format!("\"{meant}\""),
                None => any(names),
            };
            format!("write {key} = {names}")
        }
        (Kind::OneOf(names), _) => format!("write {key} = {}", any(names)),
        (Kind::Duration, DeValue::Integer(days)) if is_short(days.as_str()) => {
            format!("write {key} = \"{}d\", if days are meant", days.as_str())
        }
        (Kind::Duration, _) => format!("write {key} = \"14d\", for example"),
        (Kind::Flag, DeValue::Integer(number)) if matches!(number.as_str(), "0" | "1") => {
            format!("write {key} = {}", number.as_str() == "1")
        }
        (Kind::Flag, DeValue::String(text)) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => format!("write {key} = true, without quotes"),
            "false" | "no" | "off" | "0" => format!("write {key} = false, without quotes"),
            _ => format!("write {key} = true or {key} = false"),
        },
        (Kind::Flag, _) => format!("write {key} = true or {key} = false"),
        (Kind::Number, DeValue::String(text)) if text.parse::<u32>().is_ok() => {
            format!("write {key} without quotes")
        }
        (Kind::Number, _) => format!("write {key} = 3, for example"),
        (Kind::Texts | Kind::TextOrTexts, DeValue::String(_)) => {
            format!("put it into brackets: {key} = [\"…\"]")
        }
        (Kind::Texts | Kind::TextOrTexts, _) => format!("write {key} = [\"…\", \"…\"]"),
        (Kind::Instant, _) => FULL_DATE.to_owned(),
        (Kind::Text, DeValue::Array(_)) => format!("keep one text: {key} = \"…\""),
        (Kind::Text, DeValue::Table(_)) => format!("write {key} = \"…\""),
        (Kind::Wording, DeValue::Array(_)) => {
            format!("write {key} = \"…\", or {key} = {{ en = \"…\", de = \"…\" }}")
        }
        (Kind::Text | Kind::Wording, _) => "put it into quotes".to_owned(),
        (Kind::Codes, _) => format!("write {key} = {{ 50140 = \"completed\" }}"),
    }
}

/// As long as numbers that are shown anyhow.
fn is_short(number: &str) -> bool {
    number.len() <= 4 && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn any(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(" or ")
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn what_it_should_have_been_is_said() {
        let modes = Kind::OneOf(&["on", "report-only", "off"]);
        let ways = Kind::OneOf(&["smtp", "file"]);
        for (kind, written, said) in [
            (modes, "true", "write key = \"on\""),
            (modes, "false", "write key = \"off\""),
            (
                modes,
                "1",
                "write key = \"on\" or \"report-only\" or \"off\"",
            ),
            (ways, "true", "write key = \"smtp\" or \"file\""),
            (
                Kind::Duration,
                "14",
                "write key = \"14d\", if days are meant",
            ),
            (Kind::Duration, "14.5", "write key = \"14d\", for example"),
            (Kind::Flag, "1", "write key = true"),
            (Kind::Flag, "0", "write key = false"),
            (Kind::Flag, "2", "write key = true or key = false"),
            (Kind::Flag, "\"No\"", "write key = false, without quotes"),
            (Kind::Flag, "\"secret\"", "write key = true or key = false"),
            (Kind::Number, "\"587\"", "write key without quotes"),
            (Kind::Number, "\"secret\"", "write key = 3, for example"),
            (
                Kind::Texts,
                "\"secret\"",
                "put it into brackets: key = [\"…\"]",
            ),
            (Kind::Text, "[\"secret\"]", "keep one text: key = \"…\""),
            (Kind::Text, "3", "put it into quotes"),
            (Kind::Instant, "3", FULL_DATE),
        ] {
            let text = format!("key = {written}");
            let table = DeTable::parse(&text).unwrap();
            let found = table.get_ref().get("key").unwrap();
            assert_eq!(instead("key", kind, found.get_ref()), said, "{written}");
        }
    }
}
