//! A mail server on threads that remembers every message it took, and answers as its script says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A test that waits longer than this for something has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What the script decides about.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    /// EHLO, AUTH, MAIL, RCPT, DATA, or DOT for the end of the message.
    pub(crate) verb: &'a str,
    /// The recipient, from RCPT on.
    pub(crate) to: &'a str,
    /// How often this recipient's message got so far, this time included.
    pub(crate) nth: usize,
}

/// What happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// As a server should.
    Well,
    /// As a server should, after a while.
    Slow(Duration),
    /// With these words instead.
    Say(&'static str),
    /// The connection ends; a message is not kept.
    Cut,
    /// The connection ends after the message was kept.
    KeepAndCut,
    /// Nothing more is said before the recorder is told to go on.
    Hold,
}

type Script = dyn Fn(&Moment<'_>) -> Answer + Send + Sync;

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) to: String,
    pub(crate) message_id: String,
    pub(crate) subject: String,
}

#[derive(Default)]
struct Seen {
    kept: Vec<Kept>,
    moments: Vec<(String, String)>,
    holding: usize,
    released: bool,
}

/// A running server.
pub(crate) struct Recorder {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Arc<Script>>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Recorder {
    pub(crate) fn start(script: impl Fn(&Moment<'_>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            seen: Mutex::default(),
            changed: Condvar::new(),
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || served.talk(&tcp));
            }
        });
        Self { port, shared }
    }

    /// From now on it follows another script.
    pub(crate) fn follow(
        &self,
        script: impl Fn(&Moment<'_>) -> Answer + Send + Sync + 'static,
    ) -> &Self {
        *self.shared.script.lock().unwrap() = Arc::new(script);
        self
    }

    /// All messages taken so far.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.shared.seen.lock().unwrap().kept.clone()
    }

    /// The messages that somebody got.
    pub(crate) fn mailbox(&self, to: &str) -> Vec<Kept> {
        let mut kept = self.kept();
        kept.retain(|kept| kept.to == to);
        kept
    }

    /// How often a verb came.
    pub(crate) fn count(&self, verb: &str) -> usize {
        let seen = self.shared.seen.lock().unwrap();
        seen.moments
            .iter()
            .filter(|(known, _)| known == verb)
            .count()
    }

    /// Waits until so many messages were taken; false if that takes too long.
    pub(crate) fn wait_kept(&self, count: usize, patience: Duration) -> bool {
        self.wait(patience, |seen| seen.kept.len() >= count)
    }

    /// Waits until so many conversations are held up.
    pub(crate) fn wait_holding(&self, count: usize) {
        assert!(
            self.wait(PATIENCE, |seen| seen.holding >= count),
            "nobody came"
        );
    }

    /// Lets held conversations go on as they should.
    pub(crate) fn go_on(&self) {
        self.shared.seen.lock().unwrap().released = true;
        self.shared.changed.notify_all();
    }

    fn wait(&self, patience: Duration, done: impl Fn(&Seen) -> bool) -> bool {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, _) = self
            .shared
            .changed
            .wait_timeout_while(seen, patience, |seen| !done(seen))
            .unwrap();
        done(&seen)
    }
}

impl Shared {
    fn talk(&self, tcp: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(tcp.try_clone().ok()?);
        let say = |text: &str| (&mut &*tcp).write_all(text.as_bytes()).ok();
        say("220 recorder\r\n")?;
        let mut to = String::new();
        loop {
            let line = line(&mut reader)?;
            let verb = line.split([' ', ':']).next()?.to_uppercase();
            if verb == "RCPT" {
                line.split(['<', '>']).nth(1)?.clone_into(&mut to);
            }
            let usual = match verb.as_str() {
                "EHLO" => "250-recorder\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
                "AUTH" => "235 2.7.0 welcome\r\n",
                "DATA" => "354 go on\r\n",
                "QUIT" => "221 bye\r\n",
                _ => "250 2.0.0 ok\r\n",
            };
            let (text, cut) = self.decide(&verb, &to, usual)?;
            if cut {
                return None;
            }
            say(text)?;
            if verb == "DATA" && text.starts_with('3') {
                let message = message(&mut reader)?;
                let (text, cut) = self.decide("DOT", &to, "250 2.0.0 kept\r\n")?;
                if text.starts_with('2') {
                    self.seen.lock().unwrap().kept.push(Kept {
                        to: to.clone(),
                        message_id: header(&message, "Message-ID"),
                        subject: header(&message, "Subject"),
                    });
                    self.changed.notify_all();
                }
                if cut {
                    return None;
                }
                say(text)?;
            }
            if verb == "QUIT" {
                return None;
            }
        }
    }

    /// The words to say and whether to cut the connection instead; none: cut before anything.
    fn decide(&self, verb: &str, to: &str, usual: &'static str) -> Option<(&'static str, bool)> {
        let nth = {
            let mut seen = self.seen.lock().unwrap();
            seen.moments.push((verb.to_owned(), to.to_owned()));
            seen.moments
                .iter()
                .filter(|(known, whom)| known == verb && whom == to)
                .count()
        };
        let script = Arc::clone(&self.script.lock().unwrap());
        match script(&Moment { verb, to, nth }) {
            Answer::Well => Some((usual, false)),
            Answer::Say(text) => Some((text, false)),
            Answer::KeepAndCut => Some((usual, true)),
            Answer::Cut => None,
            Answer::Slow(length) => {
                std::thread::sleep(length);
                Some((usual, false))
            }
            Answer::Hold => {
                let mut seen = self.seen.lock().unwrap();
                seen.holding += 1;
                self.changed.notify_all();
                let _seen = self
                    .changed
                    .wait_while(seen, |seen| !seen.released)
                    .unwrap();
                Some((usual, false))
            }
        }
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn message(reader: &mut impl BufRead) -> Option<String> {
    let mut message = String::new();
    loop {
        let line = line(reader)?;
        if line == "." {
            return Some(message);
        }
        message += &line;
        message.push('\n');
    }
}

fn header(message: &str, name: &str) -> String {
    let unfolded = message.replace("\n ", " ");
    let begin = format!("{name}: ");
    let line = unfolded.lines().find_map(|line| line.strip_prefix(&begin));
    line.unwrap_or_default().to_owned()
}
