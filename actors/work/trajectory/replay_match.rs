//! Whether a replayed command has repeated. Its observation must be equal to the recorded one,
//! except for times of day and calendar dates. A listing shows when a file was written, and the
//! same work done later is still the same work.
//!
//! For example, `12 Nov 21 00:41 a.txt` matches `12 Dec  2 13:05 a.txt`, but not `13 Dec  2 13:05
//! a.txt`.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether two observations are equal except for times and dates. The number of lines must be
/// equal.
pub fn matches_recorded(recorded: &str, now: &str) -> bool {
    recorded == now
        || (recorded.lines().count() == now.lines().count() && masked(recorded) == masked(now))
}

/// The words of each line, with times and dates replaced.
fn masked(text: &str) -> Vec<Vec<String>> {
    text.lines().map(mask_line).collect()
}

/// The words of a line, with times and dates replaced by `<time>`, `<month>` and `<day>`. Several
/// spaces count as one, because columns grow with their contents.
fn mask_line(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let after_month = words.last().is_some_and(|last| last == "<month>");
        let masked = match word {
            _ if MONTHS.contains(&word) => "<month>".to_owned(),
            _ if after_month && is_number(word, 1..=2) => "<day>".to_owned(),
            _ => mask_times(word),
        };
        words.push(masked);
    }
    words
}

/// Whether a word has only digits and one of these lengths.
fn is_number(word: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
}

/// Replaces a word that is `hh:mm`, `hh:mm:ss`, `yyyy-mm-dd`, or a date and a time joined by `T`.
/// Punctuation around it stays.
fn mask_times(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_part = |part: &str| is_time(part) || is_date(part);
    let joined = bare.trim_end_matches('Z').split_once('T');
    let told = is_part(bare) || joined.is_some_and(|(date, time)| is_date(date) && is_time(time));
    if told { word.replace(bare, "<time>") } else { word.to_owned() }
}

/// `hh:mm` or `hh:mm:ss`, also with a fraction of a second.
fn is_time(word: &str) -> bool {
    let whole = word.split_once('.').map_or(word, |(whole, _)| whole);
    let parts: Vec<&str> = whole.split(':').collect();
    (2..=3).contains(&parts.len()) && parts.iter().all(|part| is_number(part, 1..=2))
}

/// `yyyy-mm-dd`.
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    matches!(parts.as_slice(), [y, m, d]
        if is_number(y, 4..=4) && is_number(m, 2..=2) && is_number(d, 2..=2))
}

#[cfg(test)]
mod tests {
    use super::matches_recorded;

    #[test]
    fn times_may_differ_and_nothing_else() {
        let listed = "-rw-r--r-- 1 agent agent 12 Nov 21 00:41 a.txt";
        let later = "-rw-r--r-- 1 agent agent 12 Dec  2 13:05 a.txt";
        assert!(matches_recorded(listed, later));
        assert!(matches_recorded("at 2026-11-21T10:00:01.5Z.", "at 2026-11-22T11:30:59.1Z."));
        assert!(matches_recorded("2026-11-21 10:00", "2026-11-22 10:01"));
        assert!(!matches_recorded(listed, &later.replace("12 Dec", "13 Dec")), "the size counts");
        assert!(!matches_recorded("12 lines", "13 lines"));
        assert!(!matches_recorded("a\nb", "a b"));
        assert!(!matches_recorded("ratio 1:2:3:4", "ratio 1:2:3:5"));
    }
}
