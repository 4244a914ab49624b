'use strict';

const { ConfigError } = require('./errors');
const { newNode, newTable } = require('./nodes');
const { formatPath, readPath } = require('./paths');

const DEEPEST = 20;
const ESCAPES = { n: '\n', t: '\t', '"': '"', '\\': '\\', $: '$$' };

/** Reads a file as statements: `{ op, path, node, line }`. */
class Reader {
  constructor(text, file) {
    this.text = text;
    this.file = file;
    this.at = 0;
    this.line = 1;
    this.section = [];
    this.depth = 0;
  }

  /** An error at the current line. */
  fault(message) {
    return new ConfigError(this.file, this.line, message);
  }

  place() {
    return { file: this.file, line: this.line };
  }

  /** Takes a text if it stands here. */
  take(text) {
    if (!this.text.startsWith(text, this.at)) {
      return false;
    }
    this.at += text.length;
    return true;
  }

  /** Takes what a pattern with the flag `y` matches here. Null if nothing does. */
  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) {
      this.at += found[0].length;
    }
    return found;
  }

  /** Skips blanks, and a note up to the end of the line. */
  skipBlanks() {
    this.match(/[ \t]*(#[^\n]*)?/y);
  }

  /** Skips blanks, notes and ends of lines. */
  skipLines() {
    for (this.skipBlanks(); this.text[this.at] === '\n'; this.skipBlanks()) {
      this.at += 1;
      this.line += 1;
    }
  }

  /** Takes the end of the line, or of the text. */
  endLine() {
    this.skipBlanks();
    if (this.at < this.text.length && this.text[this.at] !== '\n') {
      throw this.fault('the end of the line was expected');
    }
  }

  path() {
    const found = readPath(this.text, this.at);
    if (found === null) {
      throw this.fault('a name was expected');
    }
    this.at = found.end;
    return found.path;
  }

  /** One character behind a backslash. A dollar sign stays doubled, so that it begins no reference. */
  escape() {
    const code = this.match(/u([0-9a-fA-F]{4})/y);
    if (code !== null) {
      return String.fromCharCode(parseInt(code[1], 16));
    }
    const letter = this.text[this.at];
    if (letter === undefined || !Object.hasOwn(ESCAPES, letter)) {
      throw this.fault('unknown escape');
    }
    this.at += 1;
    return ESCAPES[letter];
  }

  /** A text behind its double quote. */
  quoted() {
    let text = '';
    for (;;) {
      text += this.match(/[^"\\\n]*/y)[0];
      if (this.take('"')) {
        return newNode('text', text, this.place());
      }
      if (!this.take('\\')) {
        throw this.fault('a text has no end');
      }
      text += this.escape();
    }
  }

  /** A text behind its single quote: nothing in it means anything else. */
  rawText() {
    const found = this.match(/([^'\n]*)'/y);
    if (found === null) {
      throw this.fault('a text has no end');
    }
    return { ...newNode('text', found[1], this.place()), raw: true };
  }

  /** The lines behind `<<WORD`, up to a line with the word, without the blanks that all of them begin with. */
  block() {
    const place = this.place();
    const word = this.match(/([A-Z]+)[ \t]*(?=\n)/y);
    if (word === null) {
      throw this.fault('a word in capital letters was expected');
    }
    const lines = this.text.slice(this.at + 1).split('\n');
    const end = lines.findIndex((line) => line.trim() === word[1]);
    if (end < 0) {
      throw this.fault('a text has no end');
    }
    this.at += lines.slice(0, end + 1).reduce((length, line) => length + line.length + 1, 0);
    this.line += end + 1;
    return newNode('text', stripIndent(lines.slice(0, end)).map((line) => `${line}\n`).join(''), place);
  }

  /** An int or a number. */
  number() {
    const found = this.match(/-?(0|[1-9]\d*)(\.\d+)?(?![\w.])/y);
    if (found === null) {
      throw this.fault('a value was expected');
    }
    const value = Number(found[0]);
    if (found[2] === undefined && !Number.isSafeInteger(value)) {
      throw this.fault('the number is too large');
    }
    return newNode(found[2] === undefined ? 'int' : 'number', value + 0, this.place());
  }

  /** The items up to a closing bracket, with commas between, and perhaps one behind the last. */
  items(close, readItem) {
    for (;;) {
      this.skipLines();
      if (this.take(close)) {
        return;
      }
      readItem();
      this.skipLines();
      if (this.take(close)) {
        return;
      }
      if (!this.take(',')) {
        throw this.fault(`',' or '${close}' was expected`);
      }
    }
  }

  list() {
    const node = newNode('list', [], this.place());
    this.items(']', () => node.value.push(this.value()));
    return node;
  }

  /** A table in braces. Its names may be paths. */
  table() {
    const node = newTable(this.place());
    this.items('}', () => {
      const path = this.path();
      this.skipBlanks();
      if (!this.take('=')) {
        throw this.fault("'=' was expected");
      }
      this.putInto(node, path, this.value());
    });
    return node;
  }

  /** Puts a value into a table in braces. */
  putInto(table, path, value) {
    let node = table;
    path.slice(0, -1).forEach((part) => {
      if (!node.value.has(part)) {
        node.value.set(part, newTable(this.place()));
      }
      node = node.value.get(part);
      if (node.type !== 'table') {
        throw this.fault(`${formatPath(path)} is there already`);
      }
    });
    if (node.value.has(path[path.length - 1])) {
      throw this.fault(`${formatPath(path)} is there already`);
    }
    node.value.set(path[path.length - 1], value);
  }

  /** A value of any type. */
  value() {
    this.skipBlanks();
    this.depth += 1;
    if (this.depth > DEEPEST) {
      throw this.fault('the value is too deep');
    }
    const node = this.bareValue();
    this.depth -= 1;
    return node;
  }

  bareValue() {
    if (this.take('"')) {
      return this.quoted();
    }
    if (this.take("'")) {
      return this.rawText();
    }
    if (this.take('[')) {
      return this.list();
    }
    if (this.take('{')) {
      return this.table();
    }
    if (this.take('<<')) {
      return this.block();
    }
    const word = this.match(/(true|false)(?![\w-])/y);
    return word === null ? this.number() : newNode('bool', word[1] === 'true', this.place());
  }

  /** Opens the section of a line `[PATH]`, or adds a table to a list with `[[PATH]]`. */
  openSection(line) {
    const isItem = this.take('[');
    this.skipBlanks();
    this.section = this.path();
    this.skipBlanks();
    if (!this.take(isItem ? ']]' : ']')) {
      throw this.fault("']' was expected");
    }
    return { op: isItem ? 'item' : 'open', path: this.section, node: newTable(this.place()), line };
  }

  /** The word of a statement that is no assignment, with its argument. Null if it is none. */
  directive(line) {
    const word = this.match(/(unset|include)[ \t]+(?![=+?])/y);
    if (word === null) {
      return null;
    }
    if (word[1] === 'unset') {
      return { op: 'unset', path: [...this.section, ...this.path()], line };
    }
    const node = this.value();
    if (node.type !== 'text') {
      throw this.fault('the name of a file was expected');
    }
    return { op: 'include', name: node.value, line };
  }

  /** `PATH = VALUE`, `PATH += LIST` or `PATH ?= VALUE`. */
  assignment(line) {
    const path = [...this.section, ...this.path()];
    this.skipBlanks();
    const sign = this.match(/=|\+=|\?=/y);
    if (sign === null) {
      throw this.fault("'=' was expected");
    }
    const op = { '=': 'set', '+=': 'append', '?=': 'default' }[sign[0]];
    const node = this.value();
    if (op === 'append' && node.type !== 'list') {
      throw this.fault('a list was expected');
    }
    return { op, path, node, line };
  }

  /** All statements of the file. */
  statements() {
    const found = [];
    for (this.skipLines(); this.at < this.text.length; this.skipLines()) {
      const { line } = this;
      found.push(this.take('[') ? this.openSection(line) : this.directive(line) || this.assignment(line));
      this.endLine();
    }
    return found;
  }
}

/** Cuts the blanks that all lines begin with; blank lines do not count, and become empty. */
function stripIndent(lines) {
  const filled = lines.filter((line) => line.trim() !== '');
  const indent = Math.min(...filled.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => (line.trim() === '' ? '' : line.slice(indent)));
}

/** Reads a file as statements. */
function readStatements(text, file) {
  return new Reader(text, file).statements();
}

/** Reads a whole text as one value. */
function readValue(text, file) {
  const reader = new Reader(text, file);
  const node = reader.value();
  reader.endLine();
  if (reader.at < text.length) {
    throw reader.fault('the end of the line was expected');
  }
  return node;
}

module.exports = { readStatements, readValue };
