//! Rows that are longer than others: of groups, each with all its members.
//!
//! Their members are looked at one by one, so that a row takes a few times its length whatever is in
//! it: as one value in memory some rows would take a hundred times that.

use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{ROW_LIMIT, Splitter};
use crate::quote::quote;
use crate::sources::wire::{RowError, respelled};

/// The most members of a group: while its row is read each takes some hundred bytes more than in it.
pub(super) const MOST_MEMBERS: usize = 250_000;

/// The row as Graph would spell it.
pub(super) fn spelled(row: &[u8]) -> Result<Vec<u8>, RowError> {
    let text = String::from_utf8_lossy(row);
    let mut parts = Parts::default();
    let mut read = serde_json::Deserializer::from_str(&text);
    let whole = read.deserialize_map(&mut parts).and_then(|()| read.end());
    match whole {
        _ if parts.members > MOST_MEMBERS => Err(too_many()),
        Ok(()) => Ok(parts.row),
        Err(error) => Err(RowError::Json(
            quote(&error.to_string()).trim_matches('"').to_owned(),
        )),
    }
}

/// A group that has more members than are read.
pub(super) fn too_many() -> RowError {
    RowError::Wrong {
        name: "members",
        expected: "a list of at most 250,000",
        found: "a longer one".to_owned(),
    }
}

/// What has been read of a row so far, respelled.
#[derive(Default)]
struct Parts {
    row: Vec<u8>,
    members: usize,
}

impl Parts {
    fn property(&mut self, name: &str, value: &str) -> Result<(), String> {
        let name = serde_json::Value::from(name);
        if !value.starts_with('[') {
            // No property of a group but its members is long.
            let value = if value.len() > ROW_LIMIT {
                "null"
            } else {
                value
            };
            let property = alone(&format!("{{{name}:{value}}}"), "}");
            self.row.extend_from_slice(property.as_bytes());
            return Ok(());
        }
        let name = alone(&format!("{{{name}:0}}"), "0}");
        self.row.extend_from_slice(name.as_bytes());
        self.list(value)
    }

    fn list(&mut self, list: &str) -> Result<(), String> {
        let mut elements = Splitter::new(list.as_bytes(), false, ROW_LIMIT);
        self.row.push(b'[');
        let mut is_first = true;
        while let Some(element) = elements.next_row().map_err(|broken| broken.to_string())? {
            self.members += 1;
            if self.members > MOST_MEMBERS {
                return Err("too many members".to_owned());
            }
            if !std::mem::take(&mut is_first) {
                self.row.push(b',');
            }
            match respelled(element.bytes) {
                // No member is a list, however long.
                _ if element.bytes.starts_with(b"[") => self.row.extend_from_slice(b"[]"),
                Some(element) => self.row.extend(element),
                None => self.row.extend_from_slice(element.bytes),
            }
        }
        self.row.push(b']');
        Ok(())
    }
}

/// An object of one property, respelled, without its brace and without this end.
fn alone(object: &str, end: &str) -> String {
    let object = match respelled(object.as_bytes()) {
        Some(object) => String::from_utf8_lossy(&object).into_owned(),
        None => object.to_owned(),
    };
    let inside = object.strip_prefix('{').unwrap_or(&object);
    inside.strip_suffix(end).unwrap_or(inside).to_owned()
}

impl<'de> Visitor<'de> for &mut Parts {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<(), A::Error> {
        self.row.push(b'{');
        while let Some((name, value)) = properties.next_entry::<String, &'de RawValue>()? {
            if self.row.len() > 1 {
                self.row.push(b',');
            }
            self.property(&name, value.get())
                .map_err(A::Error::custom)?;
        }
        self.row.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Result<String, String> {
        let row = spelled(row.as_bytes()).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(row).unwrap())
    }

    #[test]
    fn a_row_is_respelled_part_by_part_as_it_would_be_at_once() {
        for row in [
            r#"{"id":"g","displayName":"All \"staff\"","members":["a",{"id":"b","x":[1,{"Id":2}]}]}"#,
            r#"{ "Id" : "g" , "Members" : [ { "Id" : "a" , "UserPrincipalName" : "A@b" } , "c" ] }"#,
            r#"{"id":"g","members":[]}"#,
            r#"{"MEMBERS":[{},null,1.5,true],"members@delta":[{"id":"x"}]}"#,
            "{}",
        ] {
            let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
            let at_once = respelled(row.as_bytes()).unwrap_or_else(|| row.as_bytes().to_vec());
            assert_eq!(
                value(read(row).unwrap().as_bytes()),
                value(&at_once),
                "{row}"
            );
        }
    }

    #[test]
    fn what_is_no_row_or_has_too_many_members_is_refused() {
        for row in ["[]", "{\"a\":1", "{\"a\":1}x", "{\"a\":[1,}"] {
            assert!(read(row).is_err(), "{row}");
        }
        let members = |count: usize| format!("{{\"members\":[{}0]}}", "0,".repeat(count - 1));
        assert!(read(&members(MOST_MEMBERS)).is_ok());
        let error = read(&members(MOST_MEMBERS + 1)).unwrap_err();
        assert_eq!(
            error,
            "`members` is not a list of at most 250,000: a longer one"
        );
    }
}
