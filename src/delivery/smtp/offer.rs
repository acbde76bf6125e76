//! What the server said it can do, from its reply to EHLO.
//!
//! lettre's own reading leaves out PIPELINING and SIZE, and minds the case.

use lettre::transport::smtp::response::Response;

/// The extensions of a server, in capitals, each with its parameters.
#[derive(Debug)]
pub(super) struct Offer {
    extensions: Vec<Vec<String>>,
}

impl Offer {
    pub(super) fn read(reply: &Response) -> Self {
        let words = |line: &str| -> Vec<String> {
            let line = line.to_ascii_uppercase();
            let words = line.split([' ', '=']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        // The first line is the server's name.
        let extensions = reply.message().skip(1).map(words).collect();
        Self { extensions }
    }

    pub(super) fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).next().is_some()
    }

    /// Whether that mechanism of AUTH is among those offered.
    pub(super) fn logs_in_by(&self, mechanism: &str) -> bool {
        self.parameters("AUTH")
            .flatten()
            .any(|offered| offered == mechanism)
    }

    /// The longest message that is taken, where SIZE is offered; zero is no fixed limit.
    pub(super) fn size(&self) -> Option<usize> {
        let most = self.parameters("SIZE").next()?.first();
        Some(most.and_then(|most| most.parse().ok()).unwrap_or(0))
    }

    fn parameters(&self, keyword: &str) -> impl Iterator<Item = &[String]> {
        self.extensions.iter().filter_map(move |words| {
            let (first, parameters) = words.split_first()?;
            (first == keyword).then_some(parameters)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offer_is_read_whatever_its_case() {
        let reply = "250-STARTTLS\r\n250-size 100\r\n250-PIPELINING\r\n250-AUTH LOGIN XOAUTH2\r\n\
                     250-auth=plain\r\n250-8BITMIME\r\n250 smtputf8\r\n";
        let offer = Offer::read(&reply.parse().unwrap());
        for keyword in ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE", "AUTH"] {
            assert!(offer.has(keyword), "{keyword}");
        }
        assert!(!offer.has("STARTTLS"), "that is the server's name");
        assert!(offer.logs_in_by("PLAIN") && offer.logs_in_by("LOGIN"));
        assert!(!offer.logs_in_by("CRAM-MD5"));
        assert_eq!(offer.size(), Some(100));
        let bare = Offer::read(&"250-x\r\n250 SIZE\r\n".parse().unwrap());
        assert_eq!(bare.size(), Some(0));
    }
}
