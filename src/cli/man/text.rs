//! What the manual says beyond the commands and their options. Backticks make bold.

/// What somebody who opens the manual first should know.
pub(super) const DESCRIPTION: &[&str] = &[
    "Everybody whom a policy includes gets a window of fourteen days from the first sign-in at which \
     they were, or would have been, asked to register, reminders before the deadline, and a flag if \
     nothing happens. People and sign-ins come from Microsoft Graph or from exported files; mails \
     leave by SMTP or into a folder.",
    "Begin with `fortnight check`, `fortnight doctor` and `fortnight cycle --dry-run`, which write \
     and send nothing. Then either `fortnight run` works as a service, or a timer calls \
     `fortnight cycle`.",
    "Results go to stdout, the log to stderr.",
];

/// Before the options of the program.
pub(super) const OPTIONS: &str = "Every command takes these.";

/// Variables that are looked at.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "FORTNIGHT_CONFIG",
        "The configuration, where `--config` does not name one.",
    ),
    (
        "FORTNIGHT__SECTION__KEY",
        "Overrides a key of the configuration, FORTNIGHT__DATABASE__URL for example. A secret can be \
         given so too: FORTNIGHT__EMAIL__SMTP__PASSWORD instead of `password_file`. An empty variable counts \
         as not set.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Where files of secrets are that are named without a folder. systemd sets it for a service \
         with `LoadCredential=`.",
    ),
    (
        "FORTNIGHT_LOG",
        "What is logged, instead of `--verbose` and `--quiet`: `warn,fortnight=debug` for example.",
    ),
    (
        "NO_COLOR",
        "Any value: no colours unless `--color` says so.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The certificates to trust, instead of the system's: for a private authority.",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy for Graph and for tokens. Mails and webhooks go directly.",
    ),
    (
        "SUDO_USER, USER, LOGNAME",
        "Who acts, for the journal: the first that is set.",
    ),
];

/// Files that are read and written.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "./fortnight.toml, /etc/fortnight/fortnight.toml",
        "The configuration: the first that is there, where none is named. Relative paths in it start \
         at its folder.",
    ),
    (
        "fortnight.db",
        "The database, where `database.url` says; with fortnight.db-wal and fortnight.db-shm while it \
         is open. The service has it in /var/lib/fortnight.",
    ),
    (
        "fortnight.db.lock",
        "Beside the database: who runs passes, and which installation the database is of. Back it up \
         together with the database.",
    ),
    (
        "fortnight.db.outcomes",
        "What the mail server had accepted when the database took nothing more; settled first at the \
         next start.",
    ),
];

/// Command lines that people copy, each with what it does.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    (
        "fortnight demo",
        "Plays a sample organisation through five weeks, without any configuration.",
    ),
    (
        "fortnight check --strict",
        "Checks the configuration; ends with 3 where a name means nobody.",
    ),
    (
        "fortnight cycle --dry-run",
        "A whole pass that writes and sends nothing, and says whom it would tell what.",
    ),
    (
        "fortnight -v cycle",
        "A pass that tells each of its steps in the log.",
    ),
    (
        "fortnight status --format json",
        "How it stands, for a program; ends with 3 where a person should look.",
    ),
    (
        "fortnight users --state in_grace --state due_soon --format csv",
        "Everybody whose window is open, for a spreadsheet.",
    ),
    (
        "fortnight explain ana@contoso.example",
        "Why somebody is in this state, and what comes next.",
    ),
    (
        "fortnight window extend ana@contoso.example --days 7 --reason \"on leave\" --ticket INC-4711",
        "Moves a deadline out by a week.",
    ),
    (
        "fortnight enforcement approve mass --reason \"checked with the service desk\"",
        "Lets through what a hold keeps back; `fortnight status` names the holds.",
    ),
    (
        "fortnight preview email --message enforcement.needed --language de",
        "A mail as people would get it.",
    ),
    (
        "fortnight man --folder /usr/local/share/man/man1",
        "Writes all pages of this manual.",
    ),
];
