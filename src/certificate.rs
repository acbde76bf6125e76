//! Until when a certificate is good: the one thing that we read in one ourselves.
//!
//! What rustls brings verifies certificates and does not say when they end; x509-parser reads what others
//! wrote without panicking, and is fuzzed.

use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// The end of a certificate in DER; none where it cannot be read.
#[must_use]
pub(crate) fn ends_at(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2027, 3, 4);
        let certificate = parameters.self_signed(&key).unwrap();
        let ends = ends_at(certificate.der()).unwrap();
        assert_eq!(ends.to_string(), "2027-03-04T00:00:00Z");
        assert_eq!(ends_at(b"no certificate"), None);
    }
}
