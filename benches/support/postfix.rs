//! Postfix's own mail generator and sink, to measure against.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `smtp-source` and `smtp-sink`, where postfix is installed.
pub(crate) struct Postfix {
    source: PathBuf,
    sink: PathBuf,
}

impl Postfix {
    /// In PATH or in /usr/sbin.
    pub(crate) fn find() -> Option<Self> {
        Some(Self {
            source: tool("smtp-source")?,
            sink: tool("smtp-sink")?,
        })
    }

    /// A server that takes every mail and keeps none.
    pub(crate) fn sink(&self) -> Sink {
        Sink::start(&self.sink)
    }

    /// Mails a second that `smtp-source` gets rid of, each on a connection of its own or not.
    pub(crate) fn source(
        &self,
        sink: &Sink,
        connections: usize,
        mails: u32,
        bytes: usize,
        keep_connections: bool,
    ) -> f64 {
        let start = Instant::now();
        let status = Command::new(&self.source)
            .args(keep_connections.then_some("-d"))
            .args(["-s", &connections.to_string()])
            .args(["-m", &mails.to_string(), "-l", &bytes.to_string()])
            .arg(format!("127.0.0.1:{}", sink.port))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        f64::from(mails) / start.elapsed().as_secs_f64()
    }
}

/// A running `smtp-sink`.
pub(crate) struct Sink {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Sink {
    fn start(sink: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(sink)
            .args(["-u", "nobody"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("1000")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let sink = Self { child, port };
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return sink;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("smtp-sink does not listen");
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
