//! What was probably meant by a time zone that is none.

use jiff::tz::{self, TimeZone};

use super::suggest::nearest;

/// How Windows ends the names of its zones.
const OF_WINDOWS: &str = " Time";

/// What a database of zones holds beside the zones of people: the machine's own, placeholders, and how others count
/// leap seconds.
const OF_MACHINES: [&str; 4] = ["localtime", "factory", "posixrules", "etc/unknown"];
/// Copies of all zones, the second with leap seconds.
const COPIES: [&str; 2] = ["posix/", "right/"];

/// The zone of that name, if people live by it.
pub(crate) fn named(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().filter(|_| is_of_people(name))
}

/// Whether a name of a zone means the same on every machine, and one that people live by.
pub(crate) fn is_of_people(name: &str) -> bool {
    let lower = name.to_lowercase();
    !OF_MACHINES.contains(&lower.as_str()) && !COPIES.iter().any(|copy| lower.starts_with(copy))
}

/// How the zone is written: the one that was meant, where anybody can tell.
pub(crate) fn remedy(written: &str) -> String {
    if written.ends_with(OF_WINDOWS) {
        return "this is a name of Windows; IANA names are wanted: \"Europe/Berlin\" is what Windows calls \"W. Europe Standard Time\"".to_owned();
    }
    let lower = written.to_lowercase();
    if OF_MACHINES.contains(&lower.as_str()) {
        return "no people live by it: name the zone of yours, like \"Europe/Berlin\"".to_owned();
    }
    let copied = COPIES.iter().find(|copy| lower.starts_with(*copy));
    let written = copied.map_or(written, |copy| &written[copy.len()..]);
    meant(written).map_or_else(
        || "zones are written like \"Europe/Berlin\"".to_owned(),
        |zone| format!("did you mean \"{zone}\"?"),
    )
}

/// The zone whose whole name, or whose city, is near enough.
fn meant(written: &str) -> Option<String> {
    let zones = tz::db().available().map(|zone| zone.to_string());
    let zones: Vec<String> = zones.filter(|zone| is_of_people(zone)).collect();
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
    fn a_zone_is_one_that_people_live_by() {
        for name in [
            "localtime",
            "Factory",
            "posixrules",
            "posix/Europe/Berlin",
            "Right/UTC",
            "Etc/Unknown",
        ] {
            assert!(!is_of_people(name) && named(name).is_none(), "{name}");
        }
        for name in ["Europe/Berlin", "UTC", "Etc/GMT+1"] {
            assert!(named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_zone_that_was_meant_is_named() {
        for (written, said) in [
            ("Berlin", "did you mean \"Europe/Berlin\"?"),
            ("europe/berlim", "did you mean \"Europe/Berlin\"?"),
            ("America/NewYork", "did you mean \"America/New_York\"?"),
            ("new york", "did you mean \"America/New_York\"?"),
            ("posix/Europe/Berlin", "did you mean \"Europe/Berlin\"?"),
            ("right/Berlin", "did you mean \"Europe/Berlin\"?"),
            (
                "localtime",
                "no people live by it: name the zone of yours, like \"Europe/Berlin\"",
            ),
            ("localtme", "zones are written like \"Europe/Berlin\""),
            ("somewhere else", "zones are written like \"Europe/Berlin\""),
        ] {
            assert_eq!(remedy(written), said);
        }
        let of_windows = remedy("Pacific Standard Time");
        assert!(of_windows.starts_with("this is a name of Windows; IANA names"));
    }
}
