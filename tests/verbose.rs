//! `-v` and `-vv`: each step of a pass is told, and nobody's address, name or secret with it.

use crate::support::graph::{FakeGraph, SECRET};
use crate::support::program::{Organisation, command};
use crate::support::smtp_peer::{Act, Peer};
use crate::support::world::{World, day};

/// The log of one command, whose outcome does not matter here.
fn log_of(mut command: std::process::Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[track_caller]
fn tells(log: &str, steps: &[&str]) {
    for step in steps {
        assert!(log.contains(step), "no {step:?} in\n{log}");
    }
}

#[track_caller]
fn keeps_to_itself(log: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!log.contains(secret), "{secret:?} is in\n{log}");
    }
}

#[test]
fn a_pass_over_graph_tells_what_it_asks_and_whom_it_tells_by_id() {
    let graph = FakeGraph::start();
    graph.load_sample();
    let mut world = World::told_by(Some(graph.clone()), &[]);
    let example = std::fs::read_to_string("examples/tenant/fortnight.toml").unwrap();
    world.configuration = example.replace("http://127.0.0.1:8400", graph.url());
    crate::support::write_secret(world.folder().join("graph-secret"), SECRET);

    let quiet = log_of(command(&world, &["cycle", "--dry-run"]));
    keeps_to_itself(&quiet, &["asking Graph", "a pass begins"]);
    let log = log_of(command(&world, &["-vv", "cycle"]));
    tells(
        &log,
        &[
            "read the configuration",
            "read directory.graph.client_secret_file from",
            "a pass begins: it reads the sources",
            "asking for a token for http://127.0.0.1",
            "asking Graph for users: /users/delta",
            "Graph answered 200 to the question for users",
            "deciding under everyone, as of ",
            "is in_grace under everyone",
            "is to be told: window.opened",
            "(window.opened, ",
        ],
    );
    keeps_to_itself(&log, &["@", SECRET, "Bearer", "$select", "skiptoken"]);
    let rows = command(&world, &["users", "--format", "json"]);
    let rows: serde_json::Value =
        serde_json::from_slice(&{ rows }.output().unwrap().stdout).unwrap();
    for row in rows.as_array().unwrap() {
        keeps_to_itself(&log, &[row["display_name"].as_str().unwrap()]);
    }
}

#[tokio::test]
async fn a_server_that_repeats_an_address_does_not_bring_it_into_the_log() {
    let peer = Peer::start(&["SIZE 100000"]).await;
    peer.on(
        "RCPT",
        Act::Say("550 5.1.1 <p0@contoso.example>: no such user\r\n"),
    );
    let organisation = Organisation::new(1, day(0), peer.address.port());
    organisation.configure();
    let cycle = organisation.command(&["-v", "cycle", "--as-of", &day(0).to_string()]);
    let log = tokio::task::spawn_blocking(move || log_of(cycle))
        .await
        .unwrap();
    tells(
        &log,
        &[
            "looking for exports in",
            "read 2 rows of users.json, 0 more are put aside",
            "connected to 127.0.0.1 port",
            "email did not take delivery",
            "550 5.1.1 <p***@contoso.example>: no such user",
        ],
    );
    keeps_to_itself(&log, &["p0@"]);
}
