//! Lines that come one after the other, and on a terminal one line below them that is drawn anew.

use std::io::{self, IsTerminal, Write};

/// Where lines go. What cannot be written is passed over: a closed terminal must not keep a workload from being restored.
pub(super) struct Screen {
    out: Box<dyn Write>,
    has_standing: bool,
}

impl Screen {
    /// On standard output, for a command whose lines are its result.
    pub(super) fn stdout() -> Self {
        Self::on(io::stdout(), io::stdout().is_terminal())
    }

    /// On standard error, for a command with another result.
    pub(super) fn stderr() -> Self {
        Self::on(io::stderr(), io::stderr().is_terminal())
    }

    fn on(out: impl Write + 'static, is_terminal: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self {
            out: Box::new(out),
            has_standing: is_terminal && !is_dumb,
        }
    }

    /// Writes lines.
    pub(super) fn lines(&mut self, lines: &[String]) {
        self.clear();
        for line in lines {
            let _ = writeln!(self.out, "{line}");
        }
        let _ = self.out.flush();
    }

    /// Draws the last line anew; nothing where there is no terminal.
    pub(super) fn standing(&mut self, text: &str) {
        self.clear();
        if self.has_standing {
            let _ = write!(self.out, "{text}");
            let _ = self.out.flush();
        }
    }

    fn clear(&mut self) {
        if self.has_standing {
            let _ = write!(self.out, "\r\x1b[K");
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
        let _ = self.out.flush();
    }
}
