//! What is logged: the usual, or what `FORTNIGHT_LOG` asks for where that can be understood. A typo there must
//! not silence what goes wrong.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The variable that says what is logged.
pub const VARIABLE: &str = "FORTNIGHT_LOG";

/// The filter, and what the variable holds if that was not understood. Errors of what it does not name are
/// logged all the same.
#[must_use]
pub fn chosen(asked: &str, usual: &str) -> (EnvFilter, Option<String>) {
    let asked: Vec<&str> = asked.split(',').map(str::trim).collect();
    let asked: Vec<&str> = asked.into_iter().filter(|part| !part.is_empty()).collect();
    if asked.is_empty() {
        return (EnvFilter::new(usual), None);
    }
    let wanted = asked.join(",");
    let filter = EnvFilter::try_new(format!("error,{wanted}"));
    match filter
        .ok()
        .filter(|_| asked.iter().all(|part| is_meant(part)))
    {
        Some(filter) => (filter, None),
        None => (EnvFilter::new(usual), Some(wanted)),
    }
}

/// A word alone is a level; else it would be taken for a part of the program, and nothing but that be logged.
fn is_meant(part: &str) -> bool {
    part.contains('=') || part.parse::<LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "info,sqlx=warn";

    fn parts(filter: &EnvFilter) -> Vec<String> {
        let text = filter.to_string();
        let mut parts: Vec<String> = text.split(',').map(str::to_owned).collect();
        parts.sort();
        parts
    }

    #[test]
    fn what_is_understood_is_logged_and_errors_always() {
        for (asked, logged) in [
            ("", "info,sqlx=warn"),
            (" , ", "info,sqlx=warn"),
            ("DEBUG ", "debug"),
            (
                "info, fortnight::graph=debug",
                "fortnight::graph=debug,info",
            ),
            ("fortnigt=debug", "error,fortnigt=debug"),
            ("off", "off"),
        ] {
            let (filter, unknown) = chosen(asked, USUAL);
            assert_eq!(
                (parts(&filter).join(","), unknown),
                (logged.to_owned(), None),
                "{asked:?}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_named_and_the_usual_is_logged() {
        for asked in [
            "verbose",
            "warning",
            "fortnight:debug",
            "fortnight",
            "fortnight=loud",
            "info,debgu",
        ] {
            let (filter, unknown) = chosen(&format!(" {asked}"), USUAL);
            assert_eq!(parts(&filter).join(","), "info,sqlx=warn", "{asked}");
            assert_eq!(unknown.as_deref(), Some(asked));
        }
    }
}
