//! Each way to prove who asks, from the configuration to the first page.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};

use super::program::{command, cycle};
use crate::support::graph::{FakeGraph, MACHINE_HEADER, SECRET};
use crate::support::world::{World, day, hour};

/// A world whose application proves itself by these lines instead of a secret.
fn proven_by(lines: &str) -> World {
    let mut world = World::told_by(Some(FakeGraph::start()), &["ana"]);
    world.change("client_secret_file = \"graph-secret\"\n", lines);
    world.export(day(0));
    world
}

#[test]
fn a_certificate_signs_each_request_for_a_token_anew() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let world = proven_by("certificate_file = \"app.pem\"\nprivate_key_file = \"app.key\"\n");
    std::fs::write(world.folder().join("app.pem"), certificate.pem()).unwrap();
    crate::support::write_secret(world.folder().join("app.key"), key.serialize_pem());
    let said = cycle(&world, day(0));
    assert_eq!(said.code, Some(3), "it was not uploaded");
    let graph = world.graph.as_ref().unwrap();
    graph.upload_certificate(certificate.der(), &key.public_key_pem());
    for number in 1..=2 {
        let said = cycle(&world, hour(0, number));
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    assert_eq!(graph.tokens_given(), 2);
}

#[test]
fn a_federated_token_is_read_anew() {
    let world = proven_by("federated_token_file = \"token\"\n");
    let graph = world.graph.as_ref().unwrap();
    graph.federate("the.second.token");
    let token = world.folder().join("token");
    std::fs::write(&token, "the.first.token").unwrap();
    assert_eq!(cycle(&world, day(0)).code, Some(3));
    std::fs::write(&token, "the.second.token\n").unwrap();
    assert_eq!(cycle(&world, hour(0, 1)).code, Some(0));
}

#[test]
fn a_machine_of_app_service_and_one_with_metadata_prove_themselves() {
    let world = proven_by("managed_identity = true\n");
    let url = world.graph.as_ref().unwrap().url().to_owned();
    let pass = |number, variables: &[(&str, &str)]| {
        let at = hour(0, number).to_string();
        let output = command(&world, &["cycle", "--as-of", &at])
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        output.status.code()
    };
    let endpoint = format!("{url}/msi/token");
    let service = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", MACHINE_HEADER),
    ];
    assert_eq!(pass(1, &service), Some(0));
    let metadata = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", url.as_str())];
    assert_eq!(pass(2, &metadata), Some(0));
}

#[test]
fn no_secret_and_no_token_is_ever_told() {
    let world = proven_by("client_secret_file = \"graph-secret\"\n");
    let at = day(0).to_string();
    let output = command(&world, &["-vv", "cycle", "--as-of", &at])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(!told.contains(SECRET), "{told}");
    assert!(!told.contains("token-1-of"), "{told}");
}
