//! What the lines about sessions tell of what follows: whose hello comes next, and whether a connection has only begun.

/// What lines `%% …` have announced.
#[derive(Debug, Clone, Default)]
pub(super) struct Announced {
    /// Sessions that this client has looked up: for each, its ClientHello follows (`sun.security.ssl.ClientHandshaker`).
    client_hellos: u8,
    /// Sessions that this server negotiates or resumes: for each, its ServerHello follows (`sun.security.ssl.ServerHandshaker`).
    server_hellos: u8,
    /// This log has announced a hello, so it does not lack these lines.
    told: bool,
    /// It has announced a ClientHello.
    client: bool,
    /// A ClientHello that came in is being answered.
    answering: bool,
    beginning: Beginning,
}

/// Whether a connection has begun of which nothing has been printed yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Beginning {
    #[default]
    No,
    /// On a thread that is not known yet.
    Somewhere,
    On(String),
}

impl Announced {
    /// Takes a line `%% …`.
    pub(super) fn session(&mut self, line: &[u8]) {
        let begins = |starts: &[&[u8]]| starts.iter().any(|start| line.starts_with(start));
        if begins(&[b"%% No cached client session", b"%% Client cached "]) {
            self.client_hellos = self.client_hellos.saturating_add(1);
            self.told = true;
            self.client = true;
        } else if begins(&[b"%% Negotiating:", b"%% Resuming "]) {
            self.server_hellos = self.server_hellos.saturating_add(1);
            self.told = true;
        } else if begins(&[b"%% Initialized:"]) && line.ends_with(b"SSL_NULL_WITH_NULL_NULL]") && !self.answering {
            self.beginning = Beginning::Somewhere;
        }
    }

    /// A ClientHello begins; answers whether it was announced as this end's own.
    pub(super) fn client_hello(&mut self) -> bool {
        self.beginning = Beginning::No;
        let announced = self.client_hellos > 0;
        self.client_hellos = self.client_hellos.saturating_sub(1);
        announced
    }

    /// Whether the log has announced hellos, and none of a client.
    pub(super) fn only_server(&self) -> bool {
        self.told && !self.client
    }

    /// A ClientHello came in: what follows is the answer.
    pub(super) fn answers(&mut self) {
        self.answering = true;
    }

    /// A ServerHello begins; answers whether it is this end's own, where that was announced or would have been.
    pub(super) fn server_hello(&mut self) -> Option<bool> {
        self.beginning = Beginning::No;
        let announced = self.server_hellos > 0;
        self.server_hellos = self.server_hellos.saturating_sub(1);
        self.told.then_some(announced)
    }

    /// A line of a thread; answers whether it is the first of the connection that has begun.
    pub(super) fn first_of(&mut self, thread: &str, what: &str) -> bool {
        self.answering = false;
        // Its thread has printed the alert itself before: it is no connection's first, whoever begins one in between.
        if what.starts_with("handling exception: ") && what.contains("Received fatal alert: ") {
            return false;
        }
        let first = match &self.beginning {
            Beginning::No => false,
            Beginning::Somewhere => true,
            Beginning::On(known) => known == thread,
        };
        // A record of another kind than a handshake's is no message yet, nor is the end of the input.
        let record = what.starts_with("READ: ") || what.starts_with("WRITE: ") || what.starts_with("received EOF");
        self.beginning = if first && record && !what.contains("andshake") {
            Beginning::On(thread.to_owned())
        } else {
            Beginning::No
        };
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGINS: &[u8] = b"%% Initialized:  [Session-2, SSL_NULL_WITH_NULL_NULL]";

    #[test]
    fn a_connection_that_fails_before_any_hello_has_begun() {
        let mut announced = Announced::default();
        announced.session(BEGINS);
        assert!(announced.first_of("a", "READ: TLSv1.2 Alert, length = 2"));
        assert!(announced.first_of("a", "RECV TLSv1.2 ALERT:  fatal, handshake_failure"));
        assert!(!announced.first_of("a", "handling exception: x"));
    }

    #[test]
    fn another_thread_in_between_leaves_it_open_whose_it_is() {
        let mut announced = Announced::default();
        announced.session(BEGINS);
        assert!(announced.first_of("a", "READ: TLSv1.2 Alert, length = 2"));
        assert!(!announced.first_of("b", "handling exception: x"));
        assert!(!announced.first_of("a", "handling exception: x"));
    }

    #[test]
    fn what_an_alert_leads_to_is_no_beginning() {
        let mut announced = Announced::default();
        announced.session(BEGINS);
        let echo = "handling exception: javax.net.ssl.SSLHandshakeException: Received fatal alert: bad_certificate";
        assert!(!announced.first_of("a", echo));
        assert!(announced.first_of("b", "READ: TLSv1.2 Alert, length = 2"));
        assert!(announced.first_of("b", "RECV TLSv1.2 ALERT:  fatal, handshake_failure"));
    }

    #[test]
    fn the_session_of_an_answer_is_no_beginning() {
        let mut announced = Announced::default();
        announced.answers();
        announced.session(BEGINS);
        assert!(!announced.first_of("a", "fatal error: 40: no cipher suites in common"));
    }

    #[test]
    fn hellos_are_counted() {
        let mut announced = Announced::default();
        assert_eq!(announced.server_hello(), None);
        announced.session(b"%% Negotiating:  [Session-2, A]");
        announced.session(b"%% No cached client session");
        assert_eq!(announced.server_hello(), Some(true));
        assert_eq!(announced.server_hello(), Some(false));
        assert!(announced.client_hello());
        assert!(!announced.client_hello());
    }
}
