//! The demo, as a newcomer sees it: it ends in time, and tells what its people's stories promise.

use std::process::Command;

#[test]
fn the_demo_tells_its_stories() {
    let folder = tempfile::tempdir().unwrap();
    let played = Command::new(env!("CARGO_BIN_EXE_fortnight"))
        .args(["demo", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        played.status.success(),
        "{}",
        String::from_utf8_lossy(&played.stderr)
    );
    assert!(
        played.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&played.stderr)
    );
    let text = String::from_utf8(played.stdout).unwrap();
    let told = text
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with("What to try next"))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!(told, @r"
    day  1  14 windows open, 14 mails go out
    day  2  19 windows open, 19 mails go out
    day  3  35 windows open, 35 mails go out
    day  4  13 windows open, 13 mails go out
    day  6  25 windows open, 25 mails go out
    day 15  1 flagged, 0 flags taken back
    day 16  held (mass): 22 people would be flagged in this run (0 more were in the last 24 hours), of 285 in scope
    day 17  an operator approves the hold mass
    day 17  0 flagged, 1 flags taken back
    day 17  22 flagged, 0 flags taken back
    day 19  0 flagged, 5 flags taken back
    day 21  1 flagged, 0 flags taken back
    day 22  2 flagged, 0 flags taken back
    day 24  1 flagged, 0 flags taken back
    day 26  1 flagged, 0 flags taken back
    day 27  0 flagged, 1 flags taken back

    After five weeks: 112 windows opened, 28 people flagged, 7 flags taken back, 367 mails accepted.
        21  enforcement_needed
         3  exempt
         1  gone
        13  not_eligible
       260  registered
         3  waiting_first_sign_in

    Some of their stories
      Emergency access 1           exempt                 excluded by name; it signed in, and nothing happened
      Emergency access 2           exempt                 excluded by name; it signed in, and nothing happened
      On-Premises Directory Synch  not_eligible           the synchronisation's account cannot register
      Dana Dietz                   gone                   left in the middle of the window; nobody was told again
      Emil Eder                    registered             disabled for six days: the clock stopped, and went on with what was left
      Fatima Faber                 registered             could not register (53004): the flag waited, the help desk looked
      Goran Grau                   registered             the log came three days late; the window counts from the sign-in
      Hana Horn                    exempt                 flagged, then excluded: the flag went at once
      Ivo Ilic                     registered             deleted the method after ten days: with no window before, a full one
      Jana Jansen                  registered             methods reset by an administrator: a full new window
      Kofi Kern                    enforcement_needed     no mail address: operators were told, and the flag waited a week more
      Lena Lund                    waiting_first_sign_in  forty wrong passwords: an attacker starts nobody's clock
      Robert Bcc: everyone@exampl  waiting_first_sign_in  only a phone refreshing in the background, and a hostile name
      Noor Novak                   waiting_first_sign_in  never signed in: nobody has asked yet
    ");
    let mails = std::fs::read_dir(folder.path().join("outbox"))
        .unwrap()
        .count();
    assert!(
        text.contains(&format!("{mails} mails accepted")),
        "{mails} mails in the folder"
    );
}

#[test]
fn the_demo_takes_no_folder_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("fortnight.toml");
    std::fs::write(&configuration, "mine").unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_fortnight"))
        .args(["demo", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("is not empty, or somebody else's: name a new folder"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(configuration).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
