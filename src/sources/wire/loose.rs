//! Values that take whatever stands there, and complain only when they are asked for.
//!
//! A derived `Deserialize` fails the whole row for a number in a property nobody reads. These
//! keep what they find, borrowed where that is possible, and the same types carry the cells of
//! a CSV row, so that both formats share every rule.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use serde_json::value::RawValue;

use super::RowError;
use crate::quote::quote;

/// How spreadsheets write a true cell: de, fr, es, it, pt, nl, sv, da, nb, fi, pl, cs, hu, tr, ru.
const LOCAL_TRUE: [&str; 15] = [
    "wahr",
    "vrai",
    "verdadero",
    "vero",
    "verdadeiro",
    "waar",
    "sant",
    "sand",
    "sann",
    "tosi",
    "prawda",
    "pravda",
    "igaz",
    "doğru",
    "истина",
];
/// And a false one; es, it and pt have one word for it.
const LOCAL_FALSE: [&str; 13] = [
    "falsch", "faux", "falso", "onwaar", "falskt", "falsk", "usann", "epätosi", "fałsz",
    "nepravda", "hamis", "yanlış", "ложь",
];

/// A property that should be a text, a number or a flag, also as the only element of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Scalar<'a> {
    /// Absent or null; an empty cell.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// A fraction, an object or a list.
    Other,
}

impl<'a> Scalar<'a> {
    /// A cell of a CSV row.
    #[must_use]
    pub fn cell(text: &'a str) -> Self {
        match text.trim() {
            "" => Self::Null,
            text => Self::Text(Cow::Borrowed(text)),
        }
    }

    /// Whether the row has the property at all.
    #[must_use]
    pub fn is_present(&self) -> bool {
        !matches!(self, Self::Null)
    }

    /// The text, if it is one; anything else is as good as nothing.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Other => None,
        }
    }

    /// The text; anything else but null is wrong.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, RowError> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            Self::Bool(_) | Self::Int(_) | Self::Other => Err(self.wrong(name, "a text")),
        }
    }

    /// True or false, also in the words of the portal's exports.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, RowError> {
        let word = match self {
            Self::Null => return Ok(None),
            Self::Bool(flag) => return Ok(Some(*flag)),
            Self::Text(text) => text.trim().to_lowercase(),
            Self::Int(_) | Self::Other => return Err(self.wrong(name, "true or false")),
        };
        match word.as_str() {
            "" => Ok(None),
            "true" | "yes" | "capable" | "registered" | "enabled" => Ok(Some(true)),
            "false" | "no" | "not capable" | "notcapable" | "not registered" | "notregistered"
            | "not enabled" | "disabled" => Ok(Some(false)),
            word if LOCAL_TRUE.contains(&word) => Ok(Some(true)),
            word if LOCAL_FALSE.contains(&word) => Ok(Some(false)),
            _ => Err(self.wrong(name, "true or false")),
        }
    }

    /// A whole number, also one that is written as a text.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Bool(_) | Self::Other => None,
        }
    }

    fn wrong(&self, name: &'static str, expected: &'static str) -> RowError {
        let found = match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Text(text) => quote(text),
            Self::Other => "a fraction, an object or a list".to_owned(),
        };
        RowError::Wrong {
            name,
            expected,
            found,
        }
    }
}

/// A property whose value may be anything, also what no text can hold: then it is nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loose<'a>(pub Scalar<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(
            serde_json::from_str(raw.get()).unwrap_or(Scalar::Other),
        ))
    }
}

/// A property that should be an object of type `T`, or a list of such or of texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a, T = IgnoredAny> {
    /// Neither object nor list.
    Scalar(Scalar<'a>),
    /// An object.
    Object(T),
    /// A list.
    List(Vec<Entry<'a, T>>),
}

impl<T> Default for Entry<'_, T> {
    fn default() -> Self {
        Self::Scalar(Scalar::Null)
    }
}

impl<'a, T: Deserialize<'a>> Entry<'a, T> {
    /// A cell that holds a JSON list, or names separated by commas, semicolons or lines.
    pub fn cell(text: &'a str) -> Self {
        let text = text.trim();
        if text.starts_with('[')
            && let Ok(list) = serde_json::from_str(text)
        {
            return list;
        }
        let names = text.split([',', ';', '\n', '\r']);
        Self::List(
            names
                .map(Scalar::cell)
                .filter(Scalar::is_present)
                .map(Self::Scalar)
                .collect(),
        )
    }
}

impl<'a, T> Entry<'a, T> {
    /// Whether the row has the property at all.
    pub fn is_present(&self) -> bool {
        !matches!(self, Self::Scalar(Scalar::Null))
    }

    /// The object, if it is one.
    pub fn object(&self) -> Option<&T> {
        match self {
            Self::Object(object) => Some(object),
            Self::Scalar(_) | Self::List(_) => None,
        }
    }

    /// The elements of the list. A single value is a list of one: Windows PowerShell unrolls these.
    pub fn items(&self) -> &[Entry<'a, T>] {
        match self {
            Self::List(list) => list,
            Self::Scalar(Scalar::Null) => &[],
            Self::Scalar(_) | Self::Object(_) => std::slice::from_ref(self),
        }
    }

    /// Those elements of the list that are texts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(|item| match item {
            Self::Scalar(scalar) => scalar.as_str(),
            Self::Object(_) | Self::List(_) => None,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Entry<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor(PhantomData))
    }
}

/// Takes the values that both kinds read alike, each wrapped by `$wrap`.
macro_rules! visit_scalars {
    ($wrap:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($wrap(Scalar::Null))
        }

        fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
            Ok($wrap(Scalar::Bool(flag)))
        }

        fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
            Ok($wrap(Scalar::Int(number)))
        }

        fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
            Ok($wrap(
                i64::try_from(number).map_or(Scalar::Other, Scalar::Int),
            ))
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($wrap(Scalar::Other))
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok($wrap(Scalar::Text(Cow::Borrowed(text))))
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok($wrap(Scalar::Text(Cow::Owned(text.to_owned()))))
        }
    };
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    visit_scalars!(std::convert::identity);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let first: Option<&RawValue> = seq.next_element()?;
        let mut is_only = true;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_only = false;
        }
        // What nests is no single value, and is not followed down.
        match first.filter(|first| is_only && !first.get().starts_with(['[', '{'])) {
            Some(only) => serde_json::from_str(only.get()).map_err(A::Error::custom),
            None => Ok(Scalar::Other),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

struct EntryVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntryVisitor<T> {
    type Value = Entry<'de, T>;

    visit_scalars!(Entry::Scalar);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Entry::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Entry::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_takes_everything() {
        for (json, expected) in [
            ("null", Scalar::Null),
            ("true", Scalar::Bool(true)),
            ("-7", Scalar::Int(-7)),
            ("18446744073709551615", Scalar::Other),
            ("0.5", Scalar::Other),
            ("\"a\"", Scalar::Text("a".into())),
            ("\"\\u0061\"", Scalar::Text("a".into())),
            ("[[[1]]]", Scalar::Other),
            ("[]", Scalar::Other),
            ("[1,2]", Scalar::Other),
            ("[{}]", Scalar::Other),
            ("[ \"a\" ]", Scalar::Text("a".into())),
            ("[true]", Scalar::Bool(true)),
            ("{\"a\":{}}", Scalar::Other),
        ] {
            assert_eq!(
                serde_json::from_str::<Scalar<'_>>(json).unwrap(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn flags_know_the_words_of_the_exports() {
        for (cell, expected) in [
            ("True", Some(true)),
            ("Yes", Some(true)),
            (" Capable ", Some(true)),
            ("FALSE", Some(false)),
            ("Not Capable", Some(false)),
            ("", None),
        ] {
            assert_eq!(Scalar::cell(cell).flag("x").unwrap(), expected, "{cell}");
        }
        assert!(Scalar::cell("perhaps").flag("x").is_err());
        assert!(Scalar::Int(1).flag("x").is_err());
    }

    #[test]
    fn a_list_in_a_cell_is_json_or_separated_names() {
        for cell in ["[\"a\",\"b c\"]", "a,b c", "a; b c ;", "a\r\nb c"] {
            let list: Entry<'_> = Entry::cell(cell);
            assert_eq!(list.texts().collect::<Vec<_>>(), ["a", "b c"], "{cell:?}");
        }
    }

    #[test]
    fn a_single_value_is_a_list_of_one() {
        for (json, expected) in [
            ("\"a\"", vec!["a"]),
            ("[\"a\"]", vec!["a"]),
            ("[]", vec![]),
            ("null", vec![]),
            ("{}", vec![]),
        ] {
            let list: Entry<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(list.texts().collect::<Vec<_>>(), expected, "{json}");
        }
        let object: Entry<'_> = serde_json::from_str("{}").unwrap();
        assert!(matches!(object.items(), [Entry::Object(_)]));
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(serde_json::from_str::<Entry<'_>>(&deep).is_err());
        assert_eq!(
            serde_json::from_str::<Scalar<'_>>(&deep).unwrap(),
            Scalar::Other
        );
    }
}
