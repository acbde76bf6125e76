//! What a folder of exports yields: the shapes, the refusals, and the documented samples.
//!
//! The documented samples are not part of this repository; `FORTNIGHT_SAMPLES` names their
//! folder, else it is looked for beside the checkout. Without it their test says so and passes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use fortnight::domain::audit::{AuditEvent, AuditKind};
use fortnight::domain::registration::{Detail, Level};
use fortnight::domain::sign_in::{Route, SignIn};
use fortnight::sources::files::{Part, Rows, audits, groups, registration, scan, sign_ins, users};
use fortnight::sources::wire::{DateOrder, Member, Report, Who};
use fortnight::sources::{Collection, Item, Skip};
use jiff::Timestamp;
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-09-25T12:00:00Z".parse().unwrap()
}

/// What a part gave.
#[derive(Debug)]
struct Read<T> {
    facts: Vec<T>,
    skipped: Vec<Skip>,
    quarantined: Vec<String>,
    error: Option<String>,
}

impl<T> Read<T> {
    /// Facts, skipped and quarantined rows of a file that was read to its end.
    fn counts(&self) -> (usize, usize, usize) {
        assert_eq!(self.error, None);
        (self.facts.len(), self.skipped.len(), self.quarantined.len())
    }
}

fn drain<T>(rows: Rows<T>) -> Read<T> {
    let mut read = Read {
        facts: vec![],
        skipped: vec![],
        quarantined: vec![],
        error: None,
    };
    for item in rows {
        assert_eq!(read.error, None, "an error is the last item");
        match item {
            Ok(Item::Fact(fact)) => read.facts.push(fact),
            Ok(Item::Skipped(why)) => read.skipped.push(why),
            Ok(Item::Quarantined(row, _)) => read.quarantined.push(row.to_string()),
            Err(error) => read.error = Some(error.to_string()),
        }
    }
    read
}

/// Reads one file under a name.
fn read<T>(
    name: &str,
    content: impl AsRef<[u8]>,
    collection: Collection,
    by: fn(&Part, Timestamp) -> Rows<T>,
) -> Read<T> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), content).unwrap();
    let folder = scan(dir.path(), None).unwrap();
    let parts = folder.required(collection).unwrap();
    drain(by(&parts[0], now()))
}

fn read_users(name: &str, content: impl AsRef<[u8]>) -> Read<fortnight::domain::person::Person> {
    read(name, content, Collection::Users, users)
}

fn read_sign_ins(name: &str, content: impl AsRef<[u8]>) -> Read<SignIn> {
    read(name, content, Collection::SignIns, sign_ins)
}

fn data(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name),
    )
    .unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

const ANA: &str = r#"{"id":"A-1","userPrincipalName":"ana@contoso.com","accountEnabled":true}"#;
const BO: &str = r#"{"id":"B-2","userPrincipalName":"bo@contoso.com","accountEnabled":false}"#;

#[test]
fn users_in_every_shape_plain_and_packed() {
    let csv = "\u{feff}accountEnabled,id ,User principal name\r\nTrue,A-1,ana@contoso.com\r\nFalse,B-2,bo@contoso.com\r\n";
    for (name, content) in [
        ("users.json", format!("{{\"value\":[{ANA},{BO}]}}")),
        ("users.json", format!("\u{feff}[{ANA},\n{BO}]")),
        ("users.ndjson", format!("{ANA}\n{BO}\n")),
        ("users.jsonl", format!("{ANA}\n{BO}")),
        ("Users.JSON", format!("{ANA}\r\n{BO}\r\n")),
        ("exportUsers_2026-9-1.csv", csv.to_owned()),
        ("users.csv", csv.replace(',', ";")),
    ] {
        let plain = read_users(name, &content);
        assert_eq!(plain.counts(), (2, 0, 0), "{name}: {plain:?}");
        assert_eq!(plain.facts[0].id.as_str(), "a-1");
        assert_eq!(
            (plain.facts[0].enabled, plain.facts[1].enabled),
            (true, false)
        );
        let packed = read_users(&format!("{name}.gz"), gzip(content.as_bytes()));
        assert_eq!(packed.facts, plain.facts, "{name}");
    }
}

#[test]
fn users_as_other_tools_spell_them() {
    let powershell = r#"[{"Id":"A-1","UserPrincipalName":"ana@contoso.com","AccountEnabled":true,"CreatedDateTime":{"value":"\/Date(1767605400000)\/","DateTime":"Monday"}},
{"Id":"B-2","UserPrincipalName":"bo@contoso.com","AccountEnabled":false,"CreatedDateTime":"\/Date(1767605400000)\/"}]"#;
    let lower = powershell.to_lowercase().replace("/date(", "/Date(");
    let header = "\"AccountEnabled\",\"Id\",\"UserPrincipalName\"";
    let rows = "\"True\",\"A-1\",\"ana@contoso.com\"\r\n\"False\",\"B-2\",\"bo@contoso.com\"\r\n";
    let typed =
        format!("#TYPE Microsoft.Graph.PowerShell.Models.MicrosoftGraphUser\r\n{header}\r\n{rows}");
    let german = format!("sep=;\r\n{header}\r\n{rows}").replace(',', ";");
    for (name, content) in [
        ("users.json", powershell.to_owned()),
        ("users.json", lower.replace("\"datetime\"", "\"DateTime\"")),
        // The first row is Graph's, and the other is not.
        (
            "users.json",
            format!("[{ANA},{}]", BO.replace("\"id\"", "\"ID\"")),
        ),
        ("users.csv", typed.clone()),
        ("users.csv", typed.replace(',', ";")),
        ("users.csv", german.clone()),
        (
            "users.csv",
            german.replace("True", "WAHR").replace("False", "FALSCH"),
        ),
        (
            "users.csv",
            german.replace("True", "ИСТИНА").replace("False", "ЛОЖЬ"),
        ),
        ("users.csv", format!("\u{feff}{german}").replace('"', "")),
    ] {
        let read = read_users(name, &content);
        assert_eq!(read.counts(), (2, 0, 0), "{content}: {read:?}");
        let enabled: Vec<(&str, bool)> = read
            .facts
            .iter()
            .map(|person| (person.id.as_str(), person.enabled))
            .collect();
        assert_eq!(enabled, [("a-1", true), ("b-2", false)], "{content}");
    }
    let read = read_users("users.json", powershell);
    assert_eq!(
        read.facts[0].created_at,
        Some("2026-01-05T09:30:00Z".parse().unwrap())
    );
    assert_eq!(read.facts[0].created_at, read.facts[1].created_at);
    // Lines are counted from the first, whatever it is.
    let read = read_users(
        "users.csv",
        format!("{typed}\"True\",\"\",\"x@contoso.com\"\r\n"),
    );
    assert!(
        read.quarantined[0].starts_with("users.csv, line 5"),
        "{read:?}"
    );
}

/// Whoever stands behind the cut would be gone.
#[test]
fn a_table_that_was_cut_off_in_its_last_row_is_a_wrong_file() {
    let whole = "id,userPrincipalName,accountEnabled\nu1,a@x.example,true\nu2,b@x.example,true";
    assert_eq!(read_users("users.csv", whole).counts(), (2, 0, 0));
    let cut = read_users("users.csv", &whole[..whole.len() - 7]);
    assert_eq!(
        cut.error.as_deref(),
        Some(
            "users.csv, line 3: it is cut off: its last row has 2 cells where the header has 3, and no end of its line; export it again"
        )
    );
    let short = format!("{}\n", &whole[..whole.len() - 7]);
    assert_eq!(read_users("users.csv", short).counts(), (1, 0, 1));
}

#[test]
fn a_file_none_of_whose_rows_can_be_read_is_a_wrong_file() {
    let bad = |count: usize| -> Vec<String> {
        (0..count)
            .map(|number| {
                format!("{{\"id\":\"x{number}\",\"userPrincipalName\":7,\"accountEnabled\":true}}")
            })
            .collect()
    };
    let good = |count: usize| -> Vec<String> {
        (0..count)
            .map(|number| ANA.replace("A-1", &format!("g{number}")))
            .collect()
    };
    let file = |good_rows, bad_rows| {
        let rows = [good(good_rows), bad(bad_rows)].concat();
        format!("[{}]", rows.join(",\n"))
    };
    let first = "the first: `userPrincipalName` is not a text: 7";
    for (good_rows, bad_rows, error) in [
        (0, 1, Some("none of its 1 rows can be read")),
        (0, 12, Some("none of its 12 rows can be read")),
        (1, 10, None),
        (99, 11, None),
        (98, 11, Some("11 of its 109 rows cannot be read")),
        (0, 0, None),
    ] {
        let read = read_users("users.json", file(good_rows, bad_rows));
        let line = good_rows + 1;
        let expected = error.map(|error| {
            format!("users.json, line {line}: {error}; {first}; export it again, or mend the rows")
        });
        assert_eq!(read.error, expected, "{good_rows} good, {bad_rows} bad");
    }
    // Logs add up: a row that cannot be read is one event, not somebody who seems gone.
    let event = |id: &str, code: &str| {
        format!(
            r#"{{"id":"{id}","createdDateTime":"2026-01-05T08:30:00Z","userId":"a-1","isInteractive":true,"status":{{"errorCode":{code}}}}}"#
        )
    };
    let many: Vec<String> = (0..50).map(|n| event(&"x".repeat(300 + n), "0")).collect();
    let one = format!("{}\n{}", event("s1", "0"), many.join("\n"));
    assert_eq!(read_sign_ins("sign-ins.ndjson", one).counts(), (1, 0, 50));
    let none = read_sign_ins("sign-ins.ndjson", many.join("\n"));
    assert!(
        none.error
            .as_ref()
            .is_some_and(|error| error.contains("none of its 50 rows can be read")),
        "{none:?}"
    );
}

#[test]
fn an_empty_page_is_a_file_and_an_empty_file_is_none() {
    assert_eq!(
        read_users("users.json", r#"{"value":[]}"#).counts(),
        (0, 0, 0)
    );
    assert_eq!(read_users("users.ndjson", "").counts(), (0, 0, 0));
    assert!(
        read_users("users.json", "")
            .error
            .unwrap()
            .starts_with("users.json, line 1: the file is empty; ")
    );
    assert_eq!(
        read_users("users.csv", "").error.unwrap(),
        "users.csv: the file is empty; export it again"
    );
}

#[test]
fn wrong_rows_are_put_aside_with_file_line_and_reason() {
    let content = format!(
        "{{\"value\":[\n{ANA},\n7,\n{{\"id\":\"c\",\"userPrincipalName\":\"c@x\"}},\n{{\"id\":\"d\",,}},\n{BO}]}}"
    );
    let read = read_users("users.json", content);
    assert_eq!(read.facts.len(), 2);
    assert_eq!(
        read.quarantined,
        [
            "users.json, line 3: the row is not an object",
            "users.json, line 4: `accountEnabled` is missing",
            "users.json, line 5: the row is not valid JSON: key must be a string",
        ]
    );
    assert_eq!(read.error, None);
}

#[test]
fn csv_rows_have_their_own_lines() {
    for end in ["\n", "\r\n"] {
        let lines = [
            "id,userPrincipalName,accountEnabled,displayName",
            "a,a@x,True,\"two",
            "lines\"",
            "b,b@x,perhaps,B",
            "c,c@x",
            "d,d@x,False,=cmd()",
            "",
            "e,e@x,,E",
        ];
        let read = read_users("users.csv", lines.join(end));
        assert_eq!(read.facts.len(), 2, "{read:?}");
        assert_eq!(
            read.facts[0].display_name.as_deref(),
            Some(format!("two{end}lines").as_str())
        );
        assert_eq!(read.facts[1].display_name.as_deref(), Some("=cmd()"));
        assert_eq!(
            read.quarantined,
            [
                "users.csv, line 4: `accountEnabled` is not true or false: \"perhaps\"",
                "users.csv, line 5: the row has 2 cells and the header has 4",
                "users.csv, line 8: `accountEnabled` is missing",
            ],
            "{end:?}"
        );
    }
}

#[test]
fn a_quote_that_swallows_rows_fails_the_file() {
    let swallowed = "id,userPrincipalName,accountEnabled\na,\"a@x,True\nb,b@x,True\nc,c@x,True\n";
    let error = read_users("users.csv", swallowed).error.unwrap();
    assert!(
        error.starts_with("users.csv, line 2: a quote in the row that begins here is not closed"),
        "{error}"
    );
    let mut endless = b"id,userPrincipalName,accountEnabled\na,\"a@x,True\n".to_vec();
    endless.extend(b"b,b@x,True\n".repeat(200_000));
    let error = read_users("users.csv", endless).error.unwrap();
    assert!(error.contains("a row is longer than 1 MiB"), "{error}");
}

#[test]
fn a_group_of_a_hundred_thousand_members_is_read_however_it_is_spelled() {
    use fortnight::sources::files::groups;
    let id = |number: usize| format!("00000000-0000-4000-8000-{number:012x}");
    let all = |member: &dyn Fn(String) -> String, between: &str| {
        let members: Vec<String> = (0..100_000).map(|number| member(id(number))).collect();
        members.join(between)
    };
    let as_graph = |id: String| {
        format!(
            r##"{{"@odata.type":"#microsoft.graph.user","id":"{id}","displayName":"Somebody of a long name","jobTitle":null,"userPrincipalName":"{id}@contoso.example","mail":null}}"##
        )
    };
    let otherwise = |id: String| format!(r#"{{"Id":"{id}","DisplayName":"Somebody"}}"#);
    let (row, folded) = (all(&as_graph, ","), all(&otherwise, ",\n  "));
    for (name, content) in [
        (
            "groups.json",
            format!(r#"{{"value":[{{"id":"g","members":[{row}]}}]}}"#),
        ),
        (
            "groups.json",
            format!(r#"[{{"Id":"g","Members":[{folded}]}}]"#),
        ),
        (
            "groups.ndjson",
            format!(r#"{{"id":"g","members":[{row}]}}"#),
        ),
        (
            "groups.csv",
            format!("id,members\ng,{}\n", all(&|id| id, ";")),
        ),
    ] {
        let read = read(name, content, Collection::Groups, groups);
        assert_eq!(read.error, None, "{name}");
        assert_eq!(read.facts[0].members.len(), 100_000, "{name}");
    }
    let swollen = format!(r#"[{{"id":"g","members":["{}"]}}]"#, "x".repeat(33 << 20));
    let error = read("groups.json", swollen, Collection::Groups, groups)
        .error
        .unwrap();
    assert!(
        error.contains("a row is longer than 32 MiB; export the group"),
        "{error}"
    );
    let hostile = format!(r#"[{{"id":"g","members":[{}0]}}]"#, "0,".repeat(10 << 20));
    let read = read("groups.json", hostile, Collection::Groups, groups);
    assert!(read.error.unwrap().contains("a list of at most 250,000"));
}

#[test]
fn files_that_are_something_else_are_refused_with_the_remedy() {
    let unmarked: Vec<u8> = "[{}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, content, expected) in [
        (
            "users.json",
            unmarked.as_slice(),
            "users.json: it is UTF-16 without a byte order mark; save it as UTF-8 (PowerShell: -Encoding utf8)",
        ),
        (
            "users.csv",
            b"PK\x03\x04...",
            "users.csv: it is a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV (UTF-8)",
        ),
        (
            "users.json",
            b"id,userPrincipalName",
            "users.json, line 1: the content is not JSON rows: it begins with `i`; save a page {\"value\":[\u{2026}]}, an array, or one object a line; name CSV files .csv",
        ),
        (
            "users.json.gz",
            &gzip(&ANA.repeat(99).into_bytes())[..40],
            "users.json.gz: the packed file is cut off; copy or export it again",
        ),
        (
            "users.json",
            br#"{"value":[{"id":"a","userPrincipalName":"a@x"}]}"#,
            "users.json: none of its rows has `accountEnabled`; add it to `$select` and export again",
        ),
        (
            "users.csv",
            b"id,userPrincipalName\na,a@x",
            "users.csv, line 1: it has no column `accountEnabled`; choose that column in the portal's download (Users, Download users) and export again",
        ),
        (
            "users.csv",
            "Objekt-ID,Benutzerprinzipalname,Konto aktiviert\na,a@x,WAHR".as_bytes(),
            "users.csv, line 1: it has none of the columns `id`, `userPrincipalName`, `accountEnabled`; headings are read in English: switch the portal to English (Settings, Language + region) and download it again, or download JSON",
        ),
    ] {
        assert_eq!(read_users(name, content).error.as_deref(), Some(expected));
    }
}

#[test]
fn an_error_answer_saved_as_rows_is_a_wrong_file() {
    let read = read_sign_ins(
        "signIns.json",
        r#"{"error":{"code":"Authentication_RequestFromNonPremiumTenant"}}"#,
    );
    assert_eq!(
        read.error.as_deref(),
        Some(
            "signIns.json, line 1: it holds an error answer instead of rows; read the error in it, mend that and export again"
        )
    );
}

#[test]
fn a_gzip_bomb_is_stopped_early() {
    let row = format!("{ANA}\n");
    let bomb = gzip(row.repeat((66 << 20) / row.len()).as_bytes());
    let read = read_users("users.ndjson.gz", bomb);
    let error = read.error.unwrap();
    assert!(
        error.contains("it unpacks to more than 200 times its size"),
        "{error}"
    );
}

#[test]
fn utf_16_with_a_mark_is_read() {
    let rows = format!(
        "[{},{BO}]",
        ANA.replace('}', r#","displayName":"Žofie 🦀"}"#)
    );
    let csv = "id,userPrincipalName,accountEnabled\r\nA-1,ana@contoso.com,True\r\nB-2,bo@contoso.com,False\r\n";
    for (name, text) in [("users.json", rows.as_str()), ("users.csv", csv)] {
        let marked = format!("\u{feff}{text}");
        let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (name, content) in [
            (name.to_owned(), little.clone()),
            (name.to_owned(), big),
            (format!("{name}.gz"), gzip(&little)),
        ] {
            let read = read_users(&name, content);
            assert_eq!(read.counts(), (2, 0, 0), "{name}: {read:?}");
            let expected = name.starts_with("users.json").then_some("Žofie 🦀");
            assert_eq!(read.facts[0].display_name.as_deref(), expected, "{name}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_cost_what_they_stand_in_and_not_the_person() {
    let row = |rest: &[u8]| {
        let head = br#"[{"id":"A-1","userPrincipalName":"ana@contoso.com","accountEnabled":true,"#;
        [head.as_slice(), rest, b"}]"].concat()
    };
    for (rest, name, mail) in [
        (
            b"\"displayName\":\"M\xfcller\",\"mail\":\"m@x.example\"".as_slice(),
            Some("M\u{fffd}ller"),
            Some("m@x.example"),
        ),
        (
            b"\"displayName\":\"Ana\",\"mail\":\"m\xfc@x.example\"",
            Some("Ana"),
            None,
        ),
        (
            b"\"displayName\":\"Ana\",\"jobTitle\":\"B\xfcro\"",
            Some("Ana"),
            None,
        ),
    ] {
        let read = read_users("users.json", row(rest));
        assert_eq!(read.counts(), (1, 0, 0), "{read:?}");
        assert_eq!(read.facts[0].display_name.as_deref(), name);
        assert_eq!(read.facts[0].mail.as_deref(), mail);
    }
    // Who it is must be certain.
    let row =
        b"[{\"id\":\"A\xfc1\",\"userPrincipalName\":\"ana@contoso.com\",\"accountEnabled\":true}]";
    let error = read_users("users.json", row).error.unwrap();
    assert!(
        error.contains("an object id has characters that no id has"),
        "{error}"
    );
}

/// What a registration report as a CSV with these dates says when it was refreshed, or what is
/// wrong with it.
fn dated(dates: &[&str], configured: Option<DateOrder>) -> Result<Vec<String>, String> {
    let rows = dates.iter().enumerate();
    let rows = rows.map(|(n, date)| format!("\"a-{n}\",\"False\",\"{date}\"\r\n"));
    let header = "\"Id\",\"IsMfaCapable\",\"LastUpdatedDateTime\"\r\n";
    let dir = tempfile::tempdir().unwrap();
    let content = format!("{header}{}", rows.collect::<String>());
    fs::write(dir.path().join("registration.csv"), content).unwrap();
    let folder = scan(dir.path(), configured).unwrap();
    let parts = folder.required(Collection::Registration).unwrap();
    let read = drain(registration(&parts[0], now()));
    let at = |row: &Report| row.refreshed_at.unwrap().strftime("%F").to_string();
    match read.error {
        Some(error) => Err(error),
        None => Ok(read.facts.iter().map(at).collect()),
    }
}

#[test]
fn one_date_tells_how_all_of_a_csv_are_meant() {
    use DateOrder::{DayFirst, MonthFirst};
    let (march, december) = ("2026-03-12", "2026-12-03");
    let open = "12/03/2026 08:00:00";
    // Wherever in the file a day is above 12, and whatever is configured.
    for configured in [None, Some(DayFirst), Some(MonthFirst)] {
        for (dates, expected) in [
            ([open, "31-03-2026"], [march, "2026-03-31"]),
            (["31/03/2026", open], ["2026-03-31", march]),
            (["3/31/2026 1:00 PM", open], ["2026-03-31", december]),
            ([open, "3/31/2026"], [december, "2026-03-31"]),
            (["12.03.2026", "2026/03/12 8:00"], [march, march]),
        ] {
            assert_eq!(
                dated(&dates, configured).unwrap(),
                expected,
                "{dates:?} {configured:?}"
            );
        }
    }
    // Where nothing tells.
    let dates = [open, "03/03/2026", "12.03.2026", "2026-03-12T08:00:00Z"];
    let day_first = [march, "2026-03-03", march, march];
    assert_eq!(dated(&dates, Some(DayFirst)).unwrap(), day_first);
    let month_first = [december, "2026-03-03", march, march];
    assert_eq!(dated(&dates, Some(MonthFirst)).unwrap(), month_first);
    let error = "registration.csv, line 2: \"12/03/2026 08:00:00\" may be two days, and no date of the file tells which; export it again with dates like 2026-01-05T08:30:00Z, or say in [directory.files] how this machine writes them: dates = \"day-first\" or \"month-first\"";
    assert_eq!(dated(&dates, None).unwrap_err(), error);
    let both = dated(&["31/03/2026", open, "3/31/2026"], Some(DayFirst)).unwrap_err();
    assert!(
        both.starts_with("registration.csv, line 4: in some of its dates the day comes first"),
        "{both}"
    );
    // A date that is none puts its row aside, and no date is none.
    let some = dated(&["12/31/2026", "31/31/2026", "3/1/26", "soon"], None);
    assert_eq!(some.unwrap(), ["2026-12-31"]);
    let none = dated(&["3/1/26 8:00", "4/1/26 8:00"], Some(DayFirst)).unwrap_err();
    assert!(none.contains("none of its 2 rows can be read"), "{none}");
}

#[test]
fn what_a_spreadsheet_writes_in_each_locale_is_read_or_refused() {
    // As LibreOffice saves the same two cells of a sheet, a time and a boolean, as shown.
    for (locale, rows) in [
        (
            "de-DE",
            [
                "03.11.2025 08:30:00,a0,WAHR",
                "04.11.2025 20:05:07,a1,FALSCH",
            ],
        ),
        (
            "en-GB",
            [
                "03/11/2025 08:30:00,a0,TRUE",
                "15/11/2025 20:05:07,a1,FALSE",
            ],
        ),
        (
            "fr-FR",
            ["03/11/2025 08:30:00,a0,VRAI", "15/11/2025 20:05:07,a1,FAUX"],
        ),
        (
            "ja-JP",
            ["2025/11/3 8:30:00,a0,TRUE", "2025/11/4 20:05:07,a1,FALSE"],
        ),
        (
            "en-US",
            [
                "11/03/2025 08:30:00,a0,TRUE",
                "11/15/2025 20:05:07,a1,FALSE",
            ],
        ),
    ] {
        let rows = rows.map(|row| format!("{row},u1,0\n")).concat();
        let header = "Date (UTC),Request ID,isInteractive,User ID,Sign-in error code\n";
        let read = read_sign_ins("sign-ins.csv", format!("{header}{rows}"));
        assert_eq!(read.counts(), (2, 0, 0), "{locale}: {read:?}");
        let first = (read.facts[0].at.to_string(), read.facts[0].route);
        let expected = ("2025-11-03T08:30:00Z".to_owned(), Route::Interactive);
        assert_eq!(first, expected, "{locale}");
        assert_eq!(read.facts[1].route, Route::NonInteractive, "{locale}");
    }
    let open = "Date (UTC),Request ID,User ID,Sign-in error code\n03/11/2025 08:30:00,a0,u1,0\n";
    let refused = read_sign_ins("sign-ins.csv", open).error.unwrap();
    assert!(refused.contains("say in [directory.files]"), "{refused}");
}

#[test]
fn a_date_that_nobody_reads_tells_too() {
    let csv = "Id,UserPrincipalName,AccountEnabled,CreatedDateTime,LastPasswordChangeDateTime,Title\r\n\
        a,a@x.example,True,03/11/2025 08:30:00,25/12/2025 10:00:00,12/31/2025\r\n";
    let read = read_users("users.csv", csv);
    assert_eq!(read.counts(), (1, 0, 0), "{read:?}");
    let created = read.facts[0].created_at.unwrap();
    assert_eq!(created.to_string(), "2025-11-03T08:30:00Z");
}

#[test]
fn the_table_of_log_analytics_is_read() {
    let csv = "TenantId,TimeGenerated [UTC],OperationName,Category,ResultType,AppDisplayName,ClientAppUsed,CreatedDateTime [UTC],IsInteractive,Id,Status,UserId,Type\n\
        w,\"9/3/2026, 3:41:00.000 PM\",Sign-in activity,SignInLogs,0,Portal,Browser,\"9/3/2026, 3:40:23.848\u{202f}PM\",TRUE,s1,\"{\"\"errorCode\"\":0}\",u1,SigninLogs\n\
        w,\"9/3/2026, 3:42:00.000 PM\",Sign-in activity,,,Portal,Browser,,,s2,\"{\"\"errorCode\"\":50072}\",u1,SigninLogs\n\
        w,\"9/3/2026, 3:43:00.000 PM\",Sign-in activity,,0,Portal,Browser,,,s3,,u1,AADNonInteractiveUserSignInLogs\n\
        w,\"19/9/2026, 3:43:00.000 PM\",Sign-in activity,,0,Portal,Browser,,,s4,,u1,SigninLogs\n";
    let read = read_sign_ins("SigninLogs.csv", csv);
    let told: Vec<_> = read
        .facts
        .iter()
        .map(|s| (s.id.as_str(), s.at.to_string(), s.route, s.code))
        .collect();
    let (first, second, third) = (
        "2026-09-03T15:40:23.848Z".to_owned(),
        "2026-09-03T15:42:00Z".to_owned(),
        "2026-09-03T15:43:00Z".to_owned(),
    );
    assert_eq!(
        told,
        [
            ("s1", first.clone(), Route::Interactive, 0),
            ("s2", second.clone(), Route::Interactive, 50072),
            ("s3", third, Route::NonInteractive, 0),
        ]
    );
    // Its dates are month first everywhere.
    assert_eq!(read.quarantined.len(), 1, "{read:?}");
    let rows = r#"{"TimeGenerated":"2026-09-03T15:41:00Z","CreatedDateTime":"2026-09-03T15:40:23.848Z","Category":"SignInLogs","ResultType":"0","IsInteractive":"True","Id":"s1","Status":"{\"errorCode\": 0}","UserId":"u1","Type":"SigninLogs"},
        {"TimeGenerated":"2026-09-03T15:42:00Z","Category":"SignInLogs","Id":"s2","Status":"{\"errorCode\":50072}","UserId":"u1"}"#;
    let columns = [
        "TimeGenerated",
        "CreatedDateTime",
        "Category",
        "ResultType",
        "IsInteractive",
        "Id",
        "Status",
        "UserId",
    ];
    let columns = columns.map(|name| format!(r#"{{"name":"{name}","type":"string"}}"#));
    let lists = r#"["2026-09-03T15:41:00Z","2026-09-03T15:40:23.848Z","SignInLogs","0",true,"s1","{\"errorCode\":0}","u1"],
        ["2026-09-03T15:42:00Z",null,"SignInLogs",null,null,"s2","{\"errorCode\":50072}","u1"]"#;
    let tables = |lists: &str| {
        format!(
            r#"{{"tables":[{{"name":"PrimaryResult","columns":[{}],"rows":[{lists}]}},{{"name":"x","columns":[],"rows":[]}}],"statistics":{{"query":1}}}}"#,
            columns.join(",")
        )
    };
    for content in [format!("[{rows}]"), tables(lists)] {
        let read = read_sign_ins("SigninLogs.json", &content);
        assert_eq!(read.counts(), (2, 0, 0), "{content} {read:?}");
        let told: Vec<_> = read
            .facts
            .iter()
            .map(|s| (s.id.as_str(), s.at.to_string(), s.code))
            .collect();
        assert_eq!(
            told,
            [("s1", first.clone(), 0), ("s2", second.clone(), 50072)]
        );
    }
    let short = tables(&lists.replace(r#","u1"],"#, "],"));
    assert_eq!(read_sign_ins("SigninLogs.json", short).counts(), (1, 0, 1));
    let cut = &tables(lists)[..600];
    assert!(read_sign_ins("SigninLogs.json", cut).error.is_some());
}

#[test]
fn the_time_of_a_record_serves_where_the_sign_in_has_none() {
    let record = r#"{"time":"2026-09-03T15:40:23Z","category":"SignInLogs","properties":{"id":"s1","userId":"u1","status":{"errorCode":0}}}"#;
    let read = read_sign_ins("signins.json", record);
    assert_eq!(read.counts(), (1, 0, 0), "{read:?}");
    assert_eq!(read.facts[0].at.to_string(), "2026-09-03T15:40:23Z");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_fails_its_collection_and_no_other() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    let failed = |prepare: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        for name in ["users/000000.json", "registration.json", "sign-ins.json"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{\"value\":[]}").unwrap();
        }
        prepare(dir.path());
        let folder = scan(dir.path(), None).unwrap();
        let failed = Collection::ALL.into_iter().filter_map(|collection| {
            let error = folder.parts(collection).err()?;
            Some(error.to_string())
        });
        failed.collect::<Vec<_>>()
    };
    let nowhere = "it is a link to nowhere; restore what it led to, or remove it";
    let pipe = "it is a pipe, a socket or a device; write the export into a file";
    assert_eq!(failed(&|_| {}), [""; 0]);
    for name in [
        "users/000001.json",
        "sign-ins-2.json",
        "audits.csv.gz",
        "signIns",
    ] {
        let found = failed(&|dir| symlink("/nowhere/x", dir.join(name)).unwrap());
        assert_eq!(found, [format!("{name}: {nowhere}")]);
    }
    for name in [
        "users/000001.json",
        "registration (1).csv",
        "sign-ins-2.json",
    ] {
        let found = failed(&|dir| drop(UnixListener::bind(dir.join(name)).unwrap()));
        assert_eq!(found, [format!("{name}: {pipe}")]);
    }
    let found = failed(&|dir| symlink("/dev/null", dir.join("users.json")).unwrap());
    assert_eq!(found, [format!("users.json: {pipe}")]);
    // Nobody meant these to be read.
    let found = failed(&|dir| {
        symlink("/nowhere/x", dir.join("notes.json")).unwrap();
        symlink("/nowhere/x", dir.join("users/last-year")).unwrap();
    });
    assert_eq!(found, [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_took_the_place_of_a_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    fs::write(&path, "[]").unwrap();
    let folder = scan(dir.path(), None).unwrap();
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let read = drain(users(&folder.parts(Collection::Users).unwrap()[0], now()));
    let error = "users.json: it is no file any more; write the export into a file";
    assert_eq!(read.error.as_deref(), Some(error));
}

#[cfg(unix)]
#[test]
fn a_link_to_what_holds_it_leads_nowhere_new() {
    use std::os::unix::fs::symlink;

    let dir = tempfile::tempdir().unwrap();
    let tenant = dir.path().join("exports/tenant");
    fs::create_dir_all(tenant.join("signIns/2026")).unwrap();
    fs::write(dir.path().join("private.json"), "[]").unwrap();
    fs::write(tenant.join("users.json"), "[]").unwrap();
    fs::write(tenant.join("signIns/2026/a.json"), "[]").unwrap();
    for (target, link) in [
        (".", "signIns/self"),
        ("..", "signIns/tenant"),
        ("../../..", "signIns/above"),
        ("../2026", "signIns/2026/again"),
        ("2026", "signIns/newest"),
        (".", "registration"),
    ] {
        symlink(target, tenant.join(link)).unwrap();
    }
    let folder = scan(&tenant, None).unwrap();
    let names = |collection| {
        let parts = folder.parts(collection).unwrap();
        parts
            .iter()
            .map(|part| part.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Collection::SignIns), ["signIns/2026/a.json"]);
    assert_eq!(names(Collection::Users), ["users.json"]);
    assert_eq!(names(Collection::Registration), [""; 0]);
}

#[test]
fn the_sequence_of_sign_ins_is_told_apart() {
    let read = read_sign_ins("signIns.json", data("synthetic_signIns_sequence.json"));
    assert_eq!(read.counts(), (11, 1, 0));
    assert_eq!(read.skipped, [Skip::UnknownUser]);
    let told: Vec<_> = read
        .facts
        .iter()
        .map(|s| (s.id[34..].to_owned(), s.route, s.code))
        .collect();
    let expected = [
        ("11", Route::Passthrough, 0),
        ("10", Route::Interactive, 50053),
        ("08", Route::Interactive, 500_121),
        ("07", Route::Legacy, 0),
        ("06", Route::Interactive, 0),
        ("05", Route::NonInteractive, 0),
        ("04", Route::Interactive, 0),
        ("04", Route::Interactive, 0),
        ("03", Route::Interactive, 50140),
        ("02", Route::Interactive, 50072),
        ("01", Route::Interactive, 50126),
    ];
    assert_eq!(
        told,
        expected.map(|(id, route, code)| (id.to_owned(), route, code))
    );
    // The same file as an export of non-interactive sign-ins opens nothing.
    let read = read_sign_ins(
        "NonInteractiveSignIns_1.json",
        data("synthetic_signIns_sequence.json"),
    );
    assert!(
        read.facts
            .iter()
            .all(|sign_in| sign_in.route == Route::NonInteractive)
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn sign_in_rows_one_by_one() {
    let base = r#""id":"s","userId":"u","createdDateTime":"2026-09-01T10:00:00Z""#;
    let with_code = |rest: &str| {
        let code = if rest.contains("resultType") {
            ""
        } else {
            r#","resultType":"7""#
        };
        format!("{{{base}{rest}{code}}}")
    };
    for (rest, route, code) in [
        ("", Route::Interactive, 7),
        (r#","status":{}"#, Route::Interactive, 7),
        (r#","status":[0]"#, Route::Interactive, 7),
        (
            r#","status":{"errorCode":"50072"}"#,
            Route::Interactive,
            50072,
        ),
        (r#","status":{"errorCode":0}"#, Route::Interactive, 0),
        (
            r#","clientAppUsed":"Modern clients""#,
            Route::Interactive,
            7,
        ),
        (
            r#","clientAppUsed":"Exchange ActiveSync""#,
            Route::Legacy,
            7,
        ),
        (r#","authenticationProtocol":"ropc""#, Route::Ropc, 7),
        (r#","isInteractive":false"#, Route::NonInteractive, 7),
        (
            r#","signInEventTypes":["nonInteractiveUser"]"#,
            Route::NonInteractive,
            7,
        ),
        (
            r#","signInEventTypes":["interactiveUser"]"#,
            Route::Interactive,
            7,
        ),
        (
            r#","category":"SignInLogs","isInteractive":false"#,
            Route::NonInteractive,
            7,
        ),
        (
            r#","category":"NonInteractiveUserSignInLogs""#,
            Route::NonInteractive,
            7,
        ),
        (
            r#","category":"SignInLogs","resultType":"50125""#,
            Route::Interactive,
            50125,
        ),
    ] {
        let read = read_sign_ins("sign-ins.json", with_code(rest));
        assert_eq!(read.counts(), (1, 0, 0), "{rest}: {read:?}");
        assert_eq!(
            (read.facts[0].route, read.facts[0].code),
            (route, code),
            "{rest}"
        );
    }
    let silent = r#"{"id":"s","userId":"u","createdDateTime":"2026-09-01T10:00:00Z","status":{}}"#;
    let read = read_sign_ins("sign-ins.json", silent);
    assert_eq!(read.facts[0].code, -1, "a code that no table knows");
    for (row, reason) in [
        (
            r#"{"id":"s","userId":"u","createdDateTime":"2026-09-01T10:00:00Z"}"#,
            "`status.errorCode` is missing",
        ),
        (
            r#"{"id":"s","userId":"u","createdDateTime":"2026-09-01T10:00:00Z","status":"Microsoft.Graph.SignInStatus"}"#,
            r#"`status` is not an object: "Microsoft.Graph.SignInStatus""#,
        ),
        (
            r#"{"id":"s","userId":"u","createdDateTime":"9/1/2026 10:00:00","resultType":"0"}"#,
            r#"`createdDateTime` is not a time like 2026-01-05T08:30:00Z: "9/1/2026 10:00:00""#,
        ),
        (
            r#"{"id":"s","userId":"u","resultType":"0"}"#,
            "`createdDateTime` is missing",
        ),
        (
            r#"{"id":"s\u001b[2J","userId":"u","createdDateTime":"2026-09-01T10:00:00Z","resultType":"0"}"#,
            r#"`id` is not a text of at most 256 bytes on one line: "s\u{1b}[2J""#,
        ),
        (
            r#"{"id":"s","userId":"u","createdDateTime":"soon","resultType":"0"}"#,
            r#"`createdDateTime` is not a time like 2026-01-05T08:30:00Z: "soon""#,
        ),
        (
            r#"{"id":"s","userId":"u","createdDateTime":"2026-09-26T12:00:01Z","resultType":"0"}"#,
            "`createdDateTime` lies more than 24 hours ahead: 2026-09-26T12:00:01Z",
        ),
        (
            r#"{"id":"s","createdDateTime":"2026-09-01T10:00:00Z"}"#,
            "`userId` is missing",
        ),
        (
            r#"{"userId":"u","createdDateTime":"2026-09-01T10:00:00Z","resultType":"0"}"#,
            "`id` is missing",
        ),
    ] {
        let read = read_sign_ins("sign-ins.json", row);
        assert_eq!(
            read.quarantined,
            [format!("sign-ins.json, line 1: {reason}")]
        );
    }
    let multifactor = format!(
        r#"{{{base},"authenticationRequirement":"multiFactorAuthentication","status":{{"errorCode":0}}}}"#
    );
    assert!(read_sign_ins("sign-ins.json", multifactor).facts[0].multifactor_met);
}

#[test]
fn kinds_of_sign_ins_in_one_text_are_a_list() {
    let routes = |read: &Read<SignIn>| -> Vec<Route> {
        assert_eq!(read.error, None);
        read.facts.iter().map(|sign_in| sign_in.route).collect()
    };
    let at = "2026-01-05T08:30:00Z";
    for (kinds, expected) in [
        (r#""nonInteractiveUser""#, Route::NonInteractive),
        (r#"["nonInteractiveUser"]"#, Route::NonInteractive),
        (r#""interactiveUser""#, Route::Interactive),
        (
            r#""interactiveUser continuousAccessEvaluation""#,
            Route::Interactive,
        ),
        (r#""""#, Route::Interactive),
    ] {
        let row = format!(
            r#"[{{"id":"s","createdDateTime":"{at}","userId":"a","signInEventTypes":{kinds},"status":{{"errorCode":0}}}}]"#
        );
        assert_eq!(routes(&read_sign_ins("sign-ins.json", row)), [expected]);
    }
    let csv = format!(
        "Id,CreatedDateTime,UserId,ErrorCode,SignInEventTypes\ns,{at},a,0,nonInteractiveUser\nt,{at},a,0,interactiveUser\nu,{at},a,0,System.String[]\n"
    );
    let read = read_sign_ins("sign-ins.csv", csv);
    assert_eq!(routes(&read), [Route::NonInteractive, Route::Interactive]);
    assert_eq!(
        read.quarantined,
        [r#"sign-ins.csv, line 4: `signInEventTypes` is not a list: "System.String[]""#]
    );
    // Where the flag says it, the name of a type does no harm.
    let csv = format!(
        "Id,CreatedDateTime,UserId,ErrorCode,IsInteractive,SignInEventTypes\ns,{at},a,0,True,System.String[]\nt,{at},a,0,False,System.String[]\n"
    );
    let read = read_sign_ins("sign-ins.csv", csv);
    assert_eq!(routes(&read), [Route::Interactive, Route::NonInteractive]);
}

#[test]
fn a_word_for_nothing_beside_success_is_no_code() {
    let row = |status: &str, code: &str| {
        let csv = format!(
            "Date (UTC),Request ID,User ID,Status,Sign-in error code\n2026-01-05T08:30:00Z,r,a,{status},{code}\n2026-01-05T08:30:00Z,s,b,Success,0\n"
        );
        let read = read_sign_ins("InteractiveSignIns_2026.csv", csv);
        assert_eq!(read.error, None);
        (read.facts[0].code, read.quarantined.len())
    };
    for code in [
        "",
        "None",
        "null",
        "NaN",
        "N/A",
        "n/a",
        "-",
        "\"=\"\"0\"\"\"",
    ] {
        assert_eq!(row("Success", code), (0, 0), "{code}");
    }
    // It is no success where the status is none, and the row is put aside.
    assert_eq!(row("Interrupted", "None"), (0, 1));
    assert_eq!(row("Interrupted", "50072"), (50072, 0));
}

#[test]
fn what_keeps_a_spreadsheet_from_taking_a_text_for_a_number_is_none_of_it() {
    let csv = "id,userPrincipalName,accountEnabled,mail,createdDateTime\n\"=\"\"A1\"\"\",\"=\"\"ana@x\"\"\",TRUE,\"=\"\"ana@x\"\"\",\"=\"\"31/12/2025\"\"\"\n";
    let read = read_users("users.csv", csv);
    assert_eq!(read.counts(), (1, 0, 0), "{read:?}");
    let ana = &read.facts[0];
    assert_eq!(ana.id.as_str(), "a1");
    assert_eq!(ana.mail.as_deref(), Some("ana@x"));
    assert_eq!(ana.created_at.unwrap().to_string(), "2025-12-31T00:00:00Z");
    for id in ["=a", "\\\"a\\\"", "'a'", "System.Object[]"] {
        let row = format!(
            r#"[{{"id":"{id}","userPrincipalName":"a@x","accountEnabled":true}},{{"id":"b","userPrincipalName":"b@x","accountEnabled":true}}]"#
        );
        assert_eq!(read_users("users.json", row).counts(), (1, 0, 1), "{id}");
    }
}

#[test]
fn years_of_another_calendar_are_put_aside() {
    let person = |id: &str, created: &str| {
        format!(
            r#"{{"id":"{id}","userPrincipalName":"{id}@x","accountEnabled":true,"createdDateTime":"{created}"}}"#
        )
    };
    let (thai, drift) = ("2569-09-01T08:00:00Z", "2026-09-26T11:00:00Z");
    let read = read_users(
        "users.json",
        format!("[{},\n{}]", person("a", thai), person("b", drift)),
    );
    // The person counts without it.
    let created: Vec<_> = read.facts.iter().map(|person| person.created_at).collect();
    assert_eq!(created, [None, Some(drift.parse().unwrap())]);
    assert_eq!(
        read.quarantined,
        [
            "users.json, line 1: `createdDateTime` lies more than 24 hours ahead: 2569-09-01T08:00:00Z"
        ]
    );
    let all: Vec<String> = (0..30).map(|n| person(&format!("p{n}"), thai)).collect();
    let read = read_users("users.ndjson", all.join("\n"));
    assert_eq!(read.counts(), (30, 0, 30), "{:?}", read.error);
    let csv = "Id,CreatedDateTime,UserId,ErrorCode\ns,1404/10/15 08:30:00,a,0\nt,2026/09/15 08:30:00,a,0\n";
    let read = read_sign_ins("sign-ins.csv", csv);
    assert_eq!(
        read.quarantined,
        ["sign-ins.csv, line 2: `createdDateTime` lies before the year 2000: 1404-10-15T08:30:00Z"]
    );
    assert_eq!(read.facts.len(), 1);
}

#[test]
fn a_file_that_a_known_tool_spoilt_says_what_helps() {
    let at = "2026-01-05T08:30:00Z";
    for (name, content, helps) in [
        (
            "users.csv",
            "id,displayName,userPrincipalName,accountEnabled\na,Doe, Jo,a@x,True\n".to_owned(),
            "leave that column out, or read from Graph",
        ),
        (
            "users.csv",
            "\"AccountEnabled\",\"Id\",\"UserPrincipalName\"\n\"\",\"a\",\"a@x\"\n".to_owned(),
            "without -Property Id,UserPrincipalName,AccountEnabled",
        ),
        (
            "sign-ins.json",
            format!(r#"[{{"id":"s","createdDateTime":"{at}","userId":"a","status":"@{{errorCode=0; failureReason=Other.}}"}}]"#),
            "`status` is not an object: \"@{errorCode=0; failureReason=Other.}\"; export it with ConvertTo-Json -Depth 10",
        ),
        (
            "audits.json",
            format!(r#"[{{"id":"s","activityDateTime":"{at}","activityDisplayName":"User registered security info","result":"success","targetResources":"Microsoft.Graph.PowerShell.Models.MicrosoftGraphTargetResource"}}]"#),
            "export it with ConvertTo-Json -Depth 10",
        ),
        (
            "registration.json",
            r#"[{"id":"a","isMfaCapable":true,"methodsRegistered":"System.String[]"}]"#.to_owned(),
            "export it with ConvertTo-Json -Depth 10",
        ),
        (
            "sign-ins.json",
            r#"[{"id":"s","createdDateTime":"2569-01-05T08:30:00Z","userId":"a","status":{"errorCode":0}}]"#.to_owned(),
            "in the Gregorian calendar",
        ),
    ] {
        let error = match name.split('.').next().unwrap() {
            "users" => read_users(name, content).error,
            "sign-ins" => read_sign_ins(name, content).error,
            "audits" => read(name, content, Collection::Audits, audits).error,
            _ => read(name, content, Collection::Registration, registration).error,
        };
        let error = error.unwrap();
        assert!(error.contains(helps), "{error}");
    }
}

#[test]
fn what_stands_between_cells_is_told_by_the_columns_that_are_known() {
    for (delimiter, header) in [
        (
            ";",
            "\"id\";\"userPrincipalName\";\"accountEnabled\";\"Name, Vorname\"",
        ),
        (
            ";",
            "id;userPrincipalName;accountEnabled;Name, Vorname, Titel",
        ),
        (
            "\t",
            "id\tuserPrincipalName\taccountEnabled\tName, Vorname; Titel",
        ),
        (
            ",",
            "id,userPrincipalName,accountEnabled,Name;Vorname;Titel",
        ),
    ] {
        let row = ["a", "a@x", "True", "Doe"].join(delimiter);
        let read = read_users("users.csv", format!("{header}\n{row}\n"));
        assert_eq!(read.counts(), (1, 0, 0), "{header}: {read:?}");
    }
}

#[test]
fn lines_that_end_as_on_old_macs_are_counted() {
    let csv = "id,userPrincipalName,accountEnabled\ra,a@x,TRUE\rb,b@x,maybe\rc,c@x,TRUE\r";
    let read = read_users("users.csv", csv);
    assert_eq!(read.counts(), (2, 0, 1), "{read:?}");
    assert!(
        read.quarantined[0].starts_with("users.csv, line 3: "),
        "{read:?}"
    );
}

#[test]
fn an_object_id_is_the_id_where_there_is_no_other() {
    let rows = r#"[{"ObjectId":"a","UserPrincipalName":"a@x","AccountEnabled":true}]"#;
    let read = read_users("users.json", rows);
    assert_eq!(read.counts(), (1, 0, 0), "{read:?}");
    assert_eq!(read.facts[0].id.as_str(), "a");
}

#[test]
fn files_that_were_joined_with_their_marks_are_read_whole() {
    let row =
        |id: &str| format!(r#"{{"id":"{id}","userPrincipalName":"{id}@x","accountEnabled":true}}"#);
    let page = |id: &str| format!("\u{feff}{{\"value\":[{}]}}\r\n", row(id));
    let line = |id: &str| format!("\u{feff}{}\r\n", row(id));
    for (name, content) in [
        ("users.json", page("a") + &page("b")),
        ("users.json", line("a") + &line("b")),
        ("users.ndjson", line("a") + &line("b")),
    ] {
        assert_eq!(read_users(name, &content).counts(), (2, 0, 0), "{content}");
    }
}

#[test]
fn sign_ins_of_the_portal() {
    let header = "Date (UTC),Request ID,User ID,Application,Application ID ,Status,Sign-in error code,Client app,Incoming token type,Authentication requirement,Incoming token type";
    let rows = [
        "2026-09-01T10:00:00Z,r1,u1,Teams,x,Success,,Browser,none,Multifactor authentication,none",
        "2026-09-01T10:00:00Z,r2,u1,Teams,x,Interrupted,50072,Browser,none,,none",
        "2026-09-01T10:00:00Z,r3,u1,Teams,x,Failure,,IMAP4,none,,none",
        "2026-09-01T10:00:00Z,r4,00000000-0000-0000-0000-000000000000,Teams,x,Failure,50034,Browser,none,,none",
        "2026-09-01T10:00:00Z,r5,,Teams,x,Failure,50034,Browser,none,,none",
        "yesterday,r6,u1,Teams,x,Success,0,Browser,none,,none",
    ];
    let content = format!("{header}\r\n{}\r\n", rows.join("\r\n"));
    let read = read_sign_ins("InteractiveSignIns_2026-09-01.csv", &content);
    let told: Vec<_> = read
        .facts
        .iter()
        .map(|s| (s.id.as_str(), s.route, s.code, s.multifactor_met))
        .collect();
    assert_eq!(
        told,
        [
            ("r1", Route::Interactive, 0, true),
            ("r2", Route::Interactive, 50072, false),
            ("r3", Route::Legacy, -1, false),
        ]
    );
    assert_eq!(read.skipped, [Skip::UnknownUser, Skip::UnknownUser]);
    assert_eq!(
        read.quarantined,
        [
            r#"InteractiveSignIns_2026-09-01.csv, line 7: `Date (UTC)` is not a time like 2026-01-05T08:30:00Z: "yesterday""#
        ]
    );
    let read = read_sign_ins("NonInteractiveSignIns_2026-09-01.csv", &content);
    assert!(
        read.facts
            .iter()
            .all(|sign_in| sign_in.route == Route::NonInteractive)
    );
    let older = read_sign_ins(
        "sign-ins.csv",
        "CreatedDateTime,User,Username,Status\n9/1/2026 10:00:00 AM,Ana,ana@x,Success\n",
    );
    assert!(
        older
            .error
            .unwrap()
            .starts_with("sign-ins.csv, line 1: it has no column `User ID`; it is an older export")
    );
}

#[test]
fn registration_levels_and_names() {
    let read = read(
        "registration.json",
        data("synthetic_userRegistrationDetails_edge.json"),
        Collection::Registration,
        registration,
    );
    assert_eq!(read.counts(), (4, 0, 0));
    let told: Vec<_> = read
        .facts
        .iter()
        .map(|row| (row.level, row.detail))
        .collect();
    assert_eq!(
        told,
        [
            (Level::Missing, Detail::SsprOnly),
            (Level::Missing, Detail::MethodNotAllowed),
            (Level::Capable, Detail::None),
            (Level::Missing, Detail::TemporaryAccessPassOnly),
        ]
    );
    assert_eq!(
        read.facts[0].refreshed_at,
        "2026-09-03T06:00:00Z".parse().ok()
    );
}

#[test]
fn registration_of_the_portal_names_people_by_upn() {
    for (header, yes, no) in [
        (
            "userPrincipalName,mfaCapable,methodsRegistered",
            "True",
            "False",
        ),
        (
            "User principal name,MFA Capable,Methods registered",
            "Capable",
            "Not Capable",
        ),
        (
            "userPrincipalName,isMfaCapable,methodsRegistered",
            "Yes",
            "No",
        ),
    ] {
        let content = format!(
            "{header}\nana@x,{yes},\"microsoftAuthenticatorPush, mobilePhone\"\nbo@x,{no},\"[\"\"email\"\"]\"\ncy@x,{no},temporaryAccessPass;email\n"
        );
        let read = read(
            "exportUserRegistrationDetails_2026-9-1.csv",
            content,
            Collection::Registration,
            registration,
        );
        assert_eq!(read.counts(), (3, 0, 0), "{read:?}");
        let told: Vec<_> = read
            .facts
            .iter()
            .map(|row| (row.who.clone(), row.level, row.detail))
            .collect();
        assert_eq!(
            told[0],
            (Who::Upn("ana@x".into()), Level::Capable, Detail::None)
        );
        assert_eq!(
            told[1],
            (Who::Upn("bo@x".into()), Level::Missing, Detail::SsprOnly)
        );
        assert_eq!(
            told[2],
            (
                Who::Upn("cy@x".into()),
                Level::Missing,
                Detail::TemporaryAccessPassOnly
            )
        );
    }
}

#[test]
fn audits_that_speak_of_security_info() {
    let read = read(
        "directoryAudits.json",
        data("synthetic_directoryAudits_security_info.json"),
        Collection::Audits,
        audits,
    );
    assert_eq!(read.counts(), (4, 1, 0));
    let kinds: Vec<_> = read.facts.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            AuditKind::AdminDeleted,
            AuditKind::UserDeleted,
            AuditKind::Registered,
            AuditKind::Registered
        ]
    );
    assert_eq!(read.skipped, [Skip::OtherKind]);
}

#[test]
fn audits_that_failed_or_name_nobody() {
    let event = |result: &str, targets: &str| {
        format!(
            r#"{{"id":"e","activityDateTime":"2026-09-01T10:00:00Z","activityDisplayName":"User registered security info","result":"{result}","targetResources":[{targets}]}}"#
        )
    };
    let read_one = |row: String| read("audits.json", row, Collection::Audits, audits);
    assert_eq!(
        read_one(event("Success", r#"{"Type":"user","id":"u"}"#)).counts(),
        (1, 0, 0)
    );
    assert_eq!(
        read_one(event("failure", r#"{"type":"User","id":"u"}"#)).skipped,
        [Skip::NotSuccessful]
    );
    assert_eq!(
        read_one(event("success", r#"{"type":"User","id":""}"#)).skipped,
        [Skip::UnknownUser]
    );
    assert_eq!(
        read_one(event("success", r#"{"type":"Group","id":"g"}"#)).quarantined,
        ["audits.json, line 1: `targetResources of type User` is missing"]
    );
}

#[test]
fn audits_of_the_portal_that_name_their_targets() {
    let csv = "\u{feff}Date (UTC),CorrelationId,Service,Category,Activity,Result,Target1Type,Target1ObjectId\r\n\
        2026-09-01T10:00:00Z,c-1,Authentication Methods,UserManagement,User registered security info,success,User,ANA-1\r\n\
        9/21/2026 10:05:00 AM,c-2,Authentication Methods,UserManagement,Admin deleted security info,Success,,bo-2\r\n\
        2026-09-01T10:06:00Z,c-3,Authentication Methods,UserManagement,User deleted security info,failure,User,bo-2\r\n\
        2026-09-01T10:07:00Z,c-4,Core Directory,GroupManagement,Add member to group,success,Group,g\r\n\
        soon,c-5,Authentication Methods,UserManagement,User deleted security info,success,User,bo-2\r\n";
    let read_audits = |csv: &str| read("audits.csv", csv, Collection::Audits, audits);
    let read = read_audits(csv);
    let events: Vec<_> = read
        .facts
        .iter()
        .map(|event| (event.user.as_str(), event.kind, event.at.to_string()))
        .collect();
    assert_eq!(
        events,
        [
            (
                "ana-1",
                AuditKind::Registered,
                "2026-09-01T10:00:00Z".to_owned()
            ),
            (
                "bo-2",
                AuditKind::AdminDeleted,
                "2026-09-21T10:05:00Z".to_owned()
            ),
        ]
    );
    assert_eq!(read.skipped, [Skip::NotSuccessful, Skip::OtherKind]);
    assert_eq!(
        read.quarantined,
        ["audits.csv, line 6: `Date (UTC)` is not a time like 2026-01-05T08:30:00Z: \"soon\""]
    );
    // One event in two exports is one.
    let ids = |read: &Read<AuditEvent>| {
        read.facts
            .iter()
            .map(|event| event.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&read), ids(&read_audits(csv)));
    assert_eq!(
        read_audits("Date (UTC),CorrelationId,Activity,Result\n")
            .error
            .unwrap(),
        "audits.csv, line 1: it has no column `Target1ObjectId`; download the audit log as JSON"
    );
}

#[test]
fn members_in_every_spelling() {
    let row = r##"{"id":"G","displayName":" Pilot ","members":["A-1","Ana@x",{"id":"b","@odata.type":"#microsoft.graph.user"},{"id":"H","@odata.type":"#microsoft.graph.group"},{"id":"c","userPrincipalName":"c@x"},{"userPrincipalName":"d@x"},{"id":"e"},{"id":"f","@odata.type":"#microsoft.graph.device"}]}"##;
    let read_groups = |name: &str, content: &str| read(name, content, Collection::Groups, groups);
    let read = read_groups("groups.json", row);
    assert_eq!(read.counts(), (1, 0, 0), "{read:?}");
    let told: Vec<_> = read.facts[0]
        .members
        .iter()
        .map(|member| match member {
            Member::User(Who::Id(id)) => format!("user {id}"),
            Member::User(Who::Upn(upn)) => format!("user {upn}"),
            Member::Group(id) => format!("group {id}"),
            Member::Either(id) => format!("either {id}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "either a-1",
            "user Ana@x",
            "user b",
            "group h",
            "user c",
            "user d@x",
            "either e"
        ]
    );
    assert_eq!(read.facts[0].name.as_deref(), Some("Pilot"));
    for csv in [
        "id,displayName,members\ng,Pilot,a;b@x\n",
        "id,displayName,members\ng,Pilot,\"[\"\"a\"\",\"\"b@x\"\"]\"\n",
        "id,displayName,members\ng,Pilot,\"a\nb@x\"\n",
    ] {
        let read = read_groups("groups.csv", csv);
        assert_eq!(read.facts[0].members.len(), 2, "{read:?}");
    }
    for several in [r#""a b@x""#, r#"["a | b@x"]"#] {
        let row = format!(r#"{{"id":"g","members":{several}}}"#);
        let read = read_groups("groups.json", &row);
        assert_eq!(read.facts[0].members.len(), 2, "{read:?}");
    }
    // A list of one that a tool unrolled.
    for one in [r#""a""#, r#"{"id":"a"}"#] {
        let row = format!(r#"{{"id":"g","members":{one}}}"#);
        let read = read_groups("groups.json", &row);
        assert_eq!(read.facts[0].members.len(), 1, "{read:?}");
    }
    let cut = read_groups(
        "groups.json",
        r#"{"id":"g","members":["a"],"members@odata.nextLink":"https://x"}"#,
    );
    assert!(cut.quarantined[0].contains("is cut short"));
    for wrong in [
        r#"["a",""]"#,
        r#"["a",7]"#,
        r#"["a",["b"]]"#,
        "7",
        r#""System.Object[]""#,
        r#""@{id=b}""#,
        r#"["=\"a\""]"#,
    ] {
        let wrong = read_groups(
            "groups.json",
            &format!(r#"[{{"id":"g","members":{wrong}}},{{"id":"h","members":[]}}]"#),
        );
        assert_eq!(
            (wrong.facts.len(), wrong.quarantined.len(), &wrong.error),
            (1, 1, &None),
            "{wrong:?}"
        );
    }
}

#[test]
fn hostile_text_is_quoted_short() {
    let long = "x\\u0007".repeat(50_000);
    let read = read_sign_ins(
        "sign-ins.json",
        format!(r#"{{"id":"s","userId":"u","createdDateTime":"{long}"}}"#),
    );
    assert!(
        read.quarantined[0].len() < 200 && !read.quarantined[0].contains('\u{7}'),
        "{:?}",
        read.quarantined
    );
}

/// Reads content as every collection and format; only the absence of a panic counts.
fn survive(content: &[u8]) {
    for (base, collection) in Collection::ALL.map(|collection| (collection.as_str(), collection)) {
        for extension in ["json", "ndjson", "csv"] {
            let name = format!("{base}.{extension}");
            match collection {
                Collection::Users => drop(read(&name, content, collection, users)),
                Collection::Groups => drop(read(&name, content, collection, groups)),
                Collection::Registration => drop(read(&name, content, collection, registration)),
                Collection::SignIns => drop(read(&name, content, collection, sign_ins)),
                Collection::Audits => drop(read(&name, content, collection, audits)),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_bytes_cause_a_panic(content in prop::collection::vec(any::<u8>(), 0..300)) {
        survive(&content);
        survive(&gzip(&content));
    }

    #[test]
    fn no_damage_causes_a_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut: prop::sample::Index) {
        for name in ["synthetic_signIns_sequence.json", "synthetic_directoryAudits_security_info.json", "synthetic_userRegistrationDetails_edge.json"] {
            let mut content = data(name);
            for (at, byte) in &damage {
                let at = at.index(content.len());
                content[at] = *byte;
            }
            survive(&content[..cut.index(content.len())]);
            survive(&content);
        }
    }
}

fn samples() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("FORTNIGHT_SAMPLES").map(PathBuf::from);
    let beside =
        ["../shared/graph-samples", "../../shared/graph-samples"].map(|path| here.join(path));
    named.into_iter().chain(beside).find(|path| path.is_dir())
}

/// `facts, skipped, quarantined`, or the error.
fn outcome<T>(read: &Read<T>) -> String {
    match &read.error {
        Some(error) => error.clone(),
        None => format!(
            "{}, {}, {}",
            read.facts.len(),
            read.skipped.len(),
            read.quarantined.len()
        ),
    }
}

#[test]
fn documented_samples_are_read_or_refused_with_the_reason() {
    let Some(samples) = samples() else {
        eprintln!("SKIPPED: no folder of documented samples; set FORTNIGHT_SAMPLES");
        return;
    };
    let no =
        |what: &str| format!("none of its rows has `{what}`; add it to `$select` and export again");
    let no_members = "none of its rows has `members`; export each group with its members (object ids or user principal names)";
    let table: Vec<(&str, &str, String)> = vec![
        ("users_delta_initial_page1.json", "users.json", format!("users.json: {}", no("userPrincipalName"))),
        ("users_delta_page2.json", "users.json", format!("users.json: {}", no("userPrincipalName"))),
        ("users_delta_final_with_deltaLink.json", "users.json", format!("users.json: {}", no("userPrincipalName"))),
        ("users_delta_no_changes.json", "users.json", "0, 0, 0".into()),
        ("users_delta_changes_with_removed.json", "users.json", format!("users.json: {}", no("userPrincipalName"))),
        ("users_delta_default_props.json", "users.json", format!("users.json: {}", no("accountEnabled"))),
        ("users_delta_select.json", "users.json", format!("users.json: {}", no("id"))),
        ("users_delta_minimal_no_id.json", "users.json", format!("users.json: {}", no("id"))),
        ("groups_delta_initial_members.json", "groups.json", "2, 0, 0".into()),
        ("groups_delta_page2_members.json", "groups.json", "2, 0, 0".into()),
        ("groups_delta_final_with_deltaLink.json", "groups.json", format!("groups.json: {no_members}")),
        ("groups_delta_no_changes.json", "groups.json", "0, 0, 0".into()),
        ("groups_delta_member_removed_and_added.json", "groups.json", "1, 0, 0".into()),
        ("group_transitiveMembers.json", "groups.json", format!("groups.json: {no_members}")),
        ("userRegistrationDetails_list.json", "userRegistrationDetails.json", "3, 0, 0".into()),
        ("synthetic_userRegistrationDetails_edge.json", "registration.json", "4, 0, 0".into()),
        ("signIns_beta_mfa_fido2_success.json", "signIns.json", "1, 0, 0".into()),
        ("signIns_beta_password_single_factor_empty_status.json", "signIns.json", "1, 0, 0".into()),
        ("signIns_v1_filter_page.json", "signIns.json", "1, 0, 0".into()),
        ("signIns_v1_page_with_nextLink.json", "signIns.json", "1, 0, 0".into()),
        ("synthetic_signIns_sequence.json", "sign-ins.json", "11, 1, 0".into()),
        ("azmon_SignInLogs_record.json", "SignInLogs.json", "1, 0, 0".into()),
        ("azmon_signin_categories.ndjson", "sign-ins.ndjson", "2, 3, 0".into()),
        ("directoryAudits_add_member_to_group.json", "directoryAudits.json", "0, 1, 0".into()),
        ("directoryAudits_admin_registered_security_info_TAP.json", "directoryAudits.json", "1, 0, 0".into()),
        ("synthetic_directoryAudits_security_info.json", "audits.json", "4, 1, 0".into()),
        ("portal_InteractiveSignIns_header.csv", "InteractiveSignIns_2026.csv", "0, 0, 0".into()),
        ("portal_ApplicationSignIns_header.csv", "sign-ins.csv", "sign-ins.csv, line 1: it holds sign-ins of applications, not of people; export InteractiveSignIns instead".into()),
        ("portal_exportUsers_header_2021.csv", "exportUsers_2021.csv", "0, 0, 0".into()),
        ("portal_exportUsers_header_2026_custom_columns.csv", "exportUser_2026.csv", "exportUser_2026.csv, line 1: it has no column `accountEnabled`; choose that column in the portal's download (Users, Download users) and export again".into()),
        ("portal_exportGroups_header_2026.csv", "exportGroups_2026.csv", "exportGroups_2026.csv, line 1: it has no column `members`; the portal's group list does not export members: write groups.json with the members of each group".into()),
    ];
    for (sample, name, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(samples.join(sample), dir.path().join(name)).unwrap();
        let folder = scan(dir.path(), None).unwrap();
        let found = Collection::ALL.into_iter().find_map(|collection| {
            let part = folder.parts(collection).unwrap().first()?;
            Some(match collection {
                Collection::Users => outcome(&drain(users(part, now()))),
                Collection::Groups => outcome(&drain(groups(part, now()))),
                Collection::Registration => outcome(&drain(registration(part, now()))),
                Collection::SignIns => outcome(&drain(sign_ins(part, now()))),
                Collection::Audits => outcome(&drain(audits(part, now()))),
            })
        });
        assert_eq!(found, Some(expected), "{sample} as {name}");
    }
}
