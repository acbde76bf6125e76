//! What was probably meant by a time zone that is none.

use jiff::tz;

use super::suggest::nearest;

/// How Windows ends the names of its zones.
const OF_WINDOWS: &str = " Time";

/// How the zone is written: the one that was meant, where anybody can tell.
pub(crate) fn remedy(written: &str) -> String {
    if written.ends_with(OF_WINDOWS) {
        return "this is a name of Windows; IANA names are wanted: \"Europe/Berlin\" is what Windows calls \"W. Europe Standard Time\"".to_owned();
    }
    meant(written).map_or_else(
        || "zones are written like \"Europe/Berlin\"".to_owned(),
        |zone| format!("did you mean \"{zone}\"?"),
    )
}

/// The zone whose whole name, or whose city, is near enough.
fn meant(written: &str) -> Option<String> {
    let zones: Vec<String> = tz::db().available().map(|zone| zone.to_string()).collect();
    let names = || zones.iter().map(String::as_str);
    let by_city = || {
        let near = nearest(&city(written).replace(' ', "_"), names().map(city))?;
        names().find(|zone| city(zone) == near)
    };
    nearest(written, names())
        .or_else(by_city)
        .map(str::to_owned)
}

fn city(zone: &str) -> &str {
    zone.rsplit('/').next().unwrap_or(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_that_was_meant_is_named() {
        for (written, said) in [
            ("Berlin", "did you mean \"Europe/Berlin\"?"),
            ("europe/berlim", "did you mean \"Europe/Berlin\"?"),
            ("America/NewYork", "did you mean \"America/New_York\"?"),
            ("new york", "did you mean \"America/New_York\"?"),
            ("somewhere else", "zones are written like \"Europe/Berlin\""),
        ] {
            assert_eq!(remedy(written), said);
        }
        let of_windows = remedy("Pacific Standard Time");
        assert!(of_windows.starts_with("this is a name of Windows; IANA names"));
    }
}
