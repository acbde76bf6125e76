//! All that is tested from outside, one file a subject. One program, because each of many would link the
//! whole product again; cargo finds no tests by itself here, so a new file is named below.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail at once, and read better with values written in place"
)]

mod acts;
mod answers;
mod begin;
mod cases;
mod cli;
mod clock;
mod config;
mod crash;
mod daemon;
mod demo;
mod doctor;
mod endpoints;
mod exports;
mod fake_graph;
mod fault;
mod files;
mod graph;
mod house;
mod journey;
#[path = "journey.rs"]
#[expect(clippy::duplicate_mod, reason = "each journey is played twice")]
mod journey_graph;
mod migrated;
mod news;
mod owners;
mod passes;
mod postfix;
mod properties;
mod report_age;
mod smtp;
mod support;
mod tls;
mod verbose;
mod webhook_schemas;
mod webhook_tools;
mod webhooks;

/// A file that is not named above would never run.
#[test]
fn every_file_runs() {
    let named = include_str!("main.rs");
    for entry in std::fs::read_dir("tests").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            ["main", "data"].contains(&name) || named.contains(&format!("\nmod {name};")),
            "{} is not named in tests/main.rs",
            path.display()
        );
    }
}
