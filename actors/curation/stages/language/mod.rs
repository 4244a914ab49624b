//! Stage `language`: rows whose model wrote in another language than the wanted ones. What counts is what it
//! thought and said; calls, code, paths and JSON do not. The letters tell the script. Languages of one
//! script are told apart by their most frequent words or by letters of their own. A text with few
//! letters says nothing, and neither does one whose language is not certain.
//!
//! - `prose`: the words of a text that are no code.
//! - `text_language`: the languages, with their scripts and frequent words.
//! - `language_count`: what was counted, and what it says.

mod language_count;
mod prose;
mod text_language;

pub use text_language::TextLanguage;

use crate::curation::{RowFinder, StageRemark};
use crate::model::{DatasetRow, RowRecord};
use language_count::LanguageCount;
use text_language::FrequentWords;

/// Finds texts in other languages.
pub struct LanguageFinder {
    wanted: Vec<TextLanguage>,
    /// The share of letters in another language that is a finding, in thousandths.
    share: u32,
    /// Fewer letters say nothing.
    letters: u64,
    words: FrequentWords,
}

impl LanguageFinder {
    pub fn new(wanted: Vec<TextLanguage>, share: u32, letters: u32) -> Self {
        Self { wanted, share, letters: u64::from(letters), words: FrequentWords::default() }
    }
}

impl RowFinder for LanguageFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let mut count = LanguageCount::new(&self.words);
        match &record.row {
            DatasetRow::Trajectory(row) => {
                row.trajectory.iter().for_each(|step| count.add(&step.reasoning));
            }
            DatasetRow::Completion(row) => {
                count.add(&row.response);
                count.add(row.reasoning.as_deref().unwrap_or_default());
            }
        }
        if count.letters() < self.letters {
            return Vec::new();
        }
        let found = count.languages(&self.wanted).into_iter();
        let found = found.filter(|(_, share)| *share >= self.share.max(1));
        found.map(|(language, share)| self.remark(language, share)).collect()
    }
}

impl LanguageFinder {
    fn remark(&self, language: &str, share: u32) -> StageRemark {
        let wanted: Vec<&str> = self.wanted.iter().map(|language| language.as_str()).collect();
        let percent = share / 10;
        let wanted = wanted.join(", ");
        StageRemark::new(format!("{percent} % of the letters are {language}, wanted is {wanted}"))
            .labelled(format!("language:{language}"))
            .scored(f64::from(share) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{any_trajectory, ran, record, with_steps};
    use super::*;
    use crate::curation::tests::row;
    use proptest::prelude::*;

    const ENGLISH: &str = "The function reads the file and returns a list of all lines, but it does not \
        close it. So I will change it to use a context manager, and then run the tests again to see \
        whether they pass with this version of the code.";
    const GERMAN: &str = "Die Funktion liest die Datei und gibt eine Liste aller Zeilen zurück, aber sie \
        schließt die Datei nicht. Deshalb ändere ich das und lasse dann die Tests noch einmal laufen, um \
        zu sehen, ob sie mit dieser Fassung auch bestehen.";
    const FRENCH: &str = "La fonction lit le fichier et renvoie une liste de toutes les lignes, mais elle \
        ne ferme pas le fichier. Je vais donc la changer et ensuite lancer les tests une fois de plus \
        pour voir si tout est correct avec cette version du code.";
    const SPANISH: &str = "La función lee el archivo y devuelve una lista de todas las líneas, pero no lo \
        cierra. Por eso voy a cambiarla y luego ejecutar las pruebas otra vez para ver si todo está \
        bien con esta versión del código.";
    const CHINESE: &str = "这个函数读取文件并返回所有行的列表，但是它没有关闭文件。所以我会修改它，然后再运行一次\
        测试，看看这个版本是否通过。我们先看一下代码里面的问题，再决定怎么修改它。首先需要确认输入的格式\
        是否正确，然后检查每一行的内容。如果格式不对，就报告错误并且退出。最后把结果写到输出文件里面去。";
    const JAPANESE: &str = "この関数はファイルを読み込み、すべての行のリストを返しますが、ファイルを閉じません。\
        そこで、これを変更してから、もう一度テストを実行して、このバージョンで合格するかどうかを確認します。\
        まず入力の形式が正しいことを確認し、それから各行の内容を調べます。最後に結果を書き出します。";
    const RUSSIAN: &str = "Эта функция читает файл и возвращает список всех строк, но она не закрывает его. \
        Поэтому я изменю её и потом ещё раз запущу тесты, чтобы увидеть, проходят ли они с этой версией кода.";
    const CODE: &str = "```python\ndef lade_datei(pfad):\n    return [zeile for zeile in open(pfad)]\n```\n\
        {\"datei\": \"und die oder das nicht ist eine der\", \"x\": [1, 2]}\n`und nicht die`";

    /// The labels of an answer.
    fn labels(answer: &str, wanted: &[TextLanguage]) -> String {
        let finder = LanguageFinder::new(wanted.to_vec(), 200, 60);
        let remarks = finder.find(&row(0, answer)).into_iter();
        let labels: Vec<String> = remarks.filter_map(|remark| remark.label).collect();
        labels.join(" ")
    }

    #[test]
    fn languages_are_told_apart() {
        use TextLanguage::{De, En, Es, Fr, Ja, Ru, Zh};
        let texts = [
            (ENGLISH, En),
            (GERMAN, De),
            (FRENCH, Fr),
            (SPANISH, Es),
            (CHINESE, Zh),
            (JAPANESE, Ja),
            (RUSSIAN, Ru),
        ];
        for (text, language) in texts {
            assert_eq!(labels(text, &[language]), "", "{language:?}");
            let others =
                texts.map(|(_, other)| other).into_iter().filter(|other| *other != language);
            let expected = format!("language:{}", language.as_str());
            for other in others {
                assert_eq!(labels(text, &[other]), expected, "{language:?}, wanted {other:?}");
            }
            assert_eq!(
                labels(&format!("{text}\n{CODE}"), &[language]),
                "",
                "{language:?} with code"
            );
        }
    }

    #[test]
    fn what_is_little_or_code_says_nothing() {
        use TextLanguage::En;
        for answer in [
            "",
            "Danke, das ist gut.",
            CODE,
            "src/haupt.rs lib/zweites.rs --keine-ausgabe https://beispiel.de/und/die/oder/nicht",
            "foo bar baz qux quux corge grault garply waldo fred plugh xyzzy thud foo bar baz qux quux",
        ] {
            assert_eq!(labels(answer, &[En]), "", "{answer}");
        }
        // One foreign sentence in a long text is less than the share.
        let quote = format!("{} «Это не файл».", ENGLISH.repeat(2));
        assert_eq!(labels(&quote, &[En]), "");
        assert_eq!(labels(&format!("{ENGLISH} {RUSSIAN}"), &[En]), "language:ru");
    }

    #[test]
    fn calls_and_outputs_do_not_count() {
        let mut trajectory = with_steps(vec![ran(&format!("echo '{GERMAN}'"), 0, RUSSIAN); 3]);
        let finder = LanguageFinder::new(vec![TextLanguage::En], 200, 60);
        assert_eq!(finder.find(&record(trajectory.clone())), Vec::new());
        trajectory.trajectory[1].reasoning = GERMAN.to_owned();
        let remarks = finder.find(&record(trajectory));
        assert_eq!(remarks.len(), 1);
        assert_eq!(remarks[0].detail, "100 % of the letters are de, wanted is en");
    }

    proptest! {
        #[test]
        fn every_row_is_judged_and_always_the_same(row in any_trajectory(), letters in 0..50_u32) {
            let row = record(row);
            let finder = LanguageFinder::new(vec![TextLanguage::En], 100, letters);
            prop_assert_eq!(finder.find(&row), finder.find(&row));
        }

        /// The order of steps changes nothing.
        #[test]
        fn the_order_of_steps_does_not_matter(
            texts in Just(vec![ENGLISH, GERMAN, CODE, RUSSIAN, ""]).prop_shuffle(),
        ) {
            let step = |text: &&str| {
                let mut step = ran("ls", 0, "");
                step.reasoning = (*text).to_owned();
                step
            };
            let finder = LanguageFinder::new(vec![TextLanguage::Zh], 100, 60);
            let shuffled = record(with_steps(texts.iter().map(step).collect()));
            let sorted = [ENGLISH, GERMAN, CODE, RUSSIAN, ""];
            let sorted = record(with_steps(sorted.iter().map(step).collect()));
            prop_assert_eq!(finder.find(&shuffled), finder.find(&sorted));
        }

        #[test]
        fn every_text_is_read(answer in "\\PC{0,300}") {
            labels(&answer, &[TextLanguage::En]);
        }
    }
}
