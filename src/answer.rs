//! The body of an HTTP answer, and no more of it than anybody wants: a server may send without end.

use reqwest::{Error, Response};

/// What was read.
pub(crate) struct Answer {
    /// The bytes, fewer than the limit if it is whole.
    pub(crate) bytes: Vec<u8>,
    /// Why there are no more.
    pub(crate) end: End,
}

/// How the reading ended.
pub(crate) enum End {
    /// That was all.
    Whole,
    /// The limit was reached.
    TooLong,
    /// The connection broke.
    Broken(Error),
}

/// Reads up to so many bytes.
pub(crate) async fn read(mut response: Response, at_most: usize) -> Answer {
    let mut bytes = Vec::new();
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break End::Whole,
            Err(error) => break End::Broken(error),
        }
        if bytes.len() >= at_most {
            bytes.truncate(at_most);
            break End::TooLong;
        }
    };
    Answer { bytes, end }
}
