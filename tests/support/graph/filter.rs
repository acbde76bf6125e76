//! `$filter`, as far as the endpoints take it: comparisons joined by `and`.

use jiff::Timestamp;

/// A comparison of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    pub property: String,
    pub operator: String,
    pub value: Literal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Text(String),
    Time(Timestamp),
}

/// None: it cannot be understood.
pub fn parse(text: &str) -> Option<Vec<Clause>> {
    split(text).iter().map(|clause| read(clause)).collect()
}

/// At each `and` that no quotes enclose.
fn split(text: &str) -> Vec<String> {
    let mut clauses = vec![String::new()];
    let mut quoted = false;
    for word in text.split_inclusive(' ') {
        if !quoted && word.trim() == "and" {
            clauses.push(String::new());
            continue;
        }
        quoted ^= word.matches('\'').count() % 2 == 1;
        clauses.last_mut().unwrap().push_str(word);
    }
    clauses
}

fn read(clause: &str) -> Option<Clause> {
    let mut parts = clause.trim().splitn(3, ' ');
    let (property, operator, value) = (parts.next()?, parts.next()?, parts.next()?.trim());
    let value = match value.strip_prefix('\'') {
        Some(text) => Literal::Text(unquote(text)?),
        None => Literal::Time(value.parse().ok()?),
    };
    Some(Clause {
        property: property.to_owned(),
        operator: operator.to_owned(),
        value,
    })
}

/// A quote within quotes is doubled.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_suffix('\'')?;
    let single = inner.replace("''", "");
    (!single.contains('\'')).then(|| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_enclose_what_looks_like_a_clause() {
        let clauses =
            parse("displayName eq 'O''Brien and sons' and createdDateTime ge 2026-01-05T00:00:00Z")
                .unwrap();
        assert_eq!(
            clauses[0].value,
            Literal::Text("O'Brien and sons".to_owned())
        );
        assert_eq!(clauses[1].operator, "ge");
        for wrong in ["displayName eq 'O'Brien'", "createdDateTime ge soon", "x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
