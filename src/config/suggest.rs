//! "Did you mean": the nearest of the names that would have been right.

/// The candidate that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = normal(written);
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &normal(name)), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// In one spelling, and without the plural.
fn normal(name: &str) -> String {
    let name = name.to_lowercase().replace('-', "_");
    match (name.strip_suffix("ies"), name.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["timezone", "database", "http", "sign_ins", "policy"];
        for (written, meant) in [
            ("time_zone", Some("timezone")),
            ("databse", Some("database")),
            ("HTTP", Some("http")),
            ("sign-ins", Some("sign_ins")),
            ("policies", Some("policy")),
            ("htpp", Some("http")),
            ("colour", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
    }
}
