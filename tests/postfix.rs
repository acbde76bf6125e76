//! A real Postfix: STARTTLS, a login, and a log that must agree with the outbox.
//!
//! It is an instance of its own, in a folder of its own, on a free port of this machine. It
//! discards what it takes, and asks the test who may log in (by Dovecot's protocol).

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::program::{Organisation, after, at, eventually, find_program, hours, missing};

/// `\0ana\0secret-word`
const LOGIN: &str = "AGFuYQBzZWNyZXQtd29yZA==";

const MASTER: &str = "\
smtpd     pass - - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
";

struct Postfix {
    folder: PathBuf,
    port: u16,
    master: Child,
}

impl Postfix {
    /// None where it is not installed, or may not be started.
    fn start(folder: &Path) -> Option<Self> {
        let Some(program) = find_program("postfix") else {
            missing("postfix");
            return None;
        };
        if !rustix::process::getuid().is_root() {
            missing("root, whom postfix wants to be started by,");
            return None;
        }
        for name in ["etc", "queue", "data"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        let owned = Command::new("chown")
            .arg("postfix")
            .arg(folder.join("data"))
            .status();
        assert!(owned.unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        certificate(folder);
        answer_logins(&folder.join("auth"));
        let here = folder.display();
        let main = format!(
            "\
compatibility_level = 3.6
queue_directory = {here}/queue
data_directory = {here}/data
maillog_file = {here}/maillog
maillog_file_prefixes = {here}
myhostname = localhost
mydestination =
inet_protocols = ipv4
alias_maps =
alias_database =
default_transport = discard:
relay_transport = discard:
smtpd_tls_chain_files = {here}/chain.pem
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {here}/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"
        );
        std::fs::write(folder.join("etc/main.cf"), main).unwrap();
        let master = format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER}");
        std::fs::write(folder.join("etc/master.cf"), master).unwrap();
        let log = std::fs::File::create(folder.join("start.log")).unwrap();
        let master = Command::new(program)
            .arg("-c")
            .arg(folder.join("etc"))
            .arg("start-fg")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut postfix = Self {
            folder: folder.to_owned(),
            port,
            master,
        };
        eventually("postfix", || {
            let ended = postfix.master.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{ended:?}: {}",
                std::fs::read_to_string(folder.join("start.log")).unwrap()
            );
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(postfix)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("maillog")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/postfix")
            .arg("-c")
            .arg(self.folder.join("etc"))
            .arg("stop")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let _ = self.master.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// A private authority, and what it vouches for: the server's address.
fn certificate(folder: &Path) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let leaf = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    std::fs::write(folder.join("root.pem"), root.pem()).unwrap();
    std::fs::write(folder.join("chain.pem"), key.serialize_pem() + &leaf.pem()).unwrap();
}

/// Says who may log in, as Dovecot would.
fn answer_logins(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_one(&stream));
        }
    });
}

fn answer_one(mut stream: &UnixStream) -> Option<()> {
    let hello = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000000\nDONE\n";
    stream.write_all(hello.as_bytes()).ok()?;
    for line in BufReader::new(stream.try_clone().ok()?).lines() {
        let line = line.ok()?;
        let Some(asked) = line.strip_prefix("AUTH\t") else {
            continue;
        };
        let id = asked.split('\t').next()?;
        let answer = if asked.ends_with(&format!("\tresp={LOGIN}")) {
            format!("OK\t{id}\tuser=ana\n")
        } else {
            format!("FAIL\t{id}\n")
        };
        stream.write_all(answer.as_bytes()).ok()?;
    }
    None
}

/// What follows a mark in a line of the log, up to a closing bracket.
fn logged<'a>(log: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    log.lines()
        .filter_map(move |line| line.split_once(mark)?.1.split('>').next())
}

#[test]
fn its_log_and_our_outbox_agree() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(postfix) = Postfix::start(folder.path()) else {
        return;
    };
    let monday = at("2026-01-05T08:00:00Z");
    let people = 150;
    let mut organisation = Organisation::new(people, after(monday, hours(-1)), postfix.port);
    organisation.smtp = format!(
        "host = \"127.0.0.1\"\nport = {}\nusername = \"ana\"\npassword_file = \"password\"",
        postfix.port
    );
    organisation.environment.push((
        "SSL_CERT_FILE".to_owned(),
        folder.path().join("root.pem").display().to_string(),
    ));
    organisation.configure();
    crate::support::write_secret(organisation.path("password"), "not-the-word\n");
    let report = organisation.cycle(monday);
    assert_eq!(report["deliveries"]["sent"], 0);
    assert_eq!(organisation.holds(), ["channel"]);
    crate::support::write_secret(organisation.path("password"), "secret-word\n");
    let report = organisation.cycle(after(monday, hours(1)));
    // Everybody, and the operators about the hold; of its end they hear once it has been away for an hour.
    assert_eq!(report["deliveries"]["sent"], people + 1, "{report}");
    let delivered = |log: &str| {
        log.lines()
            .filter(|line| line.contains("status=sent"))
            .count()
    };
    eventually("the deliveries", || {
        (delivered(&postfix.log()) > people).then_some(())
    });

    let log = postfix.log();
    let theirs: Vec<&str> = logged(&log, "message-id=<").collect();
    let rows = organisation.deliveries();
    assert!(rows.iter().all(|row| row["state"] == "sent"));
    let ours: BTreeSet<&str> = rows
        .iter()
        .map(|row| row["message_id"].as_str().unwrap().trim_matches(['<', '>']))
        .collect();
    assert_eq!(theirs.len(), ours.len());
    assert_eq!(theirs.into_iter().collect::<BTreeSet<_>>(), ours);
    let recipients: BTreeSet<&str> = logged(&log, " to=<").collect();
    assert_eq!(recipients.len(), people + 1);
    let logins = log
        .lines()
        .filter(|line| line.contains("sasl_username=ana"))
        .count();
    assert_eq!(logins, people + 1, "every mail came from who had logged in");
    let protected = log.matches("Anonymous TLS connection established").count();
    let connections = log.matches(": connect from").count();
    eprintln!(
        "{} mails over {protected} protected of {connections} connections",
        people + 1
    );
    assert!(protected >= 1);
}
