//! Columns as kubectl prints them.

/// Rows under a heading, aligned, three blanks between two columns, none at the end of a line.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|word| word.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join("   ");
        format!("{}\n", line.trim_end())
    };
    let mut out = line(&mut heading.iter().copied());
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

/// A length of time as kubectl prints an age: two units at most, the smaller one only while it matters.
pub(super) fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit: char, small: i64, small_unit: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

/// What is left of a time, to the second.
pub(super) fn left(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes:02}m{seconds:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = [
            vec!["a".to_owned(), "Größe".to_owned()],
            vec!["longer".to_owned(), String::new()],
        ];
        assert_eq!(table(&["NAME", "B"], &rows), "NAME     B\na        Größe\nlonger\n");
    }

    #[test]
    fn ages_are_kubectls() {
        let ages = [
            0, 119, 120, 150, 600, 3600, 10_800, 10_860, 28_800, 172_800, 200_000, 691_200,
        ]
        .map(age);
        let expected = [
            "0s", "119s", "2m", "2m30s", "10m", "60m", "3h", "3h1m", "8h", "2d", "2d7h", "8d",
        ];
        assert_eq!(ages, expected);
        assert_eq!(age(-5), "0s");
        assert_eq!([59, 65, 3665].map(left), ["59s", "1m05s", "1h01m05s"]);
    }
}
