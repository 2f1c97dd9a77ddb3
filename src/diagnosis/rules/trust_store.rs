//! The trust store is empty or cannot be read.

use super::{Case, Certainty, Diagnosis};
use crate::diagnosis::catalogue::{TRUST_STORE_EMPTY, TRUST_STORE_UNREADABLE};

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.says("the trustAnchors parameter must be non-empty") {
        return Some(Diagnosis {
            cause: &TRUST_STORE_EMPTY,
            certainty: Certainty::Proven,
            summary: "the trust store of this JVM holds no trusted certificate".to_owned(),
            explanation: "Without a single trust anchor no chain can be checked. A trust store file that is missing or holds only private \
                          keys looks the same."
                .to_owned(),
            topics: &[],
        });
    }
    let unreadable = case.says("Keystore was tampered with, or password was incorrect")
        || case.says("keystore password was incorrect")
        || case.says("Invalid keystore format")
        || case.says("problem accessing trust store")
        || case.says("Error constructing implementation");
    unreadable.then(|| Diagnosis {
        cause: &TRUST_STORE_UNREADABLE,
        certainty: Certainty::Proven,
        summary: "a key or trust store of this JVM cannot be read".to_owned(),
        explanation: "The exception in the evidence says whether its type, its password or its content is at fault."
            .to_owned(),
        topics: &[],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn a_store_that_cannot_be_read_is_one_failure() {
        let record = |message: &str, thrown: &str| {
            super::super::testing::record(message, Some(&format!("\"throwable\" : {{\n  {thrown}}}\n")))
        };
        let log = record(
            "SunX509: skip default keystore",
            "java.io.IOException: Keystore was tampered with, or password was incorrect",
        ) + &record(
            "Failed to load default trust managers",
            "java.security.KeyStoreException: problem accessing trust store",
        );
        let finding = only(&log);
        assert_eq!((finding.cause.as_str(), finding.count), ("TrustStoreUnreadable", 1));
        let legacy = "SunX509: skip default keystore: java.io.IOException: Invalid keystore format\n";
        assert_eq!(only(legacy).cause, "TrustStoreUnreadable");
    }

    #[test]
    fn no_anchor() {
        let text = "Unexpected error: java.security.InvalidAlgorithmParameterException: the trustAnchors parameter must be non-empty";
        let finding = only(&(client_hello("a.example") + &fatal("INTERNAL_ERROR", text, "java.lang.RuntimeException")));
        assert_eq!(finding.cause, "TrustStoreEmpty");
    }
}
