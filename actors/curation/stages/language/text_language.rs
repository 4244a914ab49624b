//! The languages that are told apart.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A natural language, by its code of ISO 639-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextLanguage {
    En,
    De,
    Fr,
    Es,
    Pt,
    It,
    Nl,
    Pl,
    Tr,
    Ru,
    Uk,
    El,
    Zh,
    Ja,
    Ko,
    Ar,
    He,
    Hi,
    Th,
}

impl TextLanguage {
    pub const ALL: [(&str, Self); 19] = [
        ("en", Self::En),
        ("de", Self::De),
        ("fr", Self::Fr),
        ("es", Self::Es),
        ("pt", Self::Pt),
        ("it", Self::It),
        ("nl", Self::Nl),
        ("pl", Self::Pl),
        ("tr", Self::Tr),
        ("ru", Self::Ru),
        ("uk", Self::Uk),
        ("el", Self::El),
        ("zh", Self::Zh),
        ("ja", Self::Ja),
        ("ko", Self::Ko),
        ("ar", Self::Ar),
        ("he", Self::He),
        ("hi", Self::Hi),
        ("th", Self::Th),
    ];

    pub fn as_str(self) -> &'static str {
        let named = Self::ALL.into_iter().find(|(_, language)| *language == self);
        named.map_or("", |(name, _)| name)
    }

    /// Its script.
    pub(super) fn script(self) -> WritingScript {
        match self {
            Self::En
            | Self::De
            | Self::Fr
            | Self::Es
            | Self::Pt
            | Self::It
            | Self::Nl
            | Self::Pl
            | Self::Tr => WritingScript::Latin,
            Self::Ru | Self::Uk => WritingScript::Cyrillic,
            Self::El => WritingScript::Greek,
            Self::Zh | Self::Ja => WritingScript::Han,
            Self::Ko => WritingScript::Hangul,
            Self::Ar => WritingScript::Arabic,
            Self::He => WritingScript::Hebrew,
            Self::Hi => WritingScript::Devanagari,
            Self::Th => WritingScript::Thai,
        }
    }
}

/// What letters belong to. The syllables of Japanese count as Han.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WritingScript {
    Latin,
    Cyrillic,
    Greek,
    Han,
    Hangul,
    Arabic,
    Hebrew,
    Devanagari,
    Thai,
    Other,
}

impl WritingScript {
    pub(super) fn of(letter: char) -> Self {
        match u32::from(letter) {
            0x41..=0x24F | 0x1E00..=0x1EFF => Self::Latin,
            0x370..=0x3FF | 0x1F00..=0x1FFF => Self::Greek,
            0x400..=0x52F => Self::Cyrillic,
            0x590..=0x5FF => Self::Hebrew,
            0x600..=0x6FF | 0x750..=0x77F => Self::Arabic,
            0x900..=0x97F => Self::Devanagari,
            0xE00..=0xE7F => Self::Thai,
            0x1100..=0x11FF | 0xAC00..=0xD7AF => Self::Hangul,
            0x3005..=0x3007 | 0x3040..=0x30FF | 0x31F0..=0x31FF => Self::Han,
            0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF => Self::Han,
            _ => Self::Other,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Latin => "latin",
            Self::Cyrillic => "cyrillic",
            Self::Greek => "greek",
            Self::Han => "han",
            Self::Hangul => "hangul",
            Self::Arabic => "arabic",
            Self::Hebrew => "hebrew",
            Self::Devanagari => "devanagari",
            Self::Thai => "thai",
            Self::Other => "other",
        }
    }
}

/// The most frequent words of languages in Latin letters.
const FREQUENT: [(TextLanguage, &str); 9] = [
    (
        TextLanguage::En,
        "the of and to in is that it for was on are as with his they at be this have from or had by \
         but not what all were we when your can said there use an each which she do how their if will \
         up other about out many then them these so some her would make like him into has look two \
         more no way could my than been who its now i let need should does",
    ),
    (
        TextLanguage::De,
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an \
         werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum \
         war haben nur oder aber vor zur bis mehr durch man sein wurde sei ich wir kann muss dann wenn \
         jetzt diese dieser dieses alle ob sollte hier",
    ),
    (
        TextLanguage::Fr,
        "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont \
         avec ou son aux cette d'un nous je mais elle comme tout si ont être fait leur deux même sa ses \
         donc aussi bien faut peut vais c'est toutes",
    ),
    (
        TextLanguage::Es,
        "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le \
         ha me si sin sobre este ya entre cuando todo esta ser son dos también fue había era muy hasta \
         desde está nos voy eso luego vez todas",
    ),
    (
        TextLanguage::Pt,
        "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à \
         seu sua ou quando muito nos já eu também só pelo pela até isso ela entre depois sem mesmo aos \
         seus quem nas me esse está você vou são então",
    ),
    (
        TextLanguage::It,
        "di e il la che in a per un è del non sono con una si i da le ma come più al anche lo della nel \
         gli dei se questo ho alla ha o mi delle nella dal su ci cosa quando così perché tutti poi era \
         essere devo quindi ora",
    ),
    (
        TextLanguage::Nl,
        "de van het een en in is dat op te zijn met voor niet aan er om ook als dan maar bij uit nog \
         naar door over wordt heeft die deze dit kan hebben was ik we moet worden ze wel geen al meer \
         tot hij hier nu zo eerst",
    ),
    (
        TextLanguage::Pl,
        "w i na z do się nie to że jest o jak po co ale od za przez dla przy tym czy są ten jego już \
         tylko tego być może był ich oraz jeszcze można które który która więc teraz aby jeśli gdy lub \
         te ta jako bez mnie",
    ),
    (
        TextLanguage::Tr,
        "ve bir bu da de için ile çok daha en olarak o ne gibi var ama sonra kadar olan her ya ki mi \
         değil şimdi veya ben sen biz onu bunu şu ise iki olan oldu olduğu tüm önce",
    ),
];

/// In which languages a word is frequent.
pub(super) struct FrequentWords(HashMap<&'static str, Vec<TextLanguage>>);

impl Default for FrequentWords {
    fn default() -> Self {
        let mut words: HashMap<&'static str, Vec<TextLanguage>> = HashMap::new();
        for (language, frequent) in FREQUENT {
            for word in frequent.split_ascii_whitespace() {
                let languages = words.entry(word).or_default();
                if !languages.contains(&language) {
                    languages.push(language);
                }
            }
        }
        Self(words)
    }
}

impl FrequentWords {
    /// The languages in which a word is frequent. It is given in lower case.
    pub(super) fn of(&self, word: &str) -> &[TextLanguage] {
        self.0.get(word).map_or(&[], Vec::as_slice)
    }
}
