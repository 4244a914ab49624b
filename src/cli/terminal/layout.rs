//! Lays out tables with one line for each row. In a pipe, every cell is whole. On a terminal, the
//! table is as wide as the terminal: first the widest cells are cut, then whole columns are left
//! out, the least important first.

use crate::cli::terminal::terminal_text::{escape_line, fit};
use unicode_width::UnicodeWidthChar;

/// A column of a table, and what may happen to it if there is too little room.
#[derive(Clone, Copy)]
pub(in crate::cli) struct TableColumn {
    /// The text in the header.
    title: &'static str,
    /// Whether the cells stand at the right, as numbers do.
    right: bool,
    /// The fewest characters that a cell may be cut to. None for a column that is never cut.
    least: Option<usize>,
    /// The column with the highest number is left out first. A column with 0 always stays.
    spare: u8,
    /// Cuts a cell to a width.
    cut: fn(&str, usize) -> String,
}

impl TableColumn {
    /// A column that is never cut and never left out.
    pub(in crate::cli) const fn new(title: &'static str) -> Self {
        Self { title, right: false, least: None, spare: 0, cut: fit }
    }

    /// A column of numbers.
    pub(in crate::cli) const fn right(title: &'static str) -> Self {
        Self { right: true, ..Self::new(title) }
    }

    /// The column may be cut down to `least` characters.
    pub(in crate::cli) const fn at_least(self, least: usize) -> Self {
        Self { least: Some(least), ..self }
    }

    /// The column may be left out. Columns with higher numbers go first.
    pub(in crate::cli) const fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }

    /// Sets how a cell is cut. The default, `fit`, keeps the beginning and adds an ellipsis.
    pub(in crate::cli) const fn cut_by(self, cut: fn(&str, usize) -> String) -> Self {
        Self { cut, ..self }
    }
}

/// Spaces between two columns.
const GAP: usize = 2;

/// The table as text, with the header in the first line. `width` is the width of the terminal; None
/// for a pipe. Cells are made safe for a terminal, and no line ends with a space.
pub(in crate::cli) fn lines(
    columns: &[TableColumn],
    rows: &[Vec<String>],
    width: Option<usize>,
) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escape_line(cell)).collect()).collect();
    let natural: Vec<usize> =
        columns.iter().enumerate().map(|(at, c)| widest(c, &rows, at)).collect();
    let kept = kept(columns, &natural, width);
    let widths = shrunk(columns, &natural, &kept, width);
    let line = |cell: &dyn Fn(usize) -> String| {
        let cells = kept.iter().zip(&widths).map(|(at, width)| {
            let column = &columns[*at];
            let cell = cell(*at);
            let cell = if wide(&cell) > *width { (column.cut)(&cell, *width) } else { cell };
            let gap = " ".repeat(width.saturating_sub(wide(&cell)));
            if column.right { gap + &cell } else { cell + &gap }
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    let header = line(&|at| columns[at].title.to_owned());
    let body = rows.iter().map(|row| line(&|at| row.get(at).cloned().unwrap_or_default()));
    std::iter::once(header).chain(body).collect::<Vec<_>>().join("\n")
}

/// The width of the widest cell of a column, with its title.
fn widest(column: &TableColumn, rows: &[Vec<String>], at: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| wide(cell));
    cells.max().unwrap_or(0).max(wide(column.title))
}

/// The columns that are shown, by their positions: those that have room if each is cut as far as it
/// may be.
fn kept(columns: &[TableColumn], natural: &[usize], width: Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let Some(width) = width else { return kept };
    let least = |at: &usize| columns[*at].least.unwrap_or(natural[*at]).min(natural[*at]);
    while total(kept.iter().map(least)) > width {
        let spare = kept.iter().enumerate().filter(|(_, at)| columns[**at].spare > 0);
        // Without a column that may go, the table stays wider than the terminal.
        let Some((place, _)) = spare.max_by_key(|(_, at)| columns[**at].spare) else { break };
        kept.remove(place);
    }
    kept
}

/// The widths of the shown columns. All columns that may be cut are cut to one common level, so the
/// widest ones lose the most. The level is the largest one that fits.
fn shrunk(
    columns: &[TableColumn],
    natural: &[usize],
    kept: &[usize],
    width: Option<usize>,
) -> Vec<usize> {
    let at_level = |level: usize| {
        kept.iter().map(move |at| match columns[*at].least {
            Some(least) => natural[*at].min(level.max(least)),
            None => natural[*at],
        })
    };
    let most = kept.iter().map(|at| natural[*at]).max().unwrap_or(0);
    let Some(width) = width else { return at_level(most).collect() };
    let level = (0..=most).rev().find(|level| total(at_level(*level)) <= width);
    at_level(level.unwrap_or(0)).collect()
}

/// The width of a line with these columns and the gaps between them.
fn total(widths: impl Iterator<Item = usize>) -> usize {
    let (count, sum) = widths.fold((0, 0), |(count, sum), width| (count + 1, sum + width));
    sum + GAP * usize::saturating_sub(count, 1)
}

/// The number of terminal columns that a text takes; a Chinese character takes two.
fn wide(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// The beginning of a text without an ellipsis. It is for ids: the beginning of an id can be typed
/// in place of the whole id.
pub(in crate::cli) fn beginning(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |letter: &char| {
        used += UnicodeWidthChar::width(*letter).unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: [TableColumn; 4] = [
        TableColumn::new("id").at_least(6).cut_by(beginning),
        TableColumn::new("model").at_least(8),
        TableColumn::new("outcome"),
        TableColumn::right("steps").spare(1),
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["ep-0123456789", "vllm/a-model-with-a-long-name", "resolved", "5"]),
            row(["ep-abcdefabcd", "ollama/short", "unresolved", "12"]),
        ]
    }

    #[test]
    fn a_pipe_gets_whole_cells_and_a_terminal_what_fits() {
        assert_eq!(
            lines(&COLUMNS, &rows(), None),
            "id             model                          outcome     steps\n\
             ep-0123456789  vllm/a-model-with-a-long-name  resolved        5\n\
             ep-abcdefabcd  ollama/short                   unresolved     12"
        );
        assert_eq!(lines(&COLUMNS, &rows(), Some(200)), lines(&COLUMNS, &rows(), None));
        assert_eq!(
            lines(&COLUMNS, &rows(), Some(50)),
            "id             model             outcome     steps\n\
             ep-0123456789  vllm/a-model-wi…  resolved        5\n\
             ep-abcdefabcd  ollama/short      unresolved     12"
        );
        assert_eq!(
            lines(&COLUMNS, &rows(), Some(40)),
            "id         model      outcome     steps\n\
             ep-012345  vllm/a-m…  resolved        5\n\
             ep-abcdef  ollama/s…  unresolved     12"
        );
        assert_eq!(
            lines(&COLUMNS, &rows(), Some(30)),
            "id        model     outcome\n\
             ep-01234  vllm/a-…  resolved\n\
             ep-abcde  ollama/…  unresolved"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_the_terminal(cell in "[a-zé漢]{0,60}", width in 28usize..120) {
            let rows = vec![vec![cell.clone(), cell.clone(), "x".to_owned(), "1".to_owned()]];
            for line in lines(&COLUMNS, &rows, Some(width)).lines() {
                prop_assert!(wide(line) <= width, "{line}");
            }
            prop_assert!(lines(&COLUMNS, &rows, None).contains(&cell));
        }
    }
}
