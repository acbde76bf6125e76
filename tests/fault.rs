//! Whose fault it is that mails are not accepted, through the whole program: what waits, who is told, who is flagged.

use jiff::Timestamp;
use serde_json::Value;

use crate::support::program::{Organisation, after, at, hours, minutes};
use crate::support::recorder::{Answer, Moment, Recorder};

fn monday() -> Timestamp {
    at("2026-01-05T08:00:00Z")
}

fn well(_: &Moment<'_>) -> Answer {
    Answer::Well
}

fn organisation(people: usize, recorder: &Recorder) -> Organisation {
    let organisation = Organisation::new(people, after(monday(), hours(-1)), recorder.port);
    organisation.configure();
    organisation
}

fn pass(organisation: &Organisation, at: Timestamp) -> Value {
    organisation.export(at);
    organisation.cycle(at)
}

fn holds(report: &Value) -> Vec<&str> {
    let holds = report["holds"].as_array().unwrap();
    holds
        .iter()
        .map(|hold| hold["id"].as_str().unwrap())
        .collect()
}

/// Mails to operators about what was not accepted.
fn told(recorder: &Recorder) -> Vec<String> {
    let mut told = recorder.mailbox("operators@contoso.example");
    told.retain(|kept| kept.subject.contains("accepted") || kept.subject.contains("reached"));
    let subjects = told.into_iter().map(|kept| kept.subject);
    let what = |subject: String| subject.rsplit("] ").next().unwrap().to_owned();
    subjects.map(what).collect()
}

#[test]
fn a_blocked_sender_keeps_every_mail_and_flags_nobody() {
    for refusal in [
        "550 5.1.8 this sender is blocked\r\n",
        "550 5.1.1 no such user\r\n",
        "550 blocked\r\n",
    ] {
        let recorder = Recorder::start(move |moment| match moment.verb {
            "DOT" => Answer::Say(refusal),
            _ => Answer::Well,
        });
        let organisation = organisation(6, &recorder);
        for hour in [0, 1, 3] {
            let report = pass(&organisation, after(monday(), hours(hour)));
            assert_eq!(holds(&report), ["channel"], "{refusal}");
            assert_eq!(report["deliveries"]["failed"], 0, "{refusal}");
        }
        recorder.follow(well);
        let report = pass(&organisation, after(monday(), hours(5)));
        assert_eq!(holds(&report), [""; 0], "{refusal}");
        for number in 0..6 {
            let mails = recorder.mailbox(&Organisation::address(number));
            assert_eq!(mails.len(), 1, "{refusal}");
        }
        // In the last week nothing gets through again: nobody is flagged before the reminders did.
        recorder.follow(move |moment| match moment.verb {
            "DOT" => Answer::Say(refusal),
            _ => Answer::Well,
        });
        for day in 7..16 {
            let report = pass(&organisation, after(monday(), hours(24 * day)));
            assert_eq!(
                (holds(&report), &report["flagged"]),
                (vec!["channel"], &0.into())
            );
        }
        recorder.follow(well);
        pass(&organisation, after(monday(), hours(24 * 16)));
        let report = pass(&organisation, after(monday(), hours(24 * 16 + 1)));
        assert_eq!(report["flagged"], 6, "{refusal}");
    }
}

#[test]
fn restricted_mailboxes_keep_nobody_from_being_told() {
    let recorder = Recorder::start(|moment| {
        let number = moment.to.trim_start_matches('p').split('@').next();
        let number: Option<usize> = number.and_then(|number| number.parse().ok());
        match (moment.verb, number) {
            ("RCPT", Some(..40)) => Answer::Say("550 5.7.133 restricted\r\n"),
            _ => Answer::Well,
        }
    });
    let organisation = organisation(50, &recorder);
    let report = pass(&organisation, monday());
    let deliveries = &report["deliveries"];
    assert_eq!(
        (&deliveries["failed"], &deliveries["sent"]),
        (&40.into(), &10.into())
    );
    assert_eq!(holds(&report), [""; 0]);
    pass(&organisation, after(monday(), hours(1)));
    assert_eq!(
        told(&recorder),
        ["40 people cannot be reached by mail"],
        "one mail for one cause"
    );
}

/// As every mail to operators is: in their language and zone, and people by name.
#[test]
fn what_was_refused_is_told_in_the_language_and_zone_of_operators_by_name() {
    let recorder = Recorder::start(|moment| match (moment.verb, moment.to) {
        ("RCPT", to) if to.starts_with('p') => Answer::Say("550 5.1.1 no such user\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(12, &recorder);
    let file = organisation.path("fortnight.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let german = text.replace("operators = [", "language = \"de\"\noperators = [");
    std::fs::write(&file, german).unwrap();
    pass(&organisation, monday());
    let database = rusqlite::Connection::open(organisation.path("fortnight.db")).unwrap();
    let said = "SELECT title, lines FROM outbox WHERE user_id IS NULL AND event = 'delivery.dead'";
    let (title, lines): (String, String) = database
        .query_row(said, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(title, "12 E-Mails wurden nicht angenommen");
    let lines: Vec<String> = serde_json::from_str(&lines).unwrap();
    assert!(lines.is_sorted(), "{lines:?}");
    for line in lines {
        assert!(line.contains("die Adresse wurde abgelehnt"), "{line}");
        assert!(line.contains("Uhr MEZ (UTC+1) markiert"), "{line}");
    }
}

#[test]
fn one_due_and_refused_costs_one_mail_to_operators() {
    let recorder = Recorder::start(|moment| match (moment.verb, moment.to) {
        ("RCPT", "p0@contoso.example") => Answer::Say("550 5.7.1 restricted\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(1, &recorder);
    for day in 0..21 {
        let report = pass(&organisation, after(monday(), hours(24 * day)));
        assert_eq!(holds(&report), [""; 0], "day {day}");
        assert_eq!(report["flagged"], 0, "day {day}");
    }
    assert_eq!(told(&recorder), ["A mail was not accepted"]);
    assert_eq!(organisation.deliveries_to(0)[0]["state"], "failed");
    // Seven days after the deadline, which is two weeks after the sign-in.
    let report = pass(&organisation, after(monday(), hours(24 * 21)));
    assert_eq!(report["flagged"], 1);
}

#[test]
fn a_grey_list_holds_nothing_and_is_told_to_nobody() {
    let recorder = Recorder::start(|moment| match (moment.verb, moment.nth) {
        ("RCPT", 1) => Answer::Say("451 4.7.1 greylisted\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(12, &recorder);
    assert_eq!(holds(&pass(&organisation, monday())), [""; 0]);
    let report = pass(&organisation, after(monday(), minutes(10)));
    assert_eq!(
        (holds(&report).len(), &report["deliveries"]["sent"]),
        (0, &12.into())
    );
    assert_eq!(recorder.mailbox("operators@contoso.example"), []);
}

#[test]
fn outcomes_that_are_all_lost_hold_flags_and_are_held_against_nobody() {
    let recorder = Recorder::start(|moment| match moment.verb {
        "DOT" => Answer::Cut,
        _ => Answer::Well,
    });
    let organisation = organisation(12, &recorder);
    let report = pass(&organisation, monday());
    assert_eq!(holds(&report), ["channel"]);
    recorder.follow(well);
    let report = pass(&organisation, after(monday(), minutes(11)));
    assert_eq!(holds(&report), [""; 0]);
    for number in 0..12 {
        assert_eq!(recorder.mailbox(&Organisation::address(number)).len(), 1);
    }
}

#[test]
fn a_server_that_says_421_is_left_alone() {
    let recorder = Recorder::start(|moment| match moment.verb {
        "MAIL" => Answer::Say("421 4.3.2 too many connections\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(50, &recorder);
    let report = pass(&organisation, monday());
    let error = report["errors"][0].as_str().unwrap();
    assert!(error.contains("asks for time (421"), "{error}");
    let asked = recorder.count("MAIL");
    assert!(asked <= 6, "{asked}");
    pass(&organisation, after(monday(), minutes(0)));
    assert_eq!(
        recorder.count("MAIL"),
        asked,
        "it is left alone for a minute"
    );
    recorder.follow(well);
    let report = pass(&organisation, after(monday(), minutes(2)));
    assert_eq!(report["deliveries"]["sent"], 50);
}

#[test]
fn where_there_are_no_operators_an_approval_ends_an_outage() {
    let recorder = Recorder::start(|moment| match moment.verb {
        "RCPT" => Answer::Say("550 5.7.1 no\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(1, &recorder);
    let file = organisation.path("fortnight.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("operators = [\"operators@contoso.example\"]\n", ""),
    )
    .unwrap();
    let report = pass(&organisation, monday());
    assert_eq!(holds(&report), ["channel"]);
    assert_eq!(report["holds"][0]["released_by"], "approval");
    let approve = ["enforcement", "approve", "channel", "--reason", "it works"];
    assert_eq!(organisation.say(&approve).code, Some(0));
    recorder.follow(well);
    let report = pass(&organisation, after(monday(), hours(1)));
    assert_eq!(holds(&report), [""; 0]);
}
