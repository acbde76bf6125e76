//! The demo, as a newcomer sees it: it ends in time, and tells what its people's stories promise.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
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
    Week 1
    People sign in. With the first sign-in a window of 14 days opens, and a mail says by when to register.
      Tue 06 Jan  14 windows open, 2 close, 16 mails go out
      Wed 07 Jan  19 windows open, 2 close, 21 mails go out
      Thu 08 Jan  35 windows open, 3 close, 38 mails go out
      Fri 09 Jan  13 windows open, 4 close, 17 mails go out
      Sat 10 Jan  1 window opens, 4 close, 5 mails go out
      Sun 11 Jan  25 windows open, 6 close, 1 is paused, 31 mails go out

    Week 2
    Many register, and hear no more. The others are reminded seven days, three days and one day before their deadline.
      Mon 12 Jan  6 close, 12 mails go out
      Tue 13 Jan  1 window opens, 6 close, 18 mails go out
      Wed 14 Jan  1 window opens, 7 close, 1 is paused, 36 mails go out
      Thu 15 Jan  6 close, 12 mails go out
      Fri 16 Jan  2 windows open, 6 close, 10 mails go out
      Sat 17 Jan  7 close, 1 goes on, 23 mails go out
      Sun 18 Jan  1 window opens, 6 close, 31 mails go out

    Week 3
    The first deadlines pass. Whoever has still not registered is flagged: put on a list for you to act on.
      Mon 19 Jan  5 close, 12 mails go out
      Tue 20 Jan  4 close, 28 mails go out, 1 person is flagged
      Wed 21 Jan  3 close, 7 mails go out
      Wed 21 Jan  held (mass): 22 people would be flagged in this run, of 285 in scope. A hold: new flags wait until better data or an operator ends it, so that a mistake flags nobody. Mails and windows go on.
      Thu 22 Jan  1 is paused, 1 flag is taken back
      Thu 22 Jan  an operator looks at the people and approves the hold mass: the next pass flags them
      Thu 22 Jan  2 close, 27 mails go out, 22 people are flagged
      Fri 23 Jan  2 close, 3 mails go out
      Sat 24 Jan  6 close, 8 mails go out, 5 flags are taken back
      Sun 25 Jan  1 closes, 2 mails go out

    Week 4
    Late ones: who has no address or cannot register waits a week longer before the flag.
      Mon 26 Jan  3 mails go out, 1 person is flagged
      Tue 27 Jan  1 mail goes out, 2 people are flagged
      Wed 28 Jan  2 mails go out
      Thu 29 Jan  1 mail goes out, 1 person is flagged
      Fri 30 Jan  1 mail goes out
      Sat 31 Jan  1 mail goes out, 1 person is flagged
      Sun 01 Feb  1 closes, 1 mail goes out, 1 flag is taken back

    Week 5
    Nothing changes any more: people on leave were never asked, and some of those who were flagged do not register.

    After five weeks
      112 windows opened, 28 people flagged, 7 flags taken back, 367 mails accepted
         3  exempt                 the policy excludes them
        13  not_eligible           guests and accounts that cannot register
         1  gone                   no longer in the directory
       260  registered             done
         3  waiting_first_sign_in  have not signed in since; nobody asked them yet
        21  enforcement_needed     flagged: late, and everything is proven

    Some of their stories
      · Emergency access 1, exempt: excluded by name; it signed in, and nothing happened
      · Emergency access 2, exempt: excluded by name; it signed in, and nothing happened
      · On-Premises Directory Sync…, not_eligible: the synchronisation's account cannot register
      · Dana Dietz, gone: left in the middle of the window; nobody was told again
      · Emil Eder, registered: disabled for six days: the clock stopped, and went on with what was left
      · Fatima Faber, registered: could not register (53004): the flag waited, the help desk looked
      · Goran Grau, registered: the log came three days late; the window counts from the sign-in
      · Hana Horn, exempt: flagged, then excluded: the flag went at once
      · Ivo Ilic, registered: deleted the method after ten days: with no window before, a full one
      · Jana Jansen, registered: methods reset by an administrator: a full new window
      · Kofi Kern, enforcement_needed: no mail address: operators were told, and the flag waited a week more
      · Lena Lund, waiting_first_sign_in: forty wrong passwords: an attacker starts nobody's clock
      · Robert Bcc: everyone@examp…, waiting_first_sign_in: only a phone refreshing in the background, and a hostile name
      · Noor Novak, waiting_first_sign_in: never signed in: nobody has asked yet
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
    let shared = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), shared).unwrap();
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
    let mode = std::fs::metadata(folder.path()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o755);
}
