//! A fake of Microsoft Graph and of the token endpoint on this machine, for trying `fortnight`
//! without a tenant: a folder of exports, or a small made-up organisation that lives in real time.
//!
//! `cargo run --example fake-graph`, then `fortnight -c examples/tenant/fortnight.toml cycle`; at
//! another address, with the section that it prints.

#[path = "../tests/support/graph/mod.rs"]
mod graph;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use graph::{FakeGraph, SECRET, TENANT};

/// What the service takes for reports and logs in ten seconds.
const REPORTS_PER_10S: u32 = 5;
/// A folder is looked at this often.
const LOOK: Duration = Duration::from_secs(2);

/// Serves a fake of Microsoft Graph
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8400")]
    listen: SocketAddr,
    /// A folder of exports in JSON, read again whenever it changes; without it, an organisation of 25 people and an
    /// emergency account
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The tenant's id
    #[arg(long, default_value = TENANT)]
    tenant: String,
    /// A permission that the application lacks, to see how it is missed: AuditLog.Read.All for example
    #[arg(long, value_name = "PERMISSION")]
    without: Vec<String>,
    /// Refuse as the service does who asks too often
    #[arg(long)]
    throttle: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let graph = FakeGraph::listen(arguments.listen, &arguments.tenant)
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    if arguments.throttle {
        graph.throttle(REPORTS_PER_10S);
    }
    for permission in &arguments.without {
        anyhow::ensure!(
            graph.revoke_permission(permission),
            "the application has no permission {permission:?}"
        );
    }
    if arguments.folder.is_none() {
        graph.load_sample();
    }
    eprintln!(
        "# What examples/tenant/fortnight.toml says of it, but for the address; graph-secret there holds {SECRET}\n{}",
        graph.configuration("graph-secret")
    );
    watch(&graph, arguments.folder.as_deref())
}

/// Tells what is asked, and follows the folder.
fn watch(graph: &FakeGraph, folder: Option<&Path>) -> anyhow::Result<()> {
    let mut seen = None;
    loop {
        if let Some(folder) = folder {
            let edition = edition(folder)?;
            if seen.as_ref() != Some(&edition) {
                graph.load_folder(folder);
                seen = Some(edition);
            }
        }
        for asked in graph.take_requests() {
            eprintln!("{} {} {}", asked.at, asked.status, asked.target);
        }
        std::thread::sleep(LOOK);
    }
}

/// Changes whenever a file of the folder does.
fn edition(folder: &Path) -> anyhow::Result<Vec<(PathBuf, u64, std::time::SystemTime)>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut edition = Vec::new();
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        edition.push((entry.path(), metadata.len(), metadata.modified()?));
    }
    edition.sort();
    Ok(edition)
}
