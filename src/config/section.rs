//! Reading a table key by key. A section remembers what it was asked for, so that every
//! other key is unknown, and so that the reference file can be checked against the reader
//! itself. Nothing stops at a mistake: it is noted, and the value counts as [`Field::Bad`],
//! which keeps later checks from complaining about it again.

use super::reader::{ConfigReader, MissingKey, RawField, UnknownKey};
use super::source::Span;
use super::values::{ValueFault, ValueResult, kind};
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table that is being read.
pub(super) struct ConfigSection<'r, 't> {
    reader: &'r ConfigReader,
    path: String,
    /// Where to point when something is missing.
    place: Span,
    /// None where the section is absent or no table, which is then reported already.
    table: Option<&'t DeTable<'t>>,
    asked: Vec<&'static str>,
}

/// A name of the user's own with its text.
pub(super) struct NamedText {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) span: Span,
}

impl<'r, 't> ConfigSection<'r, 't> {
    pub(super) fn root(reader: &'r ConfigReader, table: &'t DeTable<'t>) -> Self {
        Self { reader, path: String::new(), place: 0..0, table: Some(table), asked: vec![] }
    }

    /// Nothing at all, said once instead of once for every missing part.
    pub(super) fn unless_empty(self, message: &str, hint: &str) -> Self {
        if !self.table.is_some_and(DeTable::is_empty) {
            return self;
        }
        self.miss("", ValueFault::new(message).hint(hint));
        ConfigSection { table: None, ..self }
    }

    pub(super) fn given(&self) -> bool {
        self.table.is_some()
    }

    pub(super) fn place(&self) -> Span {
        self.place.clone()
    }

    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<T> {
        match self.get(key) {
            Some(value) => self.read(key, value, read),
            None => RawField::Absent,
        }
    }

    /// `example` is what to add where the key is missing.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<T> {
        let field = self.optional(key, read);
        self.miss_if_absent(key, example, &field);
        field
    }

    /// A list without duplicates, each element read by `read`.
    pub(super) fn list<T: Ord + Clone>(
        &mut self,
        key: &'static str,
        least: usize,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<Vec<(T, Span)>> {
        match self.get(key) {
            Some(value) => self.read_list(key, least, value, read),
            None => RawField::Absent,
        }
    }

    pub(super) fn required_list<T: Ord + Clone>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<Vec<(T, Span)>> {
        let field = self.list(key, 1, read);
        self.miss_if_absent(key, example, &field);
        field
    }

    /// The table below `key`, empty where there is none.
    pub(super) fn section(&mut self, key: &'static str) -> ConfigSection<'r, 't> {
        let found = self.get(key);
        let place = found.map_or_else(|| self.place(), Spanned::span);
        let table = found.and_then(|value| self.as_table(key, value));
        ConfigSection { reader: self.reader, path: self.join(key), place, table, asked: vec![] }
    }

    /// A table whose keys are the user's own, empty where there is none.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<NamedText> {
        let Some(table) = self.get(key).and_then(|value| self.as_table(key, value)) else {
            return vec![];
        };
        let mut entries = vec![];
        for (name, value) in table {
            let path = format!("{}.{}", self.join(key), name.get_ref());
            match value.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => entries.push(NamedText {
                    name: name.get_ref().to_string(),
                    text: text.to_string(),
                    span: value.span(),
                }),
                DeValue::String(_) => {
                    self.reader.value(
                        &value.span(),
                        ValueFault::new(format!("`{path}`: an empty string")),
                    );
                }
                other => {
                    let what = format!("`{path}`: expected text, found {}", kind(other));
                    self.reader
                        .value(&value.span(), ValueFault::new(what).hint("put it in quotes"));
                }
            }
        }
        entries
    }

    /// A table whose keys are the user's own, with lists of text, empty where there is none.
    pub(super) fn text_lists<T: Ord + Clone>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> Vec<(String, Span, Vec<T>)> {
        let Some(table) = self.get(key).and_then(|value| self.as_table(key, value)) else {
            return vec![];
        };
        let mut lists = vec![];
        for (name, value) in table {
            let path = format!("{key}.{}", name.get_ref());
            let entries = match self.read_list(&path, 1, value, &read) {
                RawField::Given(entries, _) => entries,
                // The entry still exists, so a name that refers to it is found.
                _ => vec![],
            };
            let entries = entries.into_iter().map(|(entry, _)| entry).collect();
            lists.push((name.get_ref().to_string(), name.span(), entries));
        }
        lists
    }

    /// The tables below a key whose names are the user's own.
    pub(super) fn named_sections(
        &mut self,
        key: &'static str,
    ) -> Vec<(String, ConfigSection<'r, 't>)> {
        let Some(table) = self.get(key).and_then(|value| self.as_table(key, value)) else {
            return vec![];
        };
        let one = |(name, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let name: &std::borrow::Cow<'t, str> = name.get_ref();
            let path = format!("{}.{name}", self.join(key));
            let table = self.as_table(key, value);
            let place = value.span();
            (
                name.to_string(),
                ConfigSection { reader: self.reader, path, place, table, asked: vec![] },
            )
        };
        table.iter().map(one).collect()
    }

    pub(super) fn required_section(&mut self, key: &'static str) -> ConfigSection<'r, 't> {
        if self.table.is_some() && self.peek(key).is_none() {
            let fault = ValueFault::new(format!("missing section `[{}]`", self.join(key)));
            self.miss(key, fault.hint(format!("add `[{key}]`")));
        }
        self.section(key)
    }

    /// The tables of a required `[[key]]` list.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<ConfigSection<'r, 't>> {
        let path = self.join(key);
        self.reader.is_list(&path);
        let hint = format!("start each entry with `[[{path}]]`");
        let Some(value) = self.get(key) else {
            if self.given() {
                let fault = ValueFault::new(format!("missing `[[{path}]]`")).hint(hint);
                self.miss(key, fault);
            }
            return vec![];
        };
        let DeValue::Array(list) = value.get_ref() else {
            let fault = ValueFault::new(format!(
                "`{path}`: expected a list of tables, found {}",
                kind(value.get_ref())
            ));
            self.reader.value(&value.span(), fault.hint(hint));
            return vec![];
        };
        if list.is_empty() {
            self.reader
                .value(&value.span(), ValueFault::new(format!("`{path}` is empty")).hint(hint));
        }
        list.iter().map(|item| self.element(key, item)).collect()
    }

    /// Notes what was never asked for.
    pub(super) fn finish(self) {
        let keys = self.table.into_iter().flat_map(|table| table.iter());
        for (key, value) in keys.filter(|(key, _)| !self.asked.contains(&key.get_ref().as_ref())) {
            let is_section = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
            let (path, name) = (self.path.clone(), key.get_ref().to_string());
            let unknown =
                UnknownKey { path, place: self.place(), key: name, is_section, span: key.span() };
            self.reader.unknown(unknown);
        }
    }

    /// Lets `alias` stand for `key`; only the latter is a known key for hints and docs.
    pub(super) fn alias(&mut self, key: &'static str, alias: &'static str) -> &'static str {
        let Some(value) = self.peek(alias) else { return key };
        self.asked.push(alias);
        if self.peek(key).is_none() {
            self.know(key);
            return alias;
        }
        let fault = ValueFault::new(format!("`{alias}` and `{key}` are the same setting"));
        self.reader.value(&value.span(), fault.hint("keep one of them"));
        key
    }

    fn element(&self, key: &'static str, item: &'t Spanned<DeValue<'t>>) -> ConfigSection<'r, 't> {
        let table = self.as_table(key, item);
        let (reader, path) = (self.reader, self.join(key));
        ConfigSection { reader, path, place: item.span(), table, asked: vec![] }
    }

    fn as_table(
        &self,
        key: &'static str,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Option<&'t DeTable<'t>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let hint = match self.path.as_str() {
            "" => format!("start the section with a line `[{key}]`"),
            _ => "write it as `{ key = value }`".to_owned(),
        };
        let fault = ValueFault::expected("a table", value.get_ref()).hint(hint);
        self.reader.value(&value.span(), self.about(key, fault));
        None
    }

    fn read<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<T> {
        match read(value.get_ref()) {
            Ok(read) => RawField::Given(read, value.span()),
            Err(fault) => {
                self.reader.value(&value.span(), self.about(key, fault));
                RawField::Bad
            }
        }
    }

    fn read_list<T: Ord + Clone>(
        &self,
        key: &str,
        least: usize,
        value: &Spanned<DeValue<'_>>,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<Vec<(T, Span)>> {
        let DeValue::Array(items) = value.get_ref() else {
            let fault =
                ValueFault::expected("a list", value.get_ref()).hint("put it in brackets: [...]");
            self.reader.value(&value.span(), self.about(key, fault));
            return RawField::Bad;
        };
        if items.len() < least {
            let fault = ValueFault::new("the list is empty").hint("give at least one entry");
            self.reader.value(&value.span(), self.about(key, fault));
            return RawField::Bad;
        }
        let mut seen = BTreeSet::new();
        let mut entries = vec![];
        for item in items.iter() {
            match self.read(key, item, &read) {
                RawField::Given(entry, span) if seen.insert(entry.clone()) => {
                    entries.push((entry, span))
                }
                RawField::Given(_, span) => {
                    let fault = ValueFault::new("given twice").hint("keep one of them");
                    self.reader.value(&span, self.about(key, fault));
                }
                _ => {}
            }
        }
        if entries.len() == items.len() {
            RawField::Given(entries, value.span())
        } else {
            RawField::Bad
        }
    }

    fn miss_if_absent<T>(&self, key: &'static str, example: &str, field: &RawField<T>) {
        if self.table.is_some() && field.is_absent() {
            let header = self.reader.header(&self.path);
            let fault = ValueFault::new(format!("missing key `{key}` in `{header}`"));
            let fault = fault.hint(format!("add for example `{key} = {example}`"));
            self.miss(key, fault);
        }
    }

    fn miss(&self, key: &'static str, fault: ValueFault) {
        self.reader.missing(MissingKey {
            path: self.path.clone(),
            place: self.place(),
            key,
            fault,
        });
    }

    fn peek(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.and_then(|table| table.get(key))
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.know(key);
        self.peek(key)
    }

    fn know(&mut self, key: &'static str) {
        self.asked.push(key);
        self.reader.know(&self.path, key);
    }

    fn about(&self, key: &str, fault: ValueFault) -> ValueFault {
        ValueFault { message: format!("`{}`: {}", self.join(key), fault.message), hint: fault.hint }
    }

    fn join(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
