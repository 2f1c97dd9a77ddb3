//! Tables that scenarios fill, row by row: `make faults` prints them.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Adds a row to the table of this name: cells from left to right. Nobody asks for tables where `TLSDEBUG_TABLES`, the
/// folder that they are written to, is not set.
pub fn row(table: &str, cells: &[&str]) {
    let line = cells.join("\t");
    println!("{table}: {line}");
    let Some(folder) = std::env::var_os("TLSDEBUG_TABLES") else {
        return;
    };
    let path = Path::new(&folder).join(table);
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    // One write for a line: scenarios of other threads write as well.
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
