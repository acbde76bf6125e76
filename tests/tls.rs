//! The identity platform over TLS: by certificates that the system trusts, or that `SSL_CERT_FILE`
//! names; and never by others.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::authority::authority;
use crate::support::program::command;
use crate::support::world::{World, day};

/// Speaks TLS in front of a server that does not.
async fn protect(server: SocketAddr, tls: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls));
            tokio::spawn(async move {
                let mut outside = acceptor.accept(tcp).await.ok()?;
                let mut inside = TcpStream::connect(server).await.ok()?;
                tokio::io::copy_bidirectional(&mut outside, &mut inside)
                    .await
                    .ok()
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_over_tls_that_somebody_trusted_vouches_for() {
    let mut world = World::on_graph(&["ana"]);
    world.export(day(0));
    let url = world.graph.as_ref().unwrap().url().to_owned();
    let server = url.strip_prefix("http://").unwrap().parse().unwrap();
    let authority = authority();
    let protected = protect(server, authority.server).await;
    world.change(
        &format!("authority_url = \"{url}\""),
        &format!("authority_url = \"https://{protected}\""),
    );
    std::fs::write(world.folder().join("authority.pem"), authority.pem).unwrap();
    let (code, text) = tokio::task::spawn_blocking(move || {
        let cycle = |trust: Option<&str>| {
            let mut command = command(&world, &["cycle", "--as-of", &day(0).to_string()]);
            command.env_clear();
            if let Some(trust) = trust {
                command.env("SSL_CERT_FILE", world.folder().join(trust));
            }
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code().unwrap(), text)
        };
        let (code, text) = cycle(None);
        assert_eq!(code, 3);
        assert!(text.contains("for a token"), "{text}");
        assert!(text.contains("invalid peer certificate"), "{text}");
        cycle(Some("authority.pem"))
    })
    .await
    .unwrap();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("2 users"), "{text}");
}
