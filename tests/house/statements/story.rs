//! A story in which the program comes to every statement that it has. What is asserted of such
//! days is asserted elsewhere; here they only have to be lived.

use clap::Parser as _;
use fortnight::cli::{self, args::Cli};
use fortnight::domain::facts::ActKind;

use crate::endpoint::{Endpoints, Reply, SECRET};
use crate::world::graph::{FakeGraph, Removal};
use crate::world::{World, day, hour};

pub(super) async fn play() {
    exports().await;
    graph().await;
}

/// Read from exports; with mails, two endpoints and a chat.
async fn exports() {
    let peer = Endpoints::start(|_| Reply::Taken);
    let mut world = World::of(&["ana", "bo"]);
    world.configuration += &[peer.standard("desk"), peer.slack("chat")].concat();
    std::fs::write(world.folder().join("hook"), SECRET).unwrap();
    world.pass(day(0)).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=3).await;
    world.act("ana", ActKind::Close, day(3)).await;
    for command in [
        "status",
        "users",
        "explain ana@contoso.example",
        "deliveries list",
    ] {
        command_on(&world, command).await;
    }
}

/// The same told by Graph, where people go and come back.
async fn graph() {
    let graph = FakeGraph::start();
    let mut world = World::told_by(Some(graph.clone()), &["ana", "bo"]);
    world.pass(day(0)).await;
    graph.remove_user(world.id("bo").as_str(), Removal::Hard);
    world.pass_on_old_exports(day(1)).await;
}

/// A command as an operator gives it.
async fn command_on(world: &World, command: &str) {
    let file = world.file();
    let words = ["fortnight", "--config", file.to_str().unwrap()];
    let cli = Cli::try_parse_from(words.into_iter().chain(command.split(' ')));
    cli::run(cli.unwrap()).await;
}
