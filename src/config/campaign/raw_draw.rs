//! The keys of `[tasks]` that say how tasks are chosen: `draw`, `count`, `by`, `between`, `least`, and
//! the tables `shares` and `caps`. They are read here, held against each other, and turned into a
//! [`TaskDraw`].

use crate::config::campaign::raw::RawList;
use crate::config::campaign::validate::entries;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source::Span;
use crate::config::reading::values::{ValueFault, ValueResult, choice, number, thousandths, whole};
use crate::word_suggestion::one_of;
use std::collections::BTreeMap;
use synthd_actors::model::{DrawAspect, DrawRule, TaskDraw, TaskKind, WHOLE_SHARE};
use toml::de::DeValue;

/// The words of `draw`.
const RULES: [(&str, DrawRule); 3] = [
    ("each", DrawRule::Each),
    ("shares", DrawRule::Shares),
    ("informative", DrawRule::Informative),
];
/// The most tasks that can be drawn.
const MOST_DRAWN: u32 = 1_000_000;

/// The keys that say how tasks are chosen.
pub(in crate::config) struct RawDraw {
    rule: RawField<DrawRule>,
    /// The number of tasks.
    count: RawField<u32>,
    /// The aspects whose values get shares.
    by: RawList<DrawAspect>,
    /// The pass rates that teach most, in thousandths.
    between: RawField<[u32; 2]>,
    /// The least tries of each template by each model.
    least: RawField<u32>,
    /// The position of the table of shares.
    shares_place: Option<Span>,
    shares: Vec<StatedShare>,
    /// The position of the table of caps.
    caps_place: Option<Span>,
    caps: Vec<(DrawAspect, RawField<u32>)>,
}

/// The share of one value, in thousandths.
struct StatedShare {
    aspect: DrawAspect,
    value: String,
    /// The position of the value's name.
    place: Span,
    share: u32,
}

impl RawDraw {
    /// Reads the keys out of `[tasks]`.
    pub(in crate::config) fn read(section: &mut ConfigSection<'_, '_>) -> Self {
        let aspects = DrawAspect::ALL.map(|aspect| (aspect.as_str(), aspect));
        let (shares_place, caps_place) = (section.place_of("shares"), section.place_of("caps"));
        Self {
            rule: section.optional("draw", choice(&RULES)),
            count: section.optional("count", whole(1..=MOST_DRAWN)),
            by: section.list("by", 1, choice(&aspects)),
            between: section.optional("between", between),
            least: section.optional("least", whole(0..=1_000)),
            shares_place,
            shares: read_shares(section.section("shares")),
            caps_place,
            caps: read_caps(section.section("caps")),
        }
    }

    /// Whether tasks are drawn. None if the rule is a word that is none, which was reported.
    fn rule(&self) -> Option<DrawRule> {
        match &self.rule {
            RawField::Absent => Some(DrawRule::Each),
            RawField::Bad => None,
            RawField::Given(rule, _) => Some(*rule),
        }
    }

    /// Whether tasks are drawn, and not the same number taken of each template.
    pub(in crate::config) fn is_drawn(&self) -> bool {
        self.rule().is_some_and(|rule| rule != DrawRule::Each)
    }

    /// Holds the keys against each other. `per_template` is where this key is, and `assign` where
    /// `routing.assign` is, if it names another rule than `cross`.
    pub(in crate::config) fn check(
        &self,
        per_template: Option<&Span>,
        assign: Option<&Span>,
        reader: &ConfigReader,
    ) {
        let Some(rule) = self.rule() else { return };
        self.check_keys(rule, per_template, reader);
        self.check_words(reader);
        self.check_sums(reader);
        self.check_caps(reader);
        if let (DrawRule::Informative, Some(span)) = (rule, assign) {
            let fault = ValueFault::new("an informative draw chooses the models itself");
            reader.value(span, fault.hint("leave `assign` out, or set draw = \"shares\""));
        }
        if let (Some([low, high]), Some(span)) = (self.between.given(), self.between.span())
            && low > high
        {
            let fault = ValueFault::new("the first pass rate is above the second one");
            reader.value(span, fault.hint("write the lower one first, such as [0.2, 0.8]"));
        }
    }

    /// Reports keys that have no meaning for the rule, and a missing number of tasks.
    fn check_keys(&self, rule: DrawRule, per_template: Option<&Span>, reader: &ConfigReader) {
        let by_shares = [("by", self.by.span()), ("shares", self.shares_place.as_ref())];
        let by_value = [("between", self.between.span()), ("least", self.least.span())];
        let any = [("count", self.count.span()), ("caps", self.caps_place.as_ref())];
        let tell = |keys: &[(&str, Option<&Span>)], hint: &str| {
            for (key, span) in keys.iter().filter_map(|(key, span)| Some((key, (*span)?))) {
                let fault = ValueFault::new(format!("`tasks.{key}` has no meaning here"));
                reader.value(span, fault.hint(hint));
            }
        };
        let shares = "it needs draw = \"shares\"";
        let informative = "it needs draw = \"informative\"";
        if rule != DrawRule::Shares {
            tell(&by_shares, shares);
        }
        if rule != DrawRule::Informative {
            tell(&by_value, informative);
        }
        if rule == DrawRule::Each {
            return tell(&any, "it needs draw = \"shares\" or draw = \"informative\"");
        }
        tell(&[("per_template", per_template)], "a draw has `count` instead");
        if let (true, Some(span)) = (self.count.is_absent(), self.rule.span()) {
            let fault = ValueFault::new("a draw needs the number of tasks");
            reader.value(span, fault.hint("add for example `count = 500`"));
        }
    }

    /// Reports kinds and difficulties that do not exist. Categories and skills are those of the
    /// templates, which the preflight knows.
    fn check_words(&self, reader: &ConfigReader) {
        let kinds = TaskKind::ALL.map(TaskKind::as_str);
        for StatedShare { aspect, value, place, .. } in &self.shares {
            let words: &[&str] = match aspect {
                DrawAspect::Kind => &kinds,
                DrawAspect::Difficulty => &["easy", "medium", "hard"],
                DrawAspect::Category | DrawAspect::Skill => continue,
            };
            if !words.contains(&value.as_str()) {
                let fault = ValueFault::new(format!("unknown {} \"{value}\"", aspect.as_str()));
                reader.value(place, fault.hint(one_of(value, words)));
            }
        }
    }

    /// Reports shares of one aspect that are more than everything. A task has several skills, so their
    /// shares may be.
    fn check_sums(&self, reader: &ConfigReader) {
        let Some(place) = &self.shares_place else { return };
        for aspect in DrawAspect::ALL.into_iter().filter(|one| *one != DrawAspect::Skill) {
            let shares = self.shares.iter().filter(|share| share.aspect == aspect);
            let sum: u32 = shares.map(|share| share.share).sum();
            if sum > WHOLE_SHARE {
                let (name, sum) = (aspect.as_str(), shown(sum));
                let fault = ValueFault::new(format!("`tasks.shares.{name}` sums to {sum}"));
                reader.value(place, fault.hint("shares are parts of 1, such as 0.3"));
            }
        }
    }

    /// Reports a share above the cap that the file states for its aspect. It may be above a usual cap.
    fn check_caps(&self, reader: &ConfigReader) {
        for StatedShare { aspect, value, place, share } in &self.shares {
            let cap = self.caps.iter().find(|(of, _)| of == aspect);
            let Some(cap) = cap.and_then(|(_, cap)| cap.given()).filter(|cap| share > *cap) else {
                continue;
            };
            let (name, share, cap) = (aspect.as_str(), shown(*share), shown(*cap));
            let what = format!("the share of \"{value}\" is {share}, and the cap is {cap}");
            let hint = format!("raise `tasks.caps.{name}`, or lower the share");
            reader.value(place, ValueFault::new(what).hint(hint));
        }
    }

    /// The draw of the campaign.
    pub(in crate::config) fn draw(self) -> TaskDraw {
        let default = TaskDraw::default();
        let mut shares: BTreeMap<DrawAspect, BTreeMap<String, u32>> = BTreeMap::new();
        for StatedShare { aspect, value, share, .. } in self.shares {
            shares.entry(aspect).or_default().insert(value, share);
        }
        let caps = self.caps.into_iter().filter_map(|(of, cap)| Some((of, cap.into_option()?)));
        TaskDraw {
            rule: self.rule.or(default.rule),
            count: self.count.or(default.count),
            by: entries(self.by, || default.by),
            shares,
            caps: caps.collect(),
            between: self.between.or(default.between),
            least: self.least.or(default.least),
        }
    }
}

/// A number of thousandths as the file has it.
fn shown(thousandths: u32) -> f64 {
    f64::from(thousandths) / f64::from(WHOLE_SHARE)
}

/// Reads `[tasks.shares]`: a table for each aspect, with the values that the user names.
fn read_shares(mut section: ConfigSection<'_, '_>) -> Vec<StatedShare> {
    let mut shares = Vec::new();
    for aspect in DrawAspect::ALL {
        let stated = section.named_values(aspect.as_str(), share);
        shares.extend(stated.into_iter().map(|(value, place, share)| StatedShare {
            aspect,
            value,
            place,
            share,
        }));
    }
    section.finish();
    shares
}

/// Reads `[tasks.caps]`.
fn read_caps(mut section: ConfigSection<'_, '_>) -> Vec<(DrawAspect, RawField<u32>)> {
    let mut cap =
        |aspect: DrawAspect| (aspect, section.optional(aspect.as_str(), thousandths(0.001..=1.0)));
    let caps = DrawAspect::ALL.into_iter().map(&mut cap).collect();
    section.finish();
    caps
}

/// A share of all tasks. A skill without quotes is a table, because of the dot in its name.
fn share(value: &DeValue<'_>) -> ValueResult<u32> {
    match value {
        DeValue::Table(_) => Err(ValueFault::expected("a number", value)
            .hint("put a name with a dot in quotes, such as \"sql.ddl\" = 0.1")),
        number => exact_thousandths(number),
    }
}

/// A number from 0 to 1 with at most three decimals, in thousandths. Rounding would make another sum.
fn exact_thousandths(value: &DeValue<'_>) -> ValueResult<u32> {
    let thousandths = number(0.0..=1.0)(value)? * 1_000.0;
    match (thousandths - thousandths.round()).abs() < 1e-6 {
        true => Ok(thousandths.round() as u32),
        false => Err(ValueFault::new("a share has at most three decimals").hint("such as 0.063")),
    }
}

/// Reads `between`: two pass rates.
pub(in crate::config) fn between(value: &DeValue<'_>) -> ValueResult<[u32; 2]> {
    let DeValue::Array(list) = value else {
        return Err(ValueFault::expected("two pass rates", value).hint("such as [0.2, 0.8]"));
    };
    let rates: ValueResult<Vec<u32>> =
        list.iter().map(|rate| thousandths(0.0..=1.0)(rate.get_ref())).collect();
    <[u32; 2]>::try_from(rates?).map_err(|rates| {
        ValueFault::new(format!("{} pass rates", rates.len())).hint("two, such as [0.2, 0.8]")
    })
}
