//! Reads a table key by key. A section remembers which keys it was asked for. `finish` reports all
//! other keys as unknown, and a test compares the known keys with the reference file.
//!
//! Nothing stops at a mistake. The mistake is reported to the reader, and the value counts as
//! [`RawField::Bad`], which keeps later checks from complaining about it again. A section that is
//! not there behaves like an empty one, but it does not report its required keys as missing.
//!
//! The order of use is: `ConfigSection::root`, `section` or `sections` for the tables, `optional`,
//! `required` or `list` for the keys, and `finish` at the end.

use crate::config::reading::reader::{ConfigReader, MissingKey, RawField, UnknownKey};
use crate::config::reading::source::Span;
use crate::config::reading::values::{ValueFault, ValueResult, kind};
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table that is being read.
pub(in crate::config) struct ConfigSection<'r, 't> {
    reader: &'r ConfigReader,
    /// The path of the table, such as `sandbox` or `providers.local`; empty at the top.
    path: String,
    /// The position to show if something is missing in the table.
    place: Span,
    /// None if the table is absent, or if the value is no table (that was already reported).
    table: Option<&'t DeTable<'t>>,
    /// The keys that were asked for.
    asked: Vec<&'static str>,
}

/// An entry of a table whose keys the user chooses, such as an environment variable.
pub(in crate::config) struct NamedText {
    pub(in crate::config) name: String,
    pub(in crate::config) text: String,
    /// The position of the value.
    pub(in crate::config) span: Span,
}

impl<'r, 't> ConfigSection<'r, 't> {
    /// The table of a whole file.
    pub(in crate::config) fn root(reader: &'r ConfigReader, table: &'t DeTable<'t>) -> Self {
        Self { reader, path: String::new(), place: 0..0, table: Some(table), asked: vec![] }
    }

    /// Reports an empty table once, instead of once for each part that it misses.
    pub(in crate::config) fn unless_empty(self, message: &str, hint: &str) -> Self {
        if !self.table.is_some_and(DeTable::is_empty) {
            return self;
        }
        self.miss("", ValueFault::new(message).hint(hint));
        ConfigSection { table: None, ..self }
    }

    /// Whether the file has this table.
    pub(in crate::config) fn given(&self) -> bool {
        self.table.is_some()
    }

    /// The position of the table, for problems that concern it as a whole.
    pub(in crate::config) fn place(&self) -> Span {
        self.place.clone()
    }

    /// Reads a key that may be absent. `read` checks the type and the range.
    pub(in crate::config) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<T> {
        match self.get(key) {
            Some(value) => self.read(key, value, read),
            None => RawField::Absent,
        }
    }

    /// Reads a key that must be there. `example` is a value for the hint, if the key is missing.
    pub(in crate::config) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<T> {
        let field = self.optional(key, read);
        self.miss_if_absent(key, example, &field);
        field
    }

    /// Reads a list with at least `least` elements and no duplicates. `read` reads each element.
    pub(in crate::config) fn list<T: Ord + Clone>(
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

    /// Reads a list that must be there and must not be empty.
    pub(in crate::config) fn required_list<T: Ord + Clone>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> RawField<Vec<(T, Span)>> {
        let field = self.list(key, 1, read);
        self.miss_if_absent(key, example, &field);
        field
    }

    /// The table at `key`, or an absent table.
    pub(in crate::config) fn section(&mut self, key: &'static str) -> ConfigSection<'r, 't> {
        let found = self.get(key);
        let place = found.map_or_else(|| self.place(), Spanned::span);
        let table = found.and_then(|value| self.as_table(key, value));
        ConfigSection { reader: self.reader, path: self.join(key), place, table, asked: vec![] }
    }

    /// The entries of a table whose keys the user chooses. Wrong values are reported and left out.
    pub(in crate::config) fn texts(&mut self, key: &'static str) -> Vec<NamedText> {
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

    /// The same for a table with values of any type: the name, its position, and the value.
    pub(in crate::config) fn named_values<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> ValueResult<T>,
    ) -> Vec<(String, Span, T)> {
        let Some(table) = self.get(key).and_then(|value| self.as_table(key, value)) else {
            return vec![];
        };
        let mut entries = vec![];
        for (name, value) in table {
            let path = format!("{key}.{}", name.get_ref());
            if let RawField::Given(read, _) = self.read(&path, value, &read) {
                entries.push((name.get_ref().to_string(), name.span(), read));
            }
        }
        entries
    }

    /// The same for a table whose values are lists: the name, its position, and the valid elements.
    /// A name with wrong elements is still returned, so that a reference to it is found.
    pub(in crate::config) fn text_lists<T: Ord + Clone>(
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

    /// The tables below `key` whose names the user chooses, such as `[providers.local]`.
    pub(in crate::config) fn named_sections(
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

    /// The table at `key`, which must be there.
    pub(in crate::config) fn required_section(
        &mut self,
        key: &'static str,
    ) -> ConfigSection<'r, 't> {
        if self.table.is_some() && self.peek(key).is_none() {
            let fault = ValueFault::new(format!("missing section `[{}]`", self.join(key)));
            self.miss(key, fault.hint(format!("add `[{key}]`")));
        }
        self.section(key)
    }

    /// The tables of a list such as `[[models]]`, which must be there and must not be empty.
    pub(in crate::config) fn sections(&mut self, key: &'static str) -> Vec<ConfigSection<'r, 't>> {
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

    /// The position of the value at `key`. None if the table does not have the key.
    pub(in crate::config) fn place_of(&self, key: &str) -> Option<Span> {
        self.peek(key).map(Spanned::span)
    }

    /// Reports every key that was never asked for. Must be called after the last key was read.
    pub(in crate::config) fn finish(self) {
        let keys = self.table.into_iter().flat_map(|table| table.iter());
        for (key, value) in keys.filter(|(key, _)| !self.asked.contains(&key.get_ref().as_ref())) {
            let is_section = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
            let (path, name) = (self.path.clone(), key.get_ref().to_string());
            let unknown =
                UnknownKey { path, place: self.place(), key: name, is_section, span: key.span() };
            self.reader.unknown(unknown);
        }
    }

    /// Accepts `alias` as another spelling of `key`, and returns the spelling that the file uses.
    /// Hints and documents only know `key`. It is a mistake to set both.
    pub(in crate::config) fn alias(
        &mut self,
        key: &'static str,
        alias: &'static str,
    ) -> &'static str {
        // Only the file's own spelling counts as asked for; the hints name the main one.
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

    /// One table of a list of tables.
    fn element(&self, key: &'static str, item: &'t Spanned<DeValue<'t>>) -> ConfigSection<'r, 't> {
        let table = self.as_table(key, item);
        let (reader, path) = (self.reader, self.join(key));
        ConfigSection { reader, path, place: item.span(), table, asked: vec![] }
    }

    /// The value as a table. Reports any other type.
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

    /// Reads a value, and reports what is wrong with it.
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

    /// Reads a list. It is bad if one of its elements is wrong or is a duplicate, but every element
    /// is checked, so that all mistakes are reported.
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
        // A duplicate is a mistake, and it is reported at its second place.
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

    /// Remembers that a required key is missing. The reader decides at the end whether it was only
    /// misspelt.
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

    /// A key's value, without making the key known.
    fn peek(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.and_then(|table| table.get(key))
    }

    /// A key's value; the key is known from now on.
    fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.know(key);
        self.peek(key)
    }

    /// Makes a key known: here, so that `finish` does not report it, and in the reader, for hints.
    fn know(&mut self, key: &'static str) {
        self.asked.push(key);
        self.reader.know(&self.path, key);
    }

    /// Puts the whole path of the key in front of a message, such as `sandbox.memory`.
    fn about(&self, key: &str, fault: ValueFault) -> ValueFault {
        ValueFault { message: format!("`{}`: {}", self.join(key), fault.message), hint: fault.hint }
    }

    /// The whole path of a key in this table.
    fn join(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
