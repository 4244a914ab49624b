//! Whether a command has repeated: its observation is the same as the recorded one, clock
//! times and dates aside. What an agent lists carries the time it was written, and a copy
//! of its work made later is no other work.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Equal but for times of day and calendar dates.
pub fn matches_recorded(recorded: &str, now: &str) -> bool {
    recorded == now
        || (recorded.lines().count() == now.lines().count() && masked(recorded) == masked(now))
}

fn masked(text: &str) -> Vec<Vec<String>> {
    text.lines().map(mask_line).collect()
}

/// The words of a line, those that tell a time or a date replaced. Runs of spaces count as
/// one: columns widen with what stands in them.
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

fn is_number(word: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
}

/// Replaces a word that is `hh:mm`, `hh:mm:ss`, `yyyy-mm-dd` or both joined by a `T`.
fn mask_times(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_part = |part: &str| is_time(part) || is_date(part);
    let joined = bare.trim_end_matches('Z').split_once('T');
    let told = is_part(bare) || joined.is_some_and(|(date, time)| is_date(date) && is_time(time));
    if told { word.replace(bare, "<time>") } else { word.to_owned() }
}

fn is_time(word: &str) -> bool {
    let whole = word.split_once('.').map_or(word, |(whole, _)| whole);
    let parts: Vec<&str> = whole.split(':').collect();
    (2..=3).contains(&parts.len()) && parts.iter().all(|part| is_number(part, 1..=2))
}

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
