//! Identifiers. Object ids are the only join key: a user principal name can be renamed and
//! can be given to another person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest object id that is believed; Graph's are 36 characters.
const MAX_LENGTH: usize = 128;

/// An object id that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing, or white space only.
    #[error("an object id is missing")]
    Missing,
    /// Longer than any object id.
    #[error("an object id is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// Graph writes this for accounts it does not know.
    #[error("the object id is all zeros (an unknown account)")]
    AllZeros,
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
    }
}
