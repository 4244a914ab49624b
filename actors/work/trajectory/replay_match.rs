//! Whether a replayed command has repeated. Its observation must be equal to the recorded one,
//! except for times of day and calendar dates. A listing shows when a file was written, and the
//! same work done later is still the same work.
//!
//! For example, `12 Nov 21 00:41 a.txt` matches `12 Dec  2 13:05 a.txt`, but not `13 Dec  2 13:05
//! a.txt`.
//!
//! An older record shows the two streams of a command apart, in `<stdout>` and `<stderr>`. It
//! matches if the same lines are in the `<output>` of now: their order was not recorded.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The lines that begin and end the streams of an older record.
const APART: [&str; 4] = ["<stdout>", "</stdout>", "<stderr>", "</stderr>"];
/// The lines that begin and end the output of a command.
const JOINED: [&str; 2] = ["<output>", "</output>"];

/// Whether two observations are equal except for times and dates. The number of lines must be
/// equal.
pub fn matches_recorded(recorded: &str, now: &str) -> bool {
    recorded == now || masked(recorded) == masked(now) || joined_since(recorded, now)
}

/// The words of each line, with times and dates replaced.
fn masked(text: &str) -> Vec<Vec<String>> {
    text.lines().map(mask_line).collect()
}

/// Whether an observation shows streams apart, and the other one shows the same lines joined. The
/// order counts if nothing was written to the error stream.
fn joined_since(recorded: &str, now: &str) -> bool {
    let has = |text: &str, mark: &str| text.lines().any(|line| line == mark);
    if !has(recorded, APART[0]) || !has(now, JOINED[0]) {
        return false;
    }
    let (mut then, mut found) = (without(recorded, &APART), without(now, &JOINED));
    if has(recorded, APART[2]) {
        then.sort_unstable();
        found.sort_unstable();
    }
    then == found
}

/// The masked lines of a text without those that are `marks`.
fn without(text: &str, marks: &[&str]) -> Vec<Vec<String>> {
    text.lines().filter(|line| !marks.contains(line)).map(mask_line).collect()
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

    #[test]
    fn streams_that_were_recorded_apart_match_the_same_lines_joined() {
        let apart = "<returncode>0</returncode>\n<stdout>\na\nb\n</stdout>";
        let joined =
            |lines: &str| format!("<returncode>0</returncode>\n<output>\n{lines}</output>");
        assert!(matches_recorded(apart, &joined("a\nb\n")));
        assert!(!matches_recorded(apart, &joined("b\na\n")), "one stream has an order");
        assert!(!matches_recorded(apart, &joined("a\n")));
        assert!(!matches_recorded(apart, &joined("a\nb\n").replace('0', "1")));
        let both = format!("{apart}\n<stderr>\nno\n</stderr>");
        assert!(matches_recorded(&both, &joined("a\nno\nb\n")));
        assert!(!matches_recorded(&both, &joined("a\nb\n")));
        assert!(!matches_recorded(&joined("a\nb\n"), apart), "only an older record is apart");
    }
}
