//! The identity platform: national clouds, the ways in which an application proves who it is,
//! and the tokens that it gets for that. Graph and Exchange Online (XOAUTH2) both take them.
//!
//! Requests are plain OAuth 2.0 client credentials (RFC 6749, 4.4) and the managed identity
//! endpoints; the trap is in what is *not* retried: a wrong secret is asked about once a minute
//! at most, because every further try counts against the application.

mod cloud;
mod credential;
mod error;
mod managed;
mod refusal;
mod token;

pub use cloud::Cloud;
pub use credential::{Certificate, Credential, InvalidCertificate};
pub use error::TokenError;
pub use refusal::{Refusal, Remedy};
pub use token::{Application, Tokens};
