//! What the service says: values, and refusals in its own shapes.

use serde_json::{Value, json};

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

/// The body of a page or an object, or the answer that refuses it.
pub type Found = Result<Value, Answer>;

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
        }
    }

    /// Graph's error; who answers adds the ids and the date.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: json!({ "error": { "code": code, "message": message } }),
        }
    }

    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub fn invalid_filter() -> Self {
        Self::error(400, "BadRequest", "Invalid filter clause")
    }

    pub fn dead_skip_token() -> Self {
        Self::error(400, "BadRequest", "Skip token is null.")
    }

    pub fn unsupported_query() -> Self {
        Self::error(400, "Request_UnsupportedQuery", "Unsupported Query.")
    }

    pub fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::error(404, "Request_ResourceNotFound", &message)
    }

    pub fn denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::error(403, "Authorization_RequestDenied", message)
    }

    pub fn no_licence() -> Self {
        let message = "Neither tenant is B2C or tenant doesn't have premium license";
        Self::error(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            message,
        )
    }

    pub fn bad_token(message: &str) -> Self {
        Self::error(401, "InvalidAuthenticationToken", message)
            .with("WWW-Authenticate", "Bearer realm=\"\"")
    }

    pub fn throttled() -> Self {
        Self::error(429, "TooManyRequests", "Please retry again later.")
    }
}
