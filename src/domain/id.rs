//! Identifiers. Object ids are the only join key: a user principal name can be renamed and
//! can be given to another person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest object id that is believed; Graph's are 36 characters.
const MAX_LENGTH: usize = 128;

/// What stands around an id, or instead of one, where a tool wrote a text or a type.
const IN_NO_ID: [char; 5] = ['"', '\'', '=', '[', ']'];

/// An object id that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing, or white space only.
    #[error("an object id is missing")]
    Missing,
    /// Longer than any object id.
    #[error("an object id is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// With characters that act instead of being read.
    #[error("an object id has characters that no id has")]
    Unsound,
    /// Graph writes this for accounts it does not know.
    #[error("the object id is all zeros (an unknown account)")]
    AllZeros,
}

/// Whether a text can be a name by which something is known: whole, and every character to be read.
#[must_use]
pub fn is_sound(text: &str) -> bool {
    !text
        .chars()
        .any(|c| acts(c) || c == char::REPLACEMENT_CHARACTER)
}

/// Whether a character acts instead of being read: it steers a terminal, hides, or reorders or
/// breaks what stands around it.
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Accepts an object id as Graph or an export spells it; case does not matter.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if !is_sound(text.trim()) || text.contains(IN_NO_ID) {
                    return Err(InvalidId::Unsound);
                }
                Self::stored(text)
            }

            /// Accepts an object id that was accepted before, perhaps by an earlier version that
            /// took more.
            pub fn stored(text: &str) -> Result<Self, InvalidId> {
                let text = text.trim();
                if text.is_empty() {
                    return Err(InvalidId::Missing);
                }
                if text.len() > MAX_LENGTH {
                    return Err(InvalidId::TooLong);
                }
                if text.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
                    return Err(InvalidId::AllZeros);
                }
                Ok(Self(text.to_lowercase().into()))
            }

            /// The id in lower case.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

object_id! {
    /// The object id of a user, in lower case.
    UserId
}

object_id! {
    /// The object id of a group, in lower case.
    GroupId
}

/// The name of a policy, as the configuration gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyName(Box<str>);

impl PolicyName {
    /// Takes the name as it is: the configuration has checked it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_trimmed_and_lower_case() {
        let id = UserId::parse(" AAAA0000-0000-4000-8000-00000000000A ").unwrap();
        assert_eq!(id.as_str(), "aaaa0000-0000-4000-8000-00000000000a");
    }

    #[test]
    fn nothing_all_zeros_and_novels_are_refused() {
        assert_eq!(UserId::parse("  "), Err(InvalidId::Missing));
        assert_eq!(
            UserId::parse("00000000-0000-0000-0000-000000000000"),
            Err(InvalidId::AllZeros)
        );
        assert_eq!(GroupId::parse(&"x".repeat(129)), Err(InvalidId::TooLong));
        for id in [
            "a\u{1b}]0;x\u{7}",
            "a\u{9b}",
            "a\u{202e}b",
            "a\u{fffd}",
            "=\"a\"",
            "'a'",
            "System.Object[]",
        ] {
            assert_eq!(UserId::parse(id), Err(InvalidId::Unsound), "{id:?}");
        }
    }
}
