//! Which certificates a server may show: those that the system trusts.
//!
//! On Linux `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's store, which is how a
//! private authority is named. They are read once, when the channel is set up.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;

/// The system's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("reading the certificates that the system trusts (SSL_CERT_FILE can name others)")]
pub struct TrustError(#[source] rustls::Error);

/// Trust in what the system trusts.
pub fn system_trust() -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(TrustError)?
        .with_no_client_auth();
    Ok(Arc::new(config))
}
